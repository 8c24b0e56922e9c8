"""Sensitive acts ask for a recent sign-in (auth.md §6 AUTH-41, and every `*` of its §9.2).

To add an act: ask `require(…, fresh=True)` on its route, and write its line in `STARRED`. A route
that does one without the other fails here.
"""

import httpx
import pytest
from sqlalchemy import text

from ris.auth.rights import Role
from tests.architecture.test_routes import code_of as stable_code
from tests.architecture.test_routes import doors
from tests.security.job import as_read, qualified
from tests.security.product import Product

DOCTOR, OFFICER, SECURITY = Role.RADIOLOGIST, Role.IDENTITY_OFFICER, Role.ADMIN_SECURITY
STARRED: list[tuple[str, str, Role]] = [
    # validate / sign a report
    ("POST", "/v1/reports/{report_id}/signature", DOCTOR),
    # amend / cancel a validated report; in the DMP: replace, delete
    ("POST", "/v1/reports/{report_id}/versions", DOCTOR),
    ("DELETE", "/v1/reports/{report_id}", DOCTOR),
    # DMP: lift a mask, let what was opposed leave. Recording an opposition only ever sends less.
    ("POST", "/v1/reports/{report_id}/announcement-done", DOCTOR),
    ("DELETE", "/v1/patients/{patient_id}/dmp-opposition/{opposition_id}", DOCTOR),
    # identity-document copy: view, erase
    ("GET", "/v1/patients/{patient_id}/identity-copies/{copy_id}/content", OFFICER),
    ("DELETE", "/v1/patients/{patient_id}/identity-copies/{copy_id}", OFFICER),
    # acts of the identity super-user; the edit of a locked trait has its own test below
    ("POST", "/v1/patients/{patient_id}/merges", OFFICER),
    ("POST", "/v1/patient-merges/{merge_id}/undo", OFFICER),
    ("POST", "/v1/identity-outbox/{outbox_id}/retry", OFFICER),
    ("POST", "/v1/insi-batches", OFFICER),
    ("POST", "/v1/insi-batches/{batch_id}/retry", OFFICER),
    ("POST", "/v1/trust-contracts", OFFICER),
    ("DELETE", "/v1/trust-contracts/{contract_id}", OFFICER),
    # break-glass; acts in one's name by others
    ("POST", "/v1/patients/{patient_id}/break-glass", DOCTOR),
    ("POST", "/v1/delegations", DOCTOR),
    # accounts and roles
    ("POST", "/v1/accounts", SECURITY),
    ("POST", "/v1/accounts/{account_id}/activate", SECURITY),
    ("POST", "/v1/accounts/{account_id}/suspend", SECURITY),
    ("POST", "/v1/accounts/{account_id}/reactivate", SECURITY),
    ("POST", "/v1/accounts/{account_id}/close", SECURITY),
    ("POST", "/v1/accounts/alerts/{alert_id}/acknowledge", SECURITY),
    ("POST", "/v1/accounts/conflicts/{conflict_id}/resolve", SECURITY),
    ("POST", "/v1/accounts/{account_id}/situations", SECURITY),
    ("DELETE", "/v1/accounts/{account_id}/situations/{situation_id}", SECURITY),
    # practices and who works there
    ("GET", "/v1/structures", SECURITY),
    ("POST", "/v1/structures", SECURITY),
    ("GET", "/v1/structures/{structure_id}/members", SECURITY),
    ("POST", "/v1/structures/{structure_id}/members", SECURITY),
    ("DELETE", "/v1/structures/{structure_id}/members/{member_id}", SECURITY),
    # certificates, endpoints; looking at them does not ask for it
    ("POST", "/v1/certificates", Role.ADMIN_TECH),
]
OLD = "update ris_session set auth_time = now() - interval '31 minutes'"
REFUSED = (401, "psc_step_up_required")
FHIR = {"Content-Type": "application/fhir+json"}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    problem = answer.status_code >= 400
    return answer.status_code, stable_code(answer) if problem else ""


def test_the_table_holds_every_route_that_asks_for_it_and_no_other() -> None:
    asked = {(door.method, door.path) for door in doors() if door.fresh}
    assert asked == {(method, path) for method, path, _ in STARRED}


def test_an_old_sign_in_is_refused_on_each_and_a_recent_one_passes(product: Product) -> None:
    places = {(door.method, door.path): door.place for door in doors()}
    people = {role: product.signed_in(role) for role in {role for _, _, role in STARRED}}

    def answers() -> dict[tuple[str, str], tuple[int, str]]:
        return {
            (method, path): code_of(people[role].request(method, places[method, path]))
            for method, path, role in STARRED
        }

    assert [key for key, answer in answers().items() if answer == REFUSED] == []
    with product.runtime.database.transaction() as session:
        session.execute(text(OLD))
    assert {key: answer for key, answer in answers().items() if answer != REFUSED} == {}


@pytest.mark.rem("RIS.INS.29", "RIS.INS.31")
def test_a_locked_trait_is_changed_after_a_recent_sign_in_only(product: Product) -> None:
    officer, desk = product.signed_in(OFFICER), product.signed_in(Role.SECRETARY)
    record = qualified(desk)
    path, asked = f"/v1/patients/{record['id']}", {"birth_family": "AUTRE", "reason": "essai"}
    with product.runtime.database.transaction() as session:
        session.execute(text(OLD))
    refused = officer.patch(path, json=asked, headers=as_read(record))
    assert code_of(refused) == REFUSED
    assert refused.json()["login"].startswith("/auth/psc/login?step_up=true")
    told = officer.get(f"/fhir/Patient/{record['id']}").json()
    told["name"][0]["family"] = "AUTRE"
    put = officer.put(f"/fhir/Patient/{record['id']}", json=told, headers=as_read(record) | FHIR)
    assert code_of(put) == REFUSED
    assert desk.patch(path, json=asked, headers=as_read(record)).status_code == 403
    plain = officer.patch(path, json={"phone": "0102030405"}, headers=as_read(record))
    assert plain.status_code == 200
    with product.runtime.database.transaction() as session:
        session.execute(text("update ris_session set auth_time = now()"))
    assert officer.patch(path, json=asked, headers=as_read(plain.json())).status_code == 200
