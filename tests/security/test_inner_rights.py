"""The rights that a route asks for inside, beside that of its door: role by role, both ways.

The stated matrix (`tests/architecture/matrix.py`) decides; each line is a door that several roles
open, and what only some of them get there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ris.auth.rights import Role
from tests.architecture import matrix
from tests.security import job
from tests.security.job import as_read, got
from tests.security.lived import Lived, identifiers

FULL = "279035121518989"


@dataclass(frozen=True)
class Inner:
    """*right* is asked inside a door that asks for *door*; *given* says whether it was."""

    door: str
    right: str
    given: Callable[[httpx.Client, dict[str, Any]], bool]


def shows_ins(client: httpx.Client, known: dict[str, Any]) -> bool:
    return got(client.get(known["path"]), 200)["ins"] is not None


def shows_ins_by_fhir(client: httpx.Client, known: dict[str, Any]) -> bool:
    return FULL in str(got(client.get(f"/fhir/Patient/{known['id']}"), 200))


def finds_by_ins(client: httpx.Client, known: dict[str, Any]) -> bool:
    wanted = {"identifier": f"urn:oid:1.2.250.1.213.1.4.10|{FULL}"}
    answer = client.post("/fhir/Patient/_search", data=wanted)
    return answer.status_code == 200 and answer.json()["total"] == 1


def opens_document(client: httpx.Client, known: dict[str, Any]) -> bool:
    answer = client.get(f"/v1/reports/{known['report']}/versions/1/pdf")
    return allowed(answer, "role_denied")


def edits_locked(client: httpx.Client, known: dict[str, Any]) -> bool:
    """Without a reason, so that whoever may is stopped by that and nothing changes."""
    now = as_read(got(client.get(known["path"]), 200))
    answer = client.patch(known["path"], json={"birth_family": "AUTRE"}, headers=now)
    return allowed(answer, "IDENTITY_TRAITS_LOCKED")


def validates(client: httpx.Client, known: dict[str, Any]) -> bool:
    record = job.patient(client, birth_family="AVALIDER")
    shown = {"type": "PA", "validate_identity": True}
    path = f"/v1/patients/{record['id']}/documents"
    answer = client.post(path, json=shown, headers=as_read(record))
    return answer.status_code == 201 and bool(answer.json()["validated"])


def names_patient(client: httpx.Client, known: dict[str, Any]) -> bool:
    found = client.get("/v1/interop/hl7v2/messages", params={"state": "applied"})
    return any(one["patient_id"] for one in got(found, 200)["items"])


def allowed(answer: httpx.Response, refusal: str) -> bool:
    """Say whether the right was there; any other refusal than its own would be a surprise."""
    if answer.status_code == 403:
        assert answer.json()["code"] == refusal, answer.text
        return False
    assert answer.status_code in (200, 422), answer.text
    return True


INNER = (
    Inner("patient.read", "ins.read", shows_ins),
    Inner("patient.read", "ins.read", shows_ins_by_fhir),
    Inner("patient.read", "ins.read", finds_by_ins),
    Inner("report.read", "ins.read", opens_document),
    Inner("patient.write", "identity.superuser", edits_locked),
    Inner("patient.write", "identity.validate", validates),
    Inner("hl7.control", "patient.read", names_patient),
)


@pytest.mark.parametrize("inner", INNER, ids=lambda inner: inner.given.__name__)
def test_what_a_door_gives_to_some_only_is_given_exactly_to_them(
    lived: Lived, inner: Inner
) -> None:
    rows = identifiers(lived.product.runtime.database)
    known = {
        "id": rows["patient_id"][0],
        "path": f"/v1/patients/{rows['patient_id'][0]}",
        "report": rows["report_id"][0],
    }
    told = {}
    for role in Role:
        rights = matrix.rights_of(role, habilitated=role is Role.SECRETARY)
        if inner.door in rights:
            told[role] = inner.given(lived.client(role), known), inner.right in rights
    assert {role: (given, due) for role, (given, due) in told.items() if given is not due} == {}
    assert {due for _, due in told.values()} == {True, False}, "no role tells the two apart"
