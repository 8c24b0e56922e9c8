"""Our identities as IHE PAM France messages: A28, A31, A40, A47 (ins.md §8, R-PAM-01, R-PAM-05).

Pure: one `Outbound` to the bytes of one message. The INS passes by `rules.ins_to_output` alone; an
A47 names the authority whose INS is withdrawn, never the number (RIS.INS.37 wins over MRG-1).
"""

from datetime import datetime
from typing import Final

from ris.auth.values import Address
from ris.core.text import ascii_fold
from ris.identity.propagation.model import Kind
from ris.identity.propagation.queue import Outbound
from ris.identity.rules import ins_to_output
from ris.identity.values import NIA, Attribute, PatientIdentity, Sex, Status
from ris.interop.hl7v2.acks import timestamp
from ris.interop.hl7v2.message import EMPTY, components, escape, segment
from ris.interop.hl7v2.parser import CHARSETS
from ris.interop.hl7v2.settings import Hl7Settings, PartnerSettings
from ris.rem import satisfies

STRUCTURES: Final = {
    Kind.CREATE: "ADT_A05", Kind.UPDATE: "ADT_A05", Kind.MERGE: "ADT_A39", Kind.WITHDRAW: "ADT_A30",
}  # fmt: skip
_CLASSIC: Final = {
    Status.QUALIFIEE: "VALI", Status.VALIDEE: "VALI",
    Status.RECUPEREE: "PROV", Status.PROVISOIRE: "PROV",
}  # fmt: skip
_NEW: Final = {**_CLASSIC, Status.QUALIFIEE: "QUAL", Status.RECUPEREE: "RECUP"}
_ATTRIBUTES: Final = {
    Attribute.DOUTEUSE: "DOUT", Attribute.FICTIVE: "FICT", Attribute.HOMONYME: "HOMA",
}  # fmt: skip
_FROM_INSI: Final = (Status.RECUPEREE, Status.QUALIFIEE)


@satisfies("RIS.INS.34", "RIS.INS.36", "RIS.INS.37")
def render(
    outbound: Outbound, partner: PartnerSettings, settings: Hl7Settings, *, at: datetime
) -> bytes:
    """Return the message that tells *partner* what *outbound* says, in its charset.

    The control id is that of *outbound*: a repetition carries the same one.
    """
    lines = [
        _msh(outbound, partner, settings, at),
        segment("EVN", {2: timestamp(at), 6: timestamp(outbound.occurred_at)}),
        _pid(outbound, partner, at),
    ]
    if outbound.kind in (Kind.CREATE, Kind.UPDATE):
        lines += [segment("PV1", {1: "1", 2: "N"}), _zfd(outbound.identity)]
    else:
        lines.append(segment("MRG", {1: _retired(outbound)}))
    message = "".join(line + "\r" for line in lines)
    charset = CHARSETS[partner.charset]
    try:
        return message.encode(charset)
    except UnicodeEncodeError:  # ISO-8859-15 lacks a letter: plain letters rather than "?"
        return ascii_fold(message).encode(charset)


def _msh(outbound: Outbound, partner: PartnerSettings, settings: Hl7Settings, at: datetime) -> str:
    kind = outbound.kind
    fields = {
        3: settings.application, 4: settings.facility, 5: partner.application, 6: partner.facility,
        10: str(outbound.message_id), 11: settings.processing_id, 17: "FRA", 18: partner.charset,
        19: "FR",
    }  # fmt: skip
    raw = {
        7: timestamp(at), 9: components("ADT", kind.value, STRUCTURES[kind]),
        12: "2.5^FRA^2.11", 21: "2.11^IHE_FRANCE-2.11-PAM",
    }  # fmt: skip
    return segment("MSH", {number: escape(value) for number, value in fields.items()} | raw)


def _pid(outbound: Outbound, partner: PartnerSettings, at: datetime) -> str:
    identity = outbound.identity
    traits = identity.traits
    home, birth = _home(identity.address), f"^^^^^^BDL^^{escape(traits.birth_place)}"
    return segment("PID", {
        1: "1", 3: "~".join(_identifiers(outbound)), 5: "~".join(_names(identity)),
        7: f"{traits.birth_date:%Y%m%d}", 8: "U" if traits.sex is Sex.UNKNOWN else traits.sex.value,
        11: f"{home}~{birth}" if home else birth, 13: escape(identity.phone),
        32: "~".join(_reliability(identity, new=partner.use_recup_qual)), 33: timestamp(at),
    })  # fmt: skip


def _identifiers(outbound: Outbound) -> list[str]:
    identity = outbound.identity
    listed = [_ipp(identity.ipp, identity.ipp_oid)]
    ins = ins_to_output(identity)
    if ins is not None:
        listed.append(_ins(escape(ins.matricule), ins.oid))
    elif outbound.kind is Kind.WITHDRAW:
        listed.append(_ins(EMPTY, outbound.withdrawn_oid))
    return listed


def _ipp(ipp: str, oid: str) -> str:
    return f"{escape(ipp)}^^^&{escape(oid)}&ISO^PI"


def _ins(value: str, oid: str) -> str:
    return f"{value}^^^ASIP-SANTE-INS-{'NIA' if oid == NIA else 'NIR'}&{oid}&ISO^INS"


def _names(identity: PatientIdentity) -> list[str]:
    traits = identity.traits
    given = " ".join(traits.birth_given_names)
    names = [components(traits.birth_family, traits.first_birth_given, given, "", "", "", "L")]
    if traits.used_family or traits.used_given:
        used = (traits.used_family or traits.birth_family, traits.used_given)
        names.append(components(*used, "", "", "", "", "D"))
    return names


def _home(address: Address) -> str:
    if not (address.lines or address.city or address.postal_code):
        return ""
    lines = (*address.lines, "", "")[:2]
    return components(*lines, address.city, "", address.postal_code, address.country, "H")


def _reliability(identity: PatientIdentity, *, new: bool) -> list[str]:
    """Return PID-32: classical senders say PROV or VALI, the newer table adds RECUP and QUAL."""
    codes = [(_NEW if new else _CLASSIC)[identity.status]]
    return codes + [_ATTRIBUTES[attribute] for attribute in sorted(identity.attributes)]


def _zfd(identity: PatientIdentity) -> str:
    return segment("ZFD", {4: "N", 5: "INSI" if identity.status in _FROM_INSI else "SM"})


def _retired(outbound: Outbound) -> str:
    """Return MRG-1: the absorbed IPP of a merge; our IPP where an INS is withdrawn."""
    identity = outbound.identity
    absorbed = outbound.absorbed_ipp if outbound.kind is Kind.MERGE else identity.ipp
    return _ipp(absorbed, identity.ipp_oid)
