"""What a French PID says of a patient: identifiers, names, birth, place, reliability; and ZFD.

Reading only (ins.md §8.2-8.4): what the codes mean for the identity is
`ris.identity.foreign.feed`. An absent field gives None, the HL7 null an empty value (R-PAM-07).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Final

from ris.auth.values import Address
from ris.core.clock import PARIS
from ris.core.text import ONE_LINE
from ris.identity.foreign.feed import LocalId, ReceivedTraits
from ris.identity.values import INS_OIDS, NIA, Ins
from ris.interop.hl7v2.errors import CARDINALITY, DATA_TYPE, NOT_IN_TABLE, REQUIRED, Refused
from ris.interop.hl7v2.message import EMPTY, Repetition, Segment

_OID: Final = re.compile(r"[0-2](?:\.[0-9]+){2,}")
_TS: Final = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:\.[0-9]+)?)?)?)?)?"
    r"([+-][0-9]{4})?"
)
_SEX: Final = {"M": "M", "F": "F", "U": "I", "I": "I", "O": "I", "A": "I", "N": "I", EMPTY: ""}
_PRINTED: Final = re.compile(ONE_LINE)
_LUNAR: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Complement:
    """ZFD: how the identity was obtained, codes of tables 9003 and 9004 (ins.md §8.4)."""

    lunar: str = ""
    sms_consent: str = ""
    corrected: bool = False
    mode: str = ""
    queried_on: date | None = None
    document: str = ""
    expires_on: date | None = None


def read_complement(zfd: Segment) -> Complement:
    """Return the ZFD of a message; an absent one says nothing. Raises `Refused` on a bad date."""
    day, month, year = (zfd.text(1, component) for component in (1, 2, 3))
    lunar = f"{year:0>4}-{month or 0:0>2}-{day or 0:0>2}" if year else ""
    if lunar and not _LUNAR.fullmatch(lunar):
        raise Refused(DATA_TYPE, "ZFD^1^1", "Date de naissance lunaire illisible.")
    return Complement(
        lunar=lunar,
        sms_consent=_plain(zfd.text(3)),
        corrected=zfd.text(4) == "Y",
        mode=_plain(zfd.text(5)),
        queried_on=_day(zfd, 6),
        document=_plain(zfd.text(7)),
        expires_on=_day(zfd, 8),
    )


def read_traits(pid: Segment, complement: Complement) -> ReceivedTraits:
    """Return the traits of *pid*; raises `Refused`. A lunar date of ZFD-1 wins over PID-7."""
    birth, used = _names(pid)
    sex = pid.text(8)
    if sex and sex not in _SEX:
        raise Refused(NOT_IN_TABLE, "PID^1^8", "Sexe hors table.")
    places = [r for r in pid.repetitions(11) if r.text(7) == "BDL"]
    return ReceivedTraits(
        birth_family=_value(birth, 1),
        first_birth_given=_value(birth, 2),
        birth_given_names=_value(birth, 3),
        birth_date=complement.lunar or _birth_date(pid.text(7)),
        sex=_SEX[sex] if sex else None,
        birth_place=_value(places[0], 9) if places else None,
        used_family=_value(used, 1),
        used_given=_value(used, 2),
    )


def read_local_ids(segment: Segment, number: int) -> tuple[LocalId, ...]:
    """Return the patient identifiers (CX.5 = PI) of a field and their authorities.

    Raises `Refused` on one that is too long to be an identifier, or holds control characters.
    """
    found = tuple(
        LocalId(cx.text(1), _authority(cx))
        for cx in segment.repetitions(number)
        if cx.text(5) in ("PI", "") and cx.text(1) not in ("", EMPTY)
    )
    place = f"{segment.name}^1^{number}"
    if any(len(one.value) > 64 or len(one.authority) > 128 for one in found):
        raise Refused(DATA_TYPE, place, "Identifiant de patient trop long.")
    if not all(_PRINTED.fullmatch(one.value + one.authority) for one in found):
        raise Refused(DATA_TYPE, place, "Caractère de contrôle interdit.")
    return found


def read_ins(pid: Segment, on: date) -> Ins | None:
    """Return the one active INS of PID-3, or None; raises `Refused` when two differ.

    CX.5 = INS and the OID decide, never the namespace (traps T1, T17). A NIR wins over the NIA it
    replaces; an INS whose CX.8 is over on that day is history.
    """
    found = {
        Ins(cx.text(1).upper(), cx.text(4, 2))
        for cx in pid.repetitions(3)
        if is_ins(cx) and cx.text(1) not in ("", EMPTY) and not _is_over(cx, on)
    }
    definitive = {ins for ins in found if ins.oid != NIA} or found
    if len(definitive) > 1:
        raise Refused(CARDINALITY, "PID^1^3", "Deux matricules INS actifs et différents.")
    return next(iter(definitive), None)


def is_ins(cx: Repetition) -> bool:
    """Say whether an identifier is given as an INS: type INS; the dead INS-C is dropped."""
    return cx.text(5) == "INS" and (cx.text(4, 2) in INS_OIDS or "INS-C" not in cx.text(4, 1))


def read_address(pid: Segment) -> Address | None:
    """Return the home address (PID-11 type H, else the first that is no birth place), or None."""
    homes = [r for r in pid.repetitions(11) if r.text(7) != "BDL"]
    if not homes:
        return None
    home = next((r for r in homes if r.text(7) == "H"), homes[0])
    lines = tuple(line for line in (_plain(home.text(1)), _plain(home.text(2))) if line)
    return Address(lines, *(_plain(home.text(component)) for component in (5, 3, 6)))


def read_phone(pid: Segment) -> str | None:
    """Return the first telephone of PID-13, or None; mail addresses are skipped."""
    numbers = [r for r in pid.repetitions(13) if r.text(3) in ("", "PH", "CP")]
    if not numbers:
        return None
    return _plain(numbers[0].text(12) or numbers[0].text(1))


def instant(value: str, place: str) -> datetime | None:
    """Return an HL7 TS as an instant (French legal time unless it says), None when empty."""
    if value in ("", EMPTY):
        return None
    found = _TS.fullmatch(value)
    if found is None:
        raise Refused(DATA_TYPE, place, "Horodatage illisible.")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        read = datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=PARIS)
        return read.replace(tzinfo=_zone(found[7])) if found[7] else read
    except (ValueError, OverflowError) as error:
        raise Refused(DATA_TYPE, place, "Horodatage impossible.") from error


def _zone(offset: str) -> timezone:
    shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return timezone(-shift if offset[0] == "-" else shift)


def _names(pid: Segment) -> tuple[Repetition | None, Repetition | None]:
    """Return the birth name (type L, or the sole one) and the used name (D) of PID-5."""
    names = pid.repetitions(5)
    birth = [name for name in names if name.text(7) == "L"]
    used = [name for name in names if name.text(7) == "D"]
    untyped = [name for name in names if name.text(7) == ""]
    if len(birth) > 1 or (not birth and len(untyped) > 1):
        raise Refused(CARDINALITY, "PID^1^5", "Nom de naissance ambigu : type L absent ou répété.")
    if not birth and not untyped:
        raise Refused(REQUIRED, "PID^1^5", "Nom de naissance (PID-5 de type L) absent.")
    return (birth or untyped)[0], used[0] if used else None


def _birth_date(value: str) -> str | None:
    """Return `YYYY-MM-DD` with zeros where PID-7 is less precise than a day; None when absent."""
    if value == "":
        return None
    if value == EMPTY:
        return ""
    found = _TS.fullmatch(value)
    if found is None:
        raise Refused(DATA_TYPE, "PID^1^7", "Date de naissance illisible.")
    return f"{found[1]}-{found[2] or '00'}-{found[3] or '00'}"


def _authority(cx: Repetition) -> str:
    oid = cx.text(4, 2)
    return oid if _OID.fullmatch(oid) else cx.text(4, 1) or oid


def _is_over(cx: Repetition, on: date) -> bool:
    end = instant(cx.text(8), "PID^1^3")
    return end is not None and end.date() < on


def _day(zfd: Segment, number: int) -> date | None:
    read = instant(zfd.text(number), f"ZFD^1^{number}")
    return read.date() if read else None


def _value(name: Repetition | None, component: int) -> str | None:
    text = name.text(component) if name else ""
    return None if text == "" else _plain(text)


def _plain(text: str) -> str:
    return "" if text == EMPTY else text
