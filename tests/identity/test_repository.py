"""Whether this software is the identity repository of its domain: what each side may do."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from ris import app as root
from ris.auth.rights import Role
from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign import service as foreign
from ris.identity.foreign import trust
from ris.identity.foreign.feed import LocalId
from ris.identity.foreign.model import TrustScope
from ris.interop.hl7v2.settings import Hl7Settings, PartnerSettings
from tests.identity.conftest import PATIENT, Desk
from tests.identity.test_foreign import SENDER, message
from tests.identity.test_merge import merged
from tests.identity.test_routes import as_read, attribute, create, edit, show, validate

Json = dict[str, Any]
REFUSED = (403, "RI_IS_EXTERNAL")
OTHER = {"local_ids": (LocalId("IPP0002", SENDER),), "ins": None}


@pytest.fixture
def fed(feature: IdentityFeature) -> IdentityFeature:
    """A site whose identities come from another repository."""
    settings = feature.settings.model_copy(update={"repository": False})
    return replace(feature, settings=settings)


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def by_feed(database: Database, fed: IdentityFeature, **fields: Any) -> Json:
    with database.transaction() as session:
        if trust.in_force(session, SENDER) is None:
            trust.sign(
                session, sender=SENDER, scope=TrustScope.OWN_DOMAIN, label="GAM", actor=SYSTEM
            )
        done = foreign.receive(session, fed, message(**fields), actor=SYSTEM)
    return {"id": str(done.patient_id)}


def test_nothing_of_an_identity_is_decided_here_when_the_repository_is_elsewhere(
    desk: Desk, database: Database, fed: IdentityFeature
) -> None:
    api = desk(feature=fed)
    assert told(api.post("/patients", json=PATIENT)) == REFUSED
    patient = by_feed(database, fed)
    before = show(api, patient)
    path, tag = f"/patients/{patient['id']}", as_read(api, patient)
    acts = [
        edit(api, patient, birth_place="63220", reason="essai"),
        edit(api, patient, birth_family="AUTRE", reason="essai"),
        validate(api, patient),
        validate(api, patient, validate_identity=False),
        api.post(f"{path}/insi-search", json={}),
        api.post(f"{path}/insi-acceptance", json={"retrieval_id": patient["id"]}, headers=tag),
        api.post(f"{path}/insi-verification"),
        attribute(api, patient, "fictive"),
        attribute(api, patient, "homonyme"),
        api.delete(f"{path}/attributes/homonyme", headers=tag),
        merged(api, patient, by_feed(database, fed, **OTHER)),
    ]
    assert [told(one) for one in acts] == [REFUSED] * len(acts)
    assert show(api, patient) == before


def test_what_is_not_the_identity_itself_stays_ours(
    desk: Desk, database: Database, fed: IdentityFeature
) -> None:
    api = desk(feature=fed)
    patient = by_feed(database, fed)
    assert edit(api, patient, used_given="DOM", phone="0199001234").status_code == 200
    doubted = attribute(api, patient, "douteuse")
    assert (doubted.status_code, doubted.json()["status"]) == (200, "provisoire")
    assert doubted.json()["ins"] is None


def test_an_emergency_record_is_provisional_waits_on_the_worklist_and_is_reconciled_by_a_merge(
    desk: Desk, database: Database, fed: IdentityFeature
) -> None:
    api = desk(feature=fed)
    made = api.post("/patients", json={**PATIENT, "degraded": True})
    assert (made.status_code, made.json()["status"]) == (201, "provisoire")
    record = made.json()
    assert [one["id"] for one in api.get("/identity-worklist").json()["items"]] == [record["id"]]
    history = api.get(f"/patients/{record['id']}/history").json()["items"]
    assert history[0]["evidence"] == {"mode": "degraded"}
    theirs = by_feed(database, fed)
    answer = merged(api, theirs, record)
    assert answer.status_code == 201, answer.text
    assert show(api, record)["merged_into_id"] == theirs["id"]
    assert api.get("/identity-worklist").json()["items"] == []


def test_a_site_that_is_the_repository_has_no_degraded_mode(desk: Desk) -> None:
    api = desk()
    refused = api.post("/patients", json={**PATIENT, "degraded": True})
    assert told(refused) == (422, "DEGRADED_NOT_NEEDED")
    assert edit(api, create(api), birth_place="63220").status_code == 200


def test_an_identity_received_from_another_domain_may_be_verified_here(
    desk: Desk, database: Database, fed: IdentityFeature
) -> None:
    with database.transaction() as session:
        done = foreign.receive(session, fed, message(sender="2.25.9"), actor=SYSTEM)
    assert done.foreign_id is not None
    answer = desk(feature=fed).post(f"/patients/{done.patient_id}/insi-verification")
    assert told(answer) == (409, "IDENTITY_TRANSITION_REFUSED")  # nothing to verify yet


@pytest.mark.parametrize(("repository", "attached"), [(True, ("PACS",)), (False, ())])
def test_only_a_repository_tells_the_attached_systems(
    *, repository: bool, attached: tuple[str, ...]
) -> None:
    partner = PartnerSettings(
        name="PACS", host="127.0.0.1", port=2575, application="PACS", facility="CABINET"
    )
    hl7 = Hl7Settings(partners=(partner,))
    identity = {"repository": repository}
    settings = root.Settings.model_validate({"hl7": hl7, "identity": identity})
    assert root._attached(settings) == attached


def test_a_clerk_is_told_it_is_not_his_right_before_anything_else(
    desk: Desk, fed: IdentityFeature
) -> None:
    api = desk(Role.ADMIN_TECH, feature=fed)
    assert api.post("/patients", json=PATIENT).json()["code"] != "RI_IS_EXTERNAL"
    assert api.get(f"/patients/{UUID(int=1)}").status_code == 403
