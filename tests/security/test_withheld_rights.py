"""A site takes a right away from a role: seeing the INS and calling INSi, each by itself."""

import pytest

from ris import app as root
from ris.auth.rights import Permission, Role
from ris.core.db import Database
from ris.rem.evidence import Evidence
from tests.security import job
from tests.security.product import running


@pytest.mark.rem("RIS.INS.05", scenario="INS/va1.50.01")
@pytest.mark.rem("RIS.INS.06", scenario="INS/va1.32.01")
@pytest.mark.parametrize("right", [Permission.INS_READ, Permission.INSI_CALL])
def test_a_site_withholds_one_right_of_the_ins_and_leaves_the_other(
    database: Database,
    settings: root.Settings,
    right: Permission,
    monkeypatch: pytest.MonkeyPatch,
    evidence: Evidence,
) -> None:
    monkeypatch.setenv("RIS_AUTH__WITHHELD", f'{{"SECRETARY": ["{right.value}"]}}')
    told = root.Settings()
    assert told.auth.withheld == {Role.SECRETARY: frozenset({right})}
    with running(database, told) as product:
        officer, clerk = (product.signed_in(r) for r in (Role.IDENTITY_OFFICER, Role.SECRETARY))
        record = job.qualified(officer)
        path = f"/v1/patients/{record['id']}"
        seen = job.got(clerk.get(path), 200)["ins"]
        called = clerk.post(f"{path}/insi-verification")
        session = job.got(clerk.get("/v1/session"), 200)
    assert (seen is None) is (right is Permission.INS_READ)
    assert (called.status_code == 403) is (right is Permission.INSI_CALL)
    assert right.value not in session["permissions"]
    evidence.add("01", f"{right.value}.json", {"withheld": right.value, "called": called.json()})
