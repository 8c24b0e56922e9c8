"""The worklist of identities: each reason by itself, its end, a person who takes it off."""

from typing import Any

import httpx
import pytest

from ris.auth.rights import Role
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.check import ForeignChecks
from ris.identity.foreign.feed import InboundEvent, LocalId
from ris.identity.review.reasons import LABELS, STARTED_BY, ReviewReason, ended_by
from ris.identity.states import _TABLE, Event
from ris.rem.evidence import Evidence
from tests.identity.conftest import Desk, Insi
from tests.identity.test_duplicate_scan import declared
from tests.identity.test_foreign import TRAITS, contract, received
from tests.identity.test_insi import result
from tests.identity.test_merge import merged
from tests.identity.test_routes import (
    accept,
    as_read,
    attribute,
    create,
    insi_search,
    qualified,
    show,
    validate,
    verify,
)

Json = dict[str, Any]


def waiting(api: httpx.Client, *reasons: str) -> dict[str, list[str]]:
    """Who is on the worklist for one of *reasons* (any), and all the reasons of each."""
    rows = api.get("/identity-worklist", params={"reason": reasons}).json()["items"]
    return {row["id"]: [one["reason"] for one in row["review"]] for row in rows}


def denied(api: httpx.Client, insi: Insi) -> Json:
    patient = qualified(api)
    insi.state.scripted.extend([result("01")] * 6)
    assert verify(api, patient).json()["result"] == "KO"
    insi.state.scripted.clear()
    return patient


def closed(
    api: httpx.Client, patient: Json, reason: str, because: str = "vu au guichet"
) -> httpx.Response:
    path = f"/patients/{patient['id']}/review/{reason}/close"
    return api.post(path, json={"reason": because}, headers=as_read(api, patient))


def test_every_reason_is_told_in_french_and_every_queued_event_has_one() -> None:
    assert set(LABELS) == set(ReviewReason)
    queued = {event for (_, event), step in _TABLE.items() if step.worklist}
    assert queued == set(STARTED_BY)


@pytest.mark.parametrize("reason", ReviewReason)
def test_a_reason_ends_by_an_event_or_by_its_own_act(reason: ReviewReason) -> None:
    ends = {event for event in Event if reason in ended_by(event)}
    own = reason in (ReviewReason.COLLISION, ReviewReason.DOUBTFUL)
    assert (Event.MERGED in ends) is not own


@pytest.mark.rem("RIS.INS.43", scenario="INS/va1.08.01")
def test_the_denied_identities_are_a_list_of_their_own(
    desk: Desk, insi: Insi, evidence: Evidence
) -> None:
    api = desk()
    ko, doubted = denied(api, insi), create(api, birth_family="AUTRE")
    attribute(api, doubted, "douteuse")
    assert waiting(api) == {ko["id"]: ["verification_ko"], doubted["id"]: ["doubtful"]}
    assert waiting(api, "verification_ko") == {ko["id"]: ["verification_ko"]}
    assert waiting(api, "doubtful", "collision") == {doubted["id"]: ["doubtful"]}
    (why,) = show(api, ko)["review"]
    assert why["label"] == LABELS[ReviewReason.VERIFICATION_KO]
    assert why["since"] <= show(api, ko)["updated_at"]
    unknown = api.get("/identity-worklist", params={"reason": "?"})
    assert unknown.status_code == 422
    evidence.add("01", "worklist.json", {"review": show(api, ko)["review"]})


def test_one_reason_that_ends_leaves_the_others(desk: Desk, insi: Insi) -> None:
    api = desk()
    patient = denied(api, insi)
    made = declared(api, patient)
    assert waiting(api) == {patient["id"]: ["verification_ko", "collision"]}
    first = show(api, patient)["review"][0]["since"]
    validate(api, patient)
    assert waiting(api) == {patient["id"]: ["collision"]}
    body = {"state": "NONE", "reason": "une seule personne"}
    settle = {"If-Match": made.headers["etag"]}
    assert api.put(f"/collisions/{made.json()['id']}", json=body, headers=settle).is_success
    assert waiting(api) == {}
    assert first < show(api, patient)["updated_at"]


def test_a_suspicion_set_aside_leaves_a_denied_ins_to_review(desk: Desk, insi: Insi) -> None:
    api = desk()
    patient = denied(api, insi)
    made = declared(api, patient)
    body = {"state": "NONE", "reason": "une seule personne"}
    settle = {"If-Match": made.headers["etag"]}
    assert api.put(f"/collisions/{made.json()['id']}", json=body, headers=settle).is_success
    assert waiting(api) == {patient["id"]: ["verification_ko"]}


