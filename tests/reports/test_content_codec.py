"""A frozen content comes back from JSON as it went in."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ris.reports.content import Sections, VersionKind, Visibility
from ris.reports.content_codec import from_json, to_json
from tests.reports.sample import CORRESPONDENT, PATIENT, content, exam

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(
    results=TEXTS,
    family=TEXTS,
    signed_at=INSTANTS,
    kind=st.sampled_from(VersionKind),
    visibility=st.frozensets(st.sampled_from(Visibility)),
    recipients=st.lists(st.just(CORRESPONDENT), max_size=3),
    modalities=st.lists(st.sampled_from(["CT", "MR", "US", "CR"]), max_size=3),
)
def test_content_survives_json(
    *,
    results: str,
    family: str,
    signed_at: datetime,
    kind: VersionKind,
    visibility: frozenset[Visibility],
    recipients: list[object],
    modalities: list[str],
) -> None:
    original = content(
        patient=replace(PATIENT, traits=replace(PATIENT.traits, birth_family=family)),
        sections=Sections(results=results),
        signed_at=signed_at,
        kind=kind,
        visibility=visibility,
        recipients=tuple(recipients),
        exams=tuple(exam(modality, number) for number, modality in enumerate(modalities)),
    )
    assert from_json(json.loads(json.dumps(to_json(original)))) == original
