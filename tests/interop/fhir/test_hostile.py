"""Whatever a Patient holds, it is read or refused: never a defect, never a half-written record."""

import json
from copy import deepcopy
from typing import Any

from fastapi.exceptions import RequestValidationError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ris.core.errors import RisError
from ris.identity.schemas import PatientEdit
from ris.interop.fhir.exchange import patient_of
from ris.interop.fhir.reading_patient import blank, read
from tests.interop.fhir.sample import BIRTH_LIST, BORN, RELIABILITY, STATUS, TEST_OID, Json

FULL: Json = {
    "resourceType": "Patient",
    "id": "a",
    "meta": {"versionId": "1"},
    "extension": [
        BORN,
        {
            "url": RELIABILITY,
            "extension": [
                {"url": "identityStatus", "valueCoding": {"system": STATUS, "code": "PROV"}},
                {"url": "comment", "valueCodeableConcept": {"coding": [{"code": "VIDE"}]}},
            ],
        },
    ],
    "identifier": [
        {"type": {"coding": [{"code": "NH"}]}, "system": TEST_OID, "value": "1"},
        {"type": {"coding": [{"code": "INS-C"}]}, "system": "urn:oid:1", "value": "2"},
    ],
    "active": True,
    "name": [
        {
            "extension": [{"url": BIRTH_LIST, "valueString": "A B"}],
            "use": "official", "family": "X", "given": ["A"],
        },
        {"use": "usual", "family": "Y", "given": ["B"]},
    ],
    "telecom": [{"system": "phone", "value": "0600000000", "use": "home"}],
    "gender": "female",
    "birthDate": "1979-03-28",
    "address": [{"use": "home", "line": ["1 RUE"], "city": "REIMS", "postalCode": "51000"}],
    "link": [{"other": {"reference": "Patient/b"}, "type": "replaces"}],
}  # fmt: skip

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["PI", "NH", "INS-NIR", "QUAL", "official", "2.25", "urn:oid:", TEST_OID]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from(["url", "code", "system", "value", "coding", "use", "extension", "x"]),
        inner, max_size=2,
    ),
    max_leaves=4,
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON value but its root."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        inside = list(node.items())
    elif isinstance(node, list):
        inside = list(enumerate(node))
    return [
        found for key, value in inside for found in [(*path, key), *places(value, (*path, key))]
    ]


PLACES = places(FULL)


def changed(at: tuple[Any, ...], value: Any) -> Json:
    made = deepcopy(FULL)
    node: Any = made
    for key in at[:-1]:
        node = node[key]
    if value is ...:
        del node[at[-1]]
    else:
        node[at[-1]] = value
    return made


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), ODD | st.just(...))
@example(("name", 0, "given"), [None])
@example(("name", 0, "use"), ["official"])
@example(("birthDate",), 19790328)
@example(("extension", 0, "valueAddress"), {"extension": [{"url": "x"}]})
def test_any_change_to_a_patient_is_read_or_refused(at: tuple[Any, ...], value: Any) -> None:
    body = json.dumps(changed(at, value)).encode()
    try:
        told = patient_of(body)
        asked = read(told, blank(), production=False)
    except (RisError, RequestValidationError):
        return
    assert isinstance(asked, PatientEdit)
    assert all(isinstance(text, str) for text in asked.changed().values())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        patient_of(body)
    except (RisError, RequestValidationError):
        return
    raise AssertionError("no random bytes make a Patient")
