"""Reading study headers: real CT files of the pydicom wheel, and hostile ones."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from ris.interop.dicom.headers import MixedStudies, NotDicom, read_study

WHEEL = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
CT = WHEEL / "77654033" / "CT2"
TWO_SERIES = (WHEEL / "98892001" / "CT2N", WHEEL / "98892001" / "CT5N")


def ct_files() -> list[bytes]:
    return [path.read_bytes() for path in sorted(CT.iterdir())]


def changed(data: bytes, **values: object) -> bytes:
    dataset = pydicom.dcmread(BytesIO(data))
    for name, value in values.items():
        setattr(dataset, name, value)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def test_a_real_ct_study_gives_its_identifiers_device_and_one_instance_per_series() -> None:
    study = read_study(ct_files())
    assert study.modality == "CT"
    assert study.accession_number == "2"
    assert study.device == "GE MEDICAL SYSTEMS LightSpeed Plus"
    assert study.started_at.astimezone(UTC) == datetime(1995, 9, 3, 17, 30, 32, tzinfo=UTC)
    assert len(study.series) == 1
    assert study.series[0].sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"


def test_without_an_offset_in_the_images_the_site_zone_applies() -> None:
    study = read_study([changed(ct_files()[0], TimezoneOffsetFromUTC=None)])
    assert study.started_at.astimezone(UTC) == datetime(1995, 9, 3, 15, 30, 32, tzinfo=UTC)


def test_an_explicit_offset_in_the_images_wins_over_the_site_zone() -> None:
    study = read_study([changed(ct_files()[0], TimezoneOffsetFromUTC="-0400")])
    assert study.started_at.astimezone(UTC).hour == 21


def test_images_of_two_studies_are_refused() -> None:
    other = changed(ct_files()[0], StudyInstanceUID=generate_uid())
    with pytest.raises(MixedStudies):
        read_study([ct_files()[0], other])


def test_several_series_each_keep_one_instance() -> None:
    files = [path for folder in TWO_SERIES for path in sorted(folder.iterdir())]
    study = read_study([path.read_bytes() for path in files])
    assert len(files) > 2
    assert sorted(series.uid.rpartition(".0.")[2] for series in study.series) == ["2", "6"]
    assert {series.modality for series in study.series} == {"CT"}


@pytest.mark.parametrize(
    "data",
    [b"", b"not dicom", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 64],
    ids=["empty", "text", "preamble only", "garbage after the preamble"],
)
def test_what_is_not_dicom_is_refused_with_a_french_message(data: bytes) -> None:
    with pytest.raises(NotDicom) as refusal:
        read_study([data])
    assert refusal.value.status == 422
    assert refusal.value.detail


def test_a_uid_with_a_leading_zero_arc_is_refused() -> None:
    with pytest.warns(UserWarning, match="UI"):
        bad = changed(ct_files()[0], StudyInstanceUID="1.2.250.01.3")
    with pytest.raises(NotDicom, match="StudyInstanceUID"):
        read_study([bad])


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(NotDicom):
        read_study([])


def test_a_structured_report_is_not_shown_as_a_series() -> None:
    files = [*ct_files(), changed(ct_files()[0], Modality="SR", SeriesInstanceUID=generate_uid())]
    assert {series.modality for series in read_study(files).series} == {"CT"}
