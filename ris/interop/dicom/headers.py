"""Reading study headers from DICOM files: bytes in, `Study` value out. No network, no database.

Headers only; pixel data are skipped. Untrusted input: size capped, referenced files never
followed, malformed files refused (workflow.md §8.3, cda.md §6).
"""

import warnings
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ris.core.clock import PARIS
from ris.core.errors import Invalid, RisError
from ris.core.ids import is_oid
from ris.orders.values import Series, Study

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_FILE: Final = 600_000_000
_TAGS: Final = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "AccessionNumber",
    "PatientID", "StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "AcquisitionDate",
    "AcquisitionTime", "TimezoneOffsetFromUTC", "Modality", "SeriesNumber", "SeriesDescription",
    "ImageType", "Manufacturer", "ManufacturerModelName", "StationName", "SpecificCharacterSet",
]  # fmt: skip
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"  # Deflated Explicit VR Little Endian
_OLDEST: Final = 1900
NOT_AN_ACQUISITION: Final = frozenset({"SR", "PR", "KO", "DOC", "SEG", "OT", "REG"})


class NotDicom(Invalid):
    """A file is not DICOM, is too large, or lacks an identifier that every image carries."""

    code = "NOT_DICOM"
    title = "Fichier DICOM illisible"


class MixedStudies(Invalid):
    """The files belong to several studies."""

    code = "MIXED_STUDIES"
    title = "Images de plusieurs études"


def read_study(files: Sequence[bytes], *, zone: ZoneInfo = PARIS) -> Study:
    """Return what the headers of one study say.

    *zone* applies where the images carry no TimezoneOffsetFromUTC (0008,0201). Series that are
    not acquisitions (SR, PR, KO…) are left out; each other series keeps one representative
    instance. Raises `NotDicom` or `MixedStudies`.
    """
    with warnings.catch_warnings(action="ignore"):  # hostile files warn; we judge the result
        try:
            return _study([_read(data) for data in files], zone)
        except RisError:
            raise
        except Exception as error:  # on hostile bytes pydicom raises anything
            raise NotDicom("Le fichier n'est pas un fichier DICOM lisible.") from error


def _study(headers: "Sequence[Dataset]", zone: ZoneInfo) -> Study:
    if not headers:
        raise NotDicom("Aucun fichier reçu.")
    if len({str(header.StudyInstanceUID) for header in headers}) > 1:
        raise MixedStudies("Les fichiers doivent appartenir à une seule étude.")
    images = [header for header in headers if header.Modality not in NOT_AN_ACQUISITION]
    first = (images or headers)[0]
    started = _instant(first, "Study", zone)
    if started is None:
        raise NotDicom("Date d'étude absente des images.")
    ends = [end for header in images if (end := _instant(header, "Acquisition", zone))]
    return Study(
        study_uid=str(first.StudyInstanceUID),
        accession_number=str(first.get("AccessionNumber", "")),
        patient_id=str(first.get("PatientID", "")),
        modality=str(first.Modality),
        started_at=started,
        ended_at=max((end for end in ends if end >= started), default=None),
        device=_device(first),
        series=_series(images, zone),
    )


def _read(data: bytes) -> "Dataset":
    from pydicom import dcmread  # noqa: PLC0415 - slow to load, and few processes read images

    if len(data) > MAX_FILE:
        raise NotDicom("Fichier trop volumineux.")
    if _DEFLATED in data:  # pydicom would unpack it whole, however large it becomes
        raise NotDicom("Les fichiers DICOM compressés (« deflated ») ne sont pas acceptés.")
    header = dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=list(_TAGS))
    header.decode()
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        if not is_oid(str(header.get(name, ""))):
            raise NotDicom(f"{name} absent ou mal formé.")
    if not header.get("Modality"):
        raise NotDicom("Modality absent.")
    return header


def _series(images: "Sequence[Dataset]", zone: ZoneInfo) -> tuple[Series, ...]:
    shown: dict[str, Series] = {}
    for header in sorted(images, key=_localizers_last):
        uid = str(header.SeriesInstanceUID)
        if uid not in shown:
            shown[uid] = Series(
                uid=uid,
                modality=str(header.Modality),
                sop_class_uid=str(header.SOPClassUID),
                sop_instance_uid=str(header.SOPInstanceUID),
                description=str(header.get("SeriesDescription", "")),
                started_at=_instant(header, "Series", zone),
            )
    return tuple(shown.values())


def _localizers_last(header: "Dataset") -> tuple[bool, int]:
    localizer = "LOCALIZER" in (header.get("ImageType") or [])
    return localizer, int(header.get("SeriesNumber") or 0)


def _device(header: "Dataset") -> str:
    names = ("Manufacturer", "ManufacturerModelName", "StationName")
    return " ".join(str(header.get(name)) for name in names if header.get(name))


def _instant(header: "Dataset", kind: str, zone: ZoneInfo) -> datetime | None:
    day = str(header.get(f"{kind}Date") or "")
    hour = str(header.get(f"{kind}Time") or "").partition(".")[0].ljust(6, "0")
    try:
        local = datetime.strptime(day + hour, "%Y%m%d%H%M%S")  # noqa: DTZ007 - zone set below
    except ValueError:
        return None
    if local.year < _OLDEST:
        return None
    offset = str(header.get("TimezoneOffsetFromUTC") or "")
    if offset:
        return datetime.strptime(local.isoformat() + offset, "%Y-%m-%dT%H:%M:%S%z")
    return local.replace(tzinfo=zone)