def test_a_doubt_ends_with_the_attribute_and_a_proven_collision_is_a_doubt(desk: Desk) -> None:
    api = desk()
    patient = create(api)
    made = declared(api, patient)
    body = {"state": "COLV", "reason": "deux patients"}
    settle = {"If-Match": made.headers["etag"]}
    assert api.put(f"/collisions/{made.json()['id']}", json=body, headers=settle).is_success
    assert waiting(api) == {patient["id"]: ["doubtful"]}
    path = f"/patients/{patient['id']}/attributes/douteuse"
    gone = api.request("DELETE", path, json={"reason": "séparés"}, headers=as_read(api, patient))
    assert gone.is_success, gone.text
    assert waiting(api) == {}


def test_an_undone_merge_queues_both_and_each_is_established_by_itself(desk: Desk) -> None:
    api = desk()
    survivor, absorbed = create(api), create(api)
    done = merged(api, survivor, absorbed).json()
    body = {"reason": "deux personnes"}
    undo = f"/patient-merges/{done['id']}/undo"
    assert api.post(undo, json=body, headers=as_read(api, survivor)).is_success
    assert waiting(api) == {one["id"]: ["separated"] for one in (survivor, absorbed)}
    accept(api, survivor, insi_search(api, survivor))
    assert waiting(api) == {absorbed["id"]: ["separated"]}


def test_a_search_that_finds_nobody_or_several_queues_nobody(desk: Desk, insi: Insi) -> None:
    api = desk()
    for code in ("01", "02"):
        patient = create(api)
        insi.state.scripted.extend([result(code)] * 6)
        insi_search(api, patient)
        insi.state.scripted.clear()
    assert waiting(api) == {}


def test_a_repository_s_news_say_why_and_take_it_back(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    flags = frozenset({"PROV"})
    told = {"ins": None, "event": InboundEvent.UPDATE}
    known = received(database, feature, flags=flags, **told)
    inactive = received(database, feature, flags=frozenset({"DESA"}), **told)
    assert known.patient_id == inactive.patient_id
    assert waiting(api) == {str(known.patient_id): ["inactive"]}
    received(database, feature, flags=flags, **told)
    assert waiting(api) == {}


def test_an_ins_borne_elsewhere_says_so_until_it_is_here(
    desk: Desk, database: Database, feature: IdentityFeature
) -> None:
    api = desk()
    contract(api, "own_domain")
    bearer = received(database, feature)
    other = received(database, feature, local_ids=(LocalId("IPP0002", TRAITS.birth_place or ""),))
    assert waiting(api) == {str(other.patient_id): ["ins_elsewhere"]}
    received(database, feature, ins=None, event=InboundEvent.UPDATE)  # the bearer gives it back
    again = (LocalId("IPP0002", TRAITS.birth_place or ""),)
    received(database, feature, local_ids=again, event=InboundEvent.UPDATE)
    assert waiting(api) == {}
    assert bearer.patient_id != other.patient_id


def test_a_received_ins_that_insi_denies_or_confirms_says_which(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi
) -> None:
    api = desk()
    insi.state.scripted.extend([result("01")] * 6)
    stranger = received(database, feature)
    ForeignChecks(database, feature).run()
    assert waiting(api) == {str(stranger.patient_id): ["foreign_ko"]}
    insi.state.scripted.clear()
    mine = create(api, used_given="DOM")
    validate(api, mine)
    ours = (LocalId(mine["ipp"], "2.25.1"),)
    received(database, feature, local_ids=ours, event=InboundEvent.UPDATE, message_id="M2")
    ForeignChecks(database, feature).run()
    assert waiting(api, "foreign_ins") == {mine["id"]: ["foreign_ins"]}


def test_a_person_takes_a_reason_off_and_the_journal_says_so(desk: Desk, insi: Insi) -> None:
    api = desk()
    patient = denied(api, insi)
    assert closed(api, patient, "verification_ko", " ").json()["code"] == "REASON_REQUIRED"
    assert closed(api, patient, "degraded").json()["code"] == "REVIEW_NOT_FOUND"
    for own in ("collision", "doubtful"):
        refused = closed(api, patient, own)
        assert (refused.status_code, refused.json()["code"]) == (409, "REVIEW_BY_ITS_ACT")
    assert closed(desk(Role.SECRETARY), patient, "verification_ko").status_code == 403
    path = f"/patients/{patient['id']}/review/verification_ko/close"
    assert api.post(path, json={"reason": "x"}).status_code == 428
    assert api.post(path, json={"reason": "x"}, headers={"If-Match": '"1"'}).status_code == 412
    done = closed(api, patient, "verification_ko")
    assert done.status_code == 200, done.text
    assert (done.json()["review"], done.json()["status"]) == ([], "provisoire")
    assert done.headers["etag"] == f'"{done.json()["version"]}"'
    assert waiting(api) == {}
    assert closed(api, patient, "verification_ko").status_code == 404
