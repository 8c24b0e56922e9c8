"""Answers to a message: ACK with MSA and ERR (HL7 v2.5 §2.9, §2.15; workflow.md §5).

Pure: instants and ids are given. An answer repeats no value of the patient.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ris.core.clock import PARIS
from ris.interop.hl7v2.errors import APPLICATION, Refused
from ris.interop.hl7v2.message import Segment, components, escape, segment
from ris.interop.hl7v2.parser import CHARSETS

ACCEPTED: Final = frozenset({"AA", "CA"})
_CONDITIONS: Final = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "198": "Cardinality error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "207": "Application error",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One ERR segment: *severity* E, W or I; *code* is ours (`PAM_INS_NOT_QUALIFIED`)."""

    severity: str
    condition: str = APPLICATION
    place: str = ""
    code: str = ""
    text: str = ""


_RESERVES: Final = {
    "PAM_QUAL_WITHOUT_INS": "Identité dite qualifiée, reçue sans INS.",
    "PAM_INS_NOT_QUALIFIED": "INS non conservée : l'identité reçue n'est pas qualifiée.",
    "PAM_INS_ON_SINGULAR_IDENTITY": "INS non conservée : identité douteuse ou fictive.",
    "PAM_INS_INVALID": "INS non conservée : matricule ou autorité non valide.",
    "PAM_RECORD_INACTIVE": "Dossier inactif chez l'émetteur.",
    "FEED_TRAITS_NORMALISED": "Traits ramenés aux caractères permis.",
    "FEED_DATE_INTERPRETED": "Date de naissance interprétée.",
    "FEED_SENDER_NOT_TRUSTED": "Émetteur sans contrat de confiance : modification non appliquée.",
    "FOREIGN_INS_TO_VERIFY": "INS à vérifier auprès d'INSi avant d'être conservée.",
    "FEED_OUTDATED": "Une information plus récente est déjà appliquée.",
    "FOREIGN_INS_ELSEWHERE": "INS déjà portée par un autre dossier.",
    "FEED_MERGE_TO_DECIDE": "Fusion à décider par une personne.",
    "FEED_PHONE_REFUSED": "Téléphone trop long ou illisible : non conservé, le reste l'est.",
    "FEED_ADDRESS_REFUSED": "Adresse trop longue ou illisible : non conservée, le reste l'est.",
    "HL7_NO_RETURN_LINK": "Aucune adresse de retour : la réponse applicative ne suivra pas.",
}


def warning(code: str) -> Notice:
    """Return the notice, in French, of something that was integrated with a reserve."""
    return Notice("W", code=code, text=_RESERVES[code])


def refusal(error: Refused) -> Notice:
    """Return the notice of a refused message."""
    return Notice("E", error.condition, error.place, error.code, error.detail)


def acknowledge(
    msh: Segment,
    code: str,
    *,
    control_id: str,
    at: datetime,
    notices: Iterable[Notice] = (),
    deferred: bool = False,
) -> bytes:
    """Return the answer to the message of *msh*: *code* AA, AE, AR, CA, CE or CR.

    Application and facility are swapped, version and charset are the sender's. A *deferred* one is
    a message of its own, which asks to be accepted (MSH-15 AL, MSH-16 NE; HL7 v2.5 §2.9.3.2).
    """
    charset = msh.text(18).upper()
    known = charset in CHARSETS
    head = {
        3: _again(msh, 5), 4: _again(msh, 6), 5: _again(msh, 3), 6: _again(msh, 4),
        7: timestamp(at), 9: components("ACK", msh.text(9, 2), "ACK"), 10: escape(control_id),
        11: _again(msh, 11), 12: _again(msh, 12) or "2.5", 17: "FRA",
        18: charset if known else "UNICODE UTF-8", 21: _again(msh, 21),
    }  # fmt: skip
    if deferred:
        head |= {15: "AL", 16: "NE"}
    lines = [segment("MSH", head), segment("MSA", {1: code, 2: escape(msh.text(10))})]
    lines += [_err(notice) for notice in notices]
    text = "".join(line + "\r" for line in lines)
    return text.encode(CHARSETS[charset] if known else "utf-8", "replace")


def timestamp(at: datetime) -> str:
    """Return an HL7 TS in French legal time with its offset: `20240514083000+0200`."""
    return at.astimezone(PARIS).strftime("%Y%m%d%H%M%S%z")


def _again(msh: Segment, number: int) -> str:
    return components(*(msh.text(number, component) for component in (1, 2, 3)))


def _err(notice: Notice) -> str:
    condition = components(notice.condition, _CONDITIONS.get(notice.condition, ""), "HL70357")
    fields = {2: notice.place, 3: condition, 4: notice.severity, 8: escape(notice.text)}
    return segment("ERR", fields | ({5: escape(notice.code)} if notice.code else {}))
