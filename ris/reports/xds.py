"""XDS metadata as plain values: DocumentEntry, SubmissionSet, Author, and the HL7 v2 field forms.

Pure text and values (IHE ITI TF-3 §4.2.3, dmp.md §6.2-6.3, mss.md §10.2). No XML here: the header
is read by `ris.reports.xds_source`, the ebRIM form is written by `ris.reports.ebrim`.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from ris.auth.values import Professional, Structure
from ris.core.clock import PARIS
from ris.core.errors import Invalid
from ris.orders.values import Code

PS_OID: Final = "1.2.250.1.71.4.2.1"
STRUCTURE_OID: Final = "1.2.250.1.71.4.2.2"
SPECIALTY_OID: Final = "1.2.250.1.213.1.1.4.5"

NORMAL: Final = Code("N", "2.16.840.1.113883.5.25", "Normal")
OUTPATIENT: Final = Code("07", "1.2.250.1.213.2.2", "Consultation")

_DELIMITERS: Final = re.compile(r"[\^&~|\\\x00-\x1f]")
_TS: Final = re.compile(r"(\d{4,14})(?:\.\d+)?([+-]\d{4})?")


class MetadataError(Invalid):
    """The document cannot be described: a header element is missing or not understood."""

    code = "XDS_METADATA"
    title = "Métadonnées du document incomplètes"


class IdType(StrEnum):
    """CX.5 of a patient identifier."""

    INS = "NH"
    LOCAL = "PI"


@dataclass(frozen=True, slots=True)
class Author:
    """One author: *person* XCN, *institution* XON, *specialty* `code^label^system`, *role* text."""

    person: str
    institution: str = ""
    specialty: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """What a registry or an XDM reader knows of one document.

    Times are UTC digits (`20260305093000`), *patient_id* and *source_patient_id* CX, *hash* SHA-1
    hexadecimal of the very bytes sent, *size* in bytes, *uri* a file name (XDM only).
    """

    unique_id: str
    title: str
    patient_id: str
    source_patient_id: str
    creation_time: str
    legal_authenticator: str
    service_start: str
    authors: tuple[Author, ...]
    class_code: Code
    type_code: Code
    format_code: Code
    facility: Code
    practice_setting: Code
    hash: str
    size: int
    confidentiality: tuple[Code, ...] = (NORMAL,)
    service_stop: str = ""
    source_patient_info: tuple[str, ...] = ()
    events: tuple[Code, ...] = ()
    reference_ids: tuple[str, ...] = ()
    language: str = "fr-FR"
    mime_type: str = "text/xml"
    comments: str = ""
    uri: str = ""
    entry_id: str = "Document01"


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """One sending: who (*author*), from where (*source_id*, bare OID), when (UTC digits)."""

    unique_id: str
    source_id: str
    patient_id: str
    submission_time: str
    author: Author
    title: str = ""
    comments: str = ""
    content_type: Code = OUTPATIENT
    entry_id: str = "SubmissionSet01"


@dataclass(frozen=True, slots=True)
class Association:
    """A link between two objects: *kind* is the association type URN, *slots* name → values."""

    kind: str
    source: str
    target: str
    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """A set, its documents and the links beside membership (which the serialiser adds)."""

    submission_set: SubmissionSet
    documents: tuple[DocumentEntry, ...] = ()
    associations: tuple[Association, ...] = field(default=())


def hl7_text(value: str) -> str:
    """Return *value* with HL7 delimiters and control characters as hyphens (dmp.md §6.3)."""
    return _DELIMITERS.sub("-", value).strip()


def cx(value: str, authority: str, kind: IdType) -> str:
    """Return a patient identifier as CX: `value^^^&authority&ISO^NH`."""
    return f"{hl7_text(value)}^^^&{authority}&ISO^{kind}"


def cxi(value: str, authority: str, kind: str) -> str:
    """Return a reference identifier as CXi; *kind* is a `urn:ihe:iti:xds:…` URN."""
    return f"{hl7_text(value)}^^^&{authority}&ISO^{kind}"


def xcn(identifier: str, family: str, given: str) -> str:
    """Return a professional as XCN; an internal identifier (with `/`) is typed `EI`."""
    kind = "EI" if "/" in identifier else "IDNPS"
    names = f"{hl7_text(identifier)}^{hl7_text(family)}^{hl7_text(given)}"
    return f"{names}^^^^^^&{PS_OID}&ISO^D^^^{kind}"


def xon(name: str, identifier: str) -> str:
    """Return a structure as XON, its Struct_IdNat in XON.10."""
    return f"{hl7_text(name)}^^^^^&{STRUCTURE_OID}&ISO^IDNST^^^{hl7_text(identifier)}"


def professional_xcn(person: Professional) -> str:
    """Return *person* as XCN."""
    return xcn(person.ps_idnat, person.family, person.given)


def structure_xon(structure: Structure) -> str:
    """Return *structure* as XON."""
    return xon(structure.name, structure.struct_idnat)


def dtm(at: datetime) -> str:
    """Return an aware instant as UTC digits."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def utc(timestamp: str, *, pad: bool = False) -> str:
    """Return an HL7 TS as XDS DTM: UTC digits, no offset (ITI TF-3 §4.2.3.1).

    A value without time of day keeps its day precision unless *pad*, which adds zeros; a time
    without offset is French legal time. Raises `MetadataError` when it is not a TS.
    """
    match = _TS.fullmatch(timestamp.strip())
    if match is None:
        raise MetadataError("Date du document illisible.")
    digits, offset = match.groups()
    if len(digits) <= 8:
        return digits.ljust(14, "0") if pad and len(digits) == 8 else digits
    try:
        local = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007
        zoned = datetime.strptime(f"{local:%Y%m%d%H%M%S}{offset}", "%Y%m%d%H%M%S%z") if offset \
            else local.replace(tzinfo=PARIS)  # fmt: skip
    except ValueError as error:
        raise MetadataError("Date du document illisible.") from error
    return dtm(zoned)
