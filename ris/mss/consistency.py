"""The last gate before a mail leaves: everything in it must speak of one patient (mss.md §10.3).

Pure: reads the frozen bytes back, as a receiver would, and names what disagrees.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from ris.core.text import ascii_fold
from ris.core.xml import Element, UnsafeXml, parse, text_of
from ris.identity.values import INS_OIDS
from ris.mss.address import PATIENT_DOMAIN
from ris.mss.errors import XdmRefused
from ris.mss.naming import ARCHIVE, PREFIX
from ris.mss.xdm_reader import XdmVolume, read_xdm
from ris.rem import satisfies

_NS: Final = {"h": "urn:hl7-org:v3"}
_ROLE: Final = "h:recordTarget/h:patientRole"
_NAME: Final = f"{_ROLE}/h:patient/h:name"


@dataclass(frozen=True, slots=True)
class CdaFacts:
    """What one CDA says of its patient and of its PDF."""

    code: str
    ins: tuple[tuple[str, str], ...]
    family: str
    given: str
    birth: str
    sex: str
    pdf_sha256: str | None

    @property
    def qualified(self) -> bool:
        """Say whether matricule, OID and the four traits are all there (ECO.2.4.2)."""
        return bool(self.ins and self.family and self.given and self.birth and self.sex)


@satisfies("RIS.INS.37", "RIS.MSS.19", "SC.MSS/CONF.23")
def problems(raw: bytes) -> list[str]:
    """Return the codes of what is wrong in the mail *raw*; empty when it may leave."""
    mail = message_from_bytes(raw, policy=policy.default)
    found = [] if mail["X-MSS-NIL"] else ["X_MSS_NIL_MISSING"]
    archives = _attached(mail, "zip")
    if not archives:
        stray = mail["X-MSS-INS"] or mail["X-MSS-CODECDA"]
        return [*found, "X_MSS_WITHOUT_DOCUMENT"] if stray else found
    if len(archives) > 1 or archives[0][0].upper() != ARCHIVE.upper():
        return [*found, "ARCHIVE_NAME"]
    try:
        volume = read_xdm(archives[0][1])
        facts = [_cda(parse(one.data, document=True)) for one in volume.documents]
    except (XdmRefused, UnsafeXml) as error:
        return [*found, error.code]
    return found + _archive_problems(mail, volume, facts)


def _archive_problems(mail: EmailMessage, volume: XdmVolume, facts: list[CdaFacts]) -> list[str]:
    if not facts:
        return ["NO_DOCUMENT"]
    qualified = all(one.qualified for one in facts)
    codes = [one.code for one in facts]
    identifier, _, kind = volume.patient_id.partition("^^^")
    checks = {
        "SUBJECT_FORMAT": _subject_names(str(mail["Subject"] or ""), facts[0]),
        "X_MSS_INS_WRONG": mail["X-MSS-INS"] == ("O" if qualified else "N"),
        "X_MSS_CODECDA_WRONG": mail["X-MSS-CODECDA"] == ",".join(codes),
        "TYPE_CODE_DIFFERS": codes == [one.type_code for one in volume.documents],
        "PATIENT_ID_DIFFERS": _same_patient(identifier, kind, facts),
        "PATIENT_ADDRESS_DIFFERS": _address_agrees(mail, facts),
        "PDF_DIFFERS": _pdfs_agree(mail, facts),
    }
    return [code for code, sound in checks.items() if not sound]


def _subject_names(subject: str, facts: CdaFacts) -> bool:
    names = f"{ascii_fold(facts.family).upper()} {ascii_fold(facts.given)}"
    return subject.startswith(PREFIX) and subject.isascii() and names in subject


def _same_patient(identifier: str, kind: str, facts: list[CdaFacts]) -> bool:
    if len({(one.ins, one.family, one.given, one.birth) for one in facts}) != 1:
        return False
    authority = re.search(r"&([0-9.]+)&", kind)
    claimed = (identifier, authority.group(1) if authority else "")
    return claimed in facts[0].ins if facts[0].ins else claimed[1] not in INS_OIDS


def _address_agrees(mail: EmailMessage, facts: list[CdaFacts]) -> bool:
    to_patient = [
        one.username
        for one in (mail["To"].addresses if mail["To"] else ())
        if one.domain.lower() == PATIENT_DOMAIN
    ]
    known = {matricule for one in facts for matricule, _ in one.ins}
    return all(local in known for local in to_patient)


def _pdfs_agree(mail: EmailMessage, facts: list[CdaFacts]) -> bool:
    inside = [one.pdf_sha256 for one in facts if one.pdf_sha256]
    beside = [hashlib.sha256(data).hexdigest() for _, data in _attached(mail, "pdf")]
    return bool(beside) and set(inside) <= set(beside)


def _attached(mail: EmailMessage, subtype: str) -> list[tuple[str, bytes]]:
    return [
        (part.get_filename() or "", _payload(part))
        for part in mail.iter_attachments()
        if part.get_content_type() == f"application/{subtype}"
    ]


def _payload(part: object) -> bytes:
    content = part.get_payload(decode=True) if isinstance(part, EmailMessage) else None
    return content if isinstance(content, bytes) else b""


def _cda(root: Element) -> CdaFacts:
    ids = root.iterfind(f"{_ROLE}/h:id", _NS)
    body = text_of(root, "h:component/h:nonXMLBody/h:text", _NS)
    return CdaFacts(
        code=text_of(root, "h:code/@code", _NS),
        ins=tuple(
            (one.get("extension", ""), one.get("root", ""))
            for one in ids
            if one.get("root") in INS_OIDS
        ),
        family=text_of(root, f"{_NAME}/h:family[@qualifier='BR']", _NS),
        given=text_of(root, f"{_NAME}/h:given[@qualifier='BR']", _NS),
        birth=text_of(root, f"{_ROLE}/h:patient/h:birthTime/@value", _NS),
        sex=text_of(root, f"{_ROLE}/h:patient/h:administrativeGenderCode/@code", _NS),
        pdf_sha256=hashlib.sha256(base64.b64decode(body)).hexdigest() if body else None,
    )
