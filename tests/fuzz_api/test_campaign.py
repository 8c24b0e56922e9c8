"""Generated requests as each role (issue 4): no defect, all as described, no data of another's.

The slice is the same at every run; `make fuzz` plays many more, others at each run
(`RIS_FUZZ_API`: how many requests of each kind for each operation).
"""

import os
import time

import pytest

from ris import app as root
from ris.auth.rights import Role
from tests.architecture import matrix
from tests.fuzz_api.campaign import Campaign, Described
from tests.fuzz_api.grounding import Ground
from tests.fuzz_api.oracle import Oracle
from tests.security.lived import Lived

LONG = int(os.environ.get("RIS_FUZZ_API", "0"))
SEED = time.time_ns() if LONG else 0
RIGHT, WRONG, EVERY = (LONG, LONG, 1) if LONG else (2, 0, 10)
QUIET_FIRST = (  # those who change nothing first: what they may not see is still all there
    Role.REFERRER, Role.ADMIN_SECURITY, Role.ADMIN_TECH, Role.AUDITOR, Role.INTERN,
    Role.TECHNOLOGIST, Role.INTEGRATOR, Role.SECRETARY, Role.NUCLEAR_PHYSICIAN, Role.RADIOLOGIST,
    Role.IDENTITY_OFFICER,
)  # fmt: skip
pytestmark = pytest.mark.timeout(120 + 60 * LONG)


@pytest.fixture(scope="module")
def api() -> Described:
    return Described(root.describe())


def campaign(lived: Lived, api: Described, role: Role | None, rights: frozenset[str]) -> Campaign:
    ground = Ground(lived.product.runtime.database)
    return Campaign(lived.product, api, role, Oracle(rights), ground, SEED)


def test_every_role_has_its_campaign() -> None:
    assert set(QUIET_FIRST) == set(Role)


@pytest.mark.parametrize(
    ("right", "label"),
    [
        ("ins.read", "GET /v1/patients/{patient_id}"),
        ("patient.read", "GET /v1/identity-worklist"),
        ("report.read", "GET /v1/reports/{report_id}"),
    ],
)
def test_what_a_role_should_not_see_is_noticed(
    lived: Lived, api: Described, right: str, label: str
) -> None:
    """The judge, told that a secretary lacks a right that she has, cries out."""
    played = campaign(lived, api, Role.SECRETARY, matrix.rights_of(Role.SECRETARY) - {right})
    for operation in played.operations(*matrix.rights_of(Role.SECRETARY)):
        if operation.label == label:
            played.play(operation, 40, 0)
    assert any(f"shown without {right}" in fault for fault in played.wrong)


def test_nobody_enters_but_by_the_public_doors(lived: Lived, api: Described) -> None:
    nobody = campaign(lived, api, None, frozenset())
    for operation in nobody.operations(matrix.PUBLIC):
        nobody.play(operation, RIGHT, WRONG)
        nobody.cover(operation, EVERY)
    nobody.oracle = Oracle(frozenset(), closed=True)
    for operation in nobody.operations(*matrix.every_right()):
        nobody.play(operation, max(1, LONG), WRONG)
    assert not nobody.wrong, nobody.report()


@pytest.mark.parametrize("role", QUIET_FIRST)
def test_no_request_of_a_role_breaks_the_api_nor_shows_it_more(
    lived: Lived, api: Described, role: Role
) -> None:
    rights = matrix.rights_of(role, habilitated=role is Role.SECRETARY)
    played = campaign(lived, api, role, rights)
    for operation in played.operations(*rights):
        played.play(operation, RIGHT, WRONG)
        played.cover(operation, EVERY)
    assert not played.wrong, played.report()
    assert played.succeeded > sum(played.told.values()) / 10
