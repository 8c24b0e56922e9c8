"""The operator's own reading of an IHE_XDM volume, on the standard library and lxml alone.

Written from IHE ITI TF-2 §3.32 and mss.md §10, apart from the product's reader: the two must
agree because the format says so, not because they share code.
"""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import Final

from ris.core.xml import Element, UnsafeXml, parse

_RIM: Final = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
_HL7: Final = "{urn:hl7-org:v3}"
_FOLDER: Final = "IHE_XDM/SUBSET01/"
_REQUIRED: Final = ("INDEX.HTM", "README.TXT", f"{_FOLDER}METADATA.XML")
_PATIENT_SCHEMES: Final = (
    "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
)
_INS_ROOTS: Final = tuple(f"1.2.250.1.213.1.4.{arc}" for arc in (8, 9, 10, 11))


class VolumeRefused(Exception):
    """The volume is malformed; the argument is the reason the operator gives."""


@dataclass(frozen=True, slots=True)
class Volume:
    """What the operator checks the mail against."""

    matricule: str | None
    family: str
    type_codes: tuple[str, ...]
    pdf_digests: frozenset[str]


def read(data: bytes) -> Volume:
    """Return the facts of the volume *data*; raises `VolumeRefused`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as volume:
            listed = volume.infolist()
            if any(".." in one.filename or one.filename.startswith("/") for one in listed):
                raise VolumeRefused("unsafe path")
            if any(one.file_size > 100 * max(1, one.compress_size) for one in listed):
                raise VolumeRefused("compression ratio")
            files = {one.filename: volume.read(one) for one in listed}
    except zipfile.BadZipFile as error:
        raise VolumeRefused("not a zip") from error
    for name in _REQUIRED:
        if name not in files:
            raise VolumeRefused(f"{name} missing")
    return _describe(files)


def _describe(files: dict[str, bytes]) -> Volume:
    try:
        root = parse(files[f"{_FOLDER}METADATA.XML"])
    except UnsafeXml as error:
        raise VolumeRefused("METADATA.XML unreadable") from error
    entries = list(root.iter(f"{_RIM}ExtrinsicObject"))
    if not entries or not str(root.tag).endswith("}SubmitObjectsRequest"):
        raise VolumeRefused("no document")
    patients = {
        identifier.get("value", "")
        for identifier in root.iter(f"{_RIM}ExternalIdentifier")
        if any(
            n.get("value", "").endswith(".patientId") for n in identifier.iter() if n is not None
        )
    }
    if len(patients) != 1:
        raise VolumeRefused("more than one patient")
    documents = [_document(entry, files) for entry in entries]
    value, _, authority = patients.pop().partition("^^^")
    is_ins = any(f"&{root_oid}&ISO^NH" in authority for root_oid in _INS_ROOTS)
    _check_recorded(documents, value if is_ins else None)
    return Volume(
        value if is_ins else None,
        _family(entries[0]),
        tuple(_type_code(entry) for entry in entries),
        frozenset(filter(None, (_pdf_digest(data) for data in documents))),
    )


def _document(entry: Element, files: dict[str, bytes]) -> bytes:
    slots = _slots(entry)
    uri = slots.get("URI", [""])[0]
    data = files.get(_FOLDER + uri)
    if data is None:
        raise VolumeRefused("document missing")
    if slots.get("size") != [str(len(data))]:
        raise VolumeRefused("size differs")
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    if slots.get("hash", [""])[0].lower() != digest:
        raise VolumeRefused("hash differs")
    return data


def _slots(entry: Element) -> dict[str, list[str]]:
    return {
        slot.get("name", ""): [value.text or "" for value in slot.iter(f"{_RIM}Value")]
        for slot in entry.findall(f"{_RIM}Slot")
    }


def _family(entry: Element) -> str:
    for line in _slots(entry).get("sourcePatientInfo", []):
        if line.startswith("PID-5|"):
            return line.removeprefix("PID-5|").partition("^")[0]
    raise VolumeRefused("sourcePatientInfo missing")


def _type_code(entry: Element) -> str:
    for one in entry.findall(f"{_RIM}Classification"):
        if one.get("classificationScheme") == "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983":
            return str(one.get("nodeRepresentation"))
    raise VolumeRefused("typeCode missing")


def _check_recorded(documents: list[bytes], matricule: str | None) -> None:
    """The CDA must name the same INS as the metadata, or none when they have none."""
    for data in documents:
        ids = {
            one.get("extension")
            for one in parse(data, document=True).iterfind(
                f"{_HL7}recordTarget/{_HL7}patientRole/{_HL7}id"
            )
            if one.get("root") in _INS_ROOTS
        }
        if ids != ({matricule} if matricule else set()):
            raise VolumeRefused("INS of the document differs from the metadata")


def _pdf_digest(document: bytes) -> str | None:
    path = f"{_HL7}component/{_HL7}nonXMLBody/{_HL7}text"
    body = parse(document, document=True).findtext(path)
    return hashlib.sha256(base64.b64decode(body)).hexdigest() if body else None
