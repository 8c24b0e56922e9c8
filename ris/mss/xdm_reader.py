"""Reading an IHE_XDM volume that came from outside: it is hostile until proved sound.

Pure. Used on our own archives before they leave, on incoming mail, and by `ris mss lint`
(mss.md §10.2 "Receiver duties"). Writing one is `xdm.py`.
"""

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from ris.core.xml import Element, UnsafeXml, parse
from ris.mss.errors import XdmRefused
from ris.rem import satisfies
from ris.reports.ebrim import RIM

_MAX_ENTRIES: Final = 200
_MAX_RATIO: Final = 100
_MAX_INFLATED: Final = 200_000_000
_SUBSET: Final = "IHE_XDM/SUBSET01/"
_PATIENT: Final = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
_SET_PATIENT: Final = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
_UNIQUE: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_TYPE: Final = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"


@dataclass(frozen=True, slots=True)
class XdmDocument:
    """One document of a volume: its bytes and what the metadata say of it."""

    uri: str
    data: bytes
    unique_id: str
    type_code: str


@dataclass(frozen=True, slots=True)
class XdmVolume:
    """A sound volume about one patient. *patient_id* is the CX of the metadata.

    *warnings* are codes of what was tolerated on input (`LAYOUT_CASE`).
    """

    patient_id: str
    documents: tuple[XdmDocument, ...]
    warnings: tuple[str, ...] = ()


@satisfies("ECO.2.1.2")
def read_xdm(data: bytes) -> XdmVolume:
    """Return the volume in zip *data*.

    Raises `XdmRefused` with `NOT_A_ZIP`, `TOO_MANY_ENTRIES`, `RATIO`, `TOO_LARGE`, `UNSAFE_PATH`,
    `VOLUME_FILES_MISSING`, `METADATA_MISSING`, `DTD_FORBIDDEN`, `METADATA_INVALID`,
    `URI_NOT_FOUND`, `SIZE_MISMATCH`, `HASH_MISMATCH` or `SEVERAL_PATIENTS`.
    """
    files, warnings = _open(data)
    if not {"INDEX.HTM", "README.TXT"} <= files.keys():
        raise _refused("VOLUME_FILES_MISSING")
    metadata = files.get(f"{_SUBSET}METADATA.XML")
    if metadata is None:
        raise _refused("METADATA_MISSING")
    root = _parse(metadata)
    documents = tuple(_document(entry, files) for entry in root.iter(f"{{{RIM}}}ExtrinsicObject"))
    return XdmVolume(_patient(root), documents, warnings)


def _open(data: bytes) -> tuple[dict[str, bytes], tuple[str, ...]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir()]
            _check_entries(entries)
            files = {one.filename.upper(): archive.read(one) for one in entries}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise _refused("NOT_A_ZIP") from error
    exact = all(one.filename == one.filename.upper() for one in entries)
    return files, () if exact else ("LAYOUT_CASE",)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > _MAX_ENTRIES:
        raise _refused("TOO_MANY_ENTRIES")
    for one in entries:
        name = one.filename
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
            raise _refused("UNSAFE_PATH")
        if one.file_size > _MAX_RATIO * max(one.compress_size, 1):
            raise _refused("RATIO")
    if sum(one.file_size for one in entries) > _MAX_INFLATED:
        raise _refused("TOO_LARGE")


def _parse(metadata: bytes) -> Element:
    if b"<!DOCTYPE" in metadata or b"<!ENTITY" in metadata:
        raise _refused("DTD_FORBIDDEN")
    try:
        return parse(metadata)
    except UnsafeXml as error:
        raise _refused("METADATA_INVALID") from error


def _document(entry: Element, files: dict[str, bytes]) -> XdmDocument:
    uri = _slot(entry, "URI")
    data = files.get(f"{_SUBSET}{uri.upper()}")
    if not uri or data is None:
        raise _refused("URI_NOT_FOUND")
    if _slot(entry, "size") != str(len(data)):
        raise _refused("SIZE_MISMATCH")
    if _slot(entry, "hash").lower() != hashlib.sha1(data, usedforsecurity=False).hexdigest():
        raise _refused("HASH_MISMATCH")
    kind = [
        one.get("nodeRepresentation", "")
        for one in entry.iterfind(f"{{{RIM}}}Classification")
        if one.get("classificationScheme") == _TYPE
    ]
    return XdmDocument(uri, data, _external(entry, _UNIQUE), kind[0] if kind else "")


def _patient(root: Element) -> str:
    found = {
        one.get("value", "")
        for one in root.iter(f"{{{RIM}}}ExternalIdentifier")
        if one.get("identificationScheme") in (_PATIENT, _SET_PATIENT)
    }
    if len(found) > 1:
        raise _refused("SEVERAL_PATIENTS")
    if not found or not next(iter(found)):
        raise _refused("METADATA_INVALID")
    return found.pop()


def _external(entry: Element, scheme: str) -> str:
    for one in entry.iterfind(f"{{{RIM}}}ExternalIdentifier"):
        if one.get("identificationScheme") == scheme:
            return one.get("value", "")
    return ""


def _slot(entry: Element, name: str) -> str:
    for slot in entry.iterfind(f"{{{RIM}}}Slot"):
        if slot.get("name") == name:
            return (slot.findtext(f".//{{{RIM}}}Value") or "").strip()
    return ""


def _refused(code: str) -> XdmRefused:
    return XdmRefused("L'archive IHE_XDM n'est pas conforme.", code=code)
