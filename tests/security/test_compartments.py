"""One practice of the site does not reach what another owns: every route, list and body."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from ris import app as root
from ris.auth.compartments.scope import WHOLE, Compartment, Scope
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Permission, Role
from ris.core import ids
from ris.core.audit import Actor, AuditEvent
from ris.core.db import Database
from ris.diffusion.model import Delivery
from ris.identity import disclosures
from ris.identity.bulk.model import InsiBatch, InsiBatchItem
from ris.identity.foreign.model import ForeignData, ForeignIdentity, ForeignState, HeldState
from ris.identity.insi.values import CallMode
from ris.reports.model import DocumentVersion
from tests.architecture.test_routes import DOORS, Door, code_of
from tests.identity.test_datamatrix import PAPER
from tests.identity.test_routes import MATRICULE
from tests.security import job, practices
from tests.security.practices import CLERK_A, A, B, Held, Practices, held_by_a
from tests.security.product import Product, running

ONLY_B = Scope(frozenset({B}))
FILED = ("{exam_id}", "{report_id}", "{delivery_id}", "{opposition_id}")
RECORD = ("{patient_id}", "{other_id}", "{call_id}", "{collision_id}", "{foreign_id}", "{data_id}")
# what these name is nobody's in particular, or is looked up under the patient of the same path
HARMLESS = {
    "{artefact}", "{attribute}", "{number}", "{copy_id}", "{request_id}",
    "{structure_id}", "{member_id}", "{contract_id}",
    "{batch_id}",  # its list of identities keeps to what the caller sees
    "{merge_id}", "{outbox_id}", "{message_id}",  # the identity officer's or the administrator's
    "{break_glass_id}",  # the review keeps to the practices concerned
    "{account_id}", "{situation_id}", "{alert_id}", "{conflict_id}",  # the administrator's
    "{session_id}",  # one's own
    "{delegation_id}",  # one's own
    "{reason}",
}  # fmt: skip
# their routes are about what lies beyond the compartments: they check by themselves
BEYOND = {Permission.BREAK_GLASS, Permission.BREAK_GLASS_REVIEW}


def parameters(door: Door) -> set[str]:
    return {part for part in door.path.split("/") if part.startswith("{")}


def guarded(names: tuple[str, ...]) -> list[Door]:
    named = [door for door in DOORS if parameters(door) & set(names)]
    return [door for door in named if door.permissions and door.permissions[0] not in BEYOND]


@pytest.fixture
def site(product: Product) -> Practices:
    return practices.opened(product)


@pytest.fixture
def held(site: Practices) -> Held:
    return held_by_a(site)


def of_b(*, patients: Scope = WHOLE) -> Principal:
    """Somebody of practice B with every right there is: only the compartment stops him."""
    return Principal(
        account_id=ids.new(),
        session_id=ids.new(),
        role=Role.RADIOLOGIST,
        permissions=frozenset(Permission),
        situation_id=None,
        professional=None,
        actor=Actor(role="RADIOLOGIST"),
        acr="eidas1",
        auth_time=datetime.now(UTC),
        compartment=Compartment(ONLY_B, patients, B, active=True),
    )


def trace(product: Product, action: str) -> list[AuditEvent]:
    with product.runtime.database.transaction() as session:
        query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.seq)
        return list(session.scalars(query))


def test_every_id_in_a_path_is_guarded_or_known_to_be_harmless() -> None:
    named = {name for door in DOORS for name in parameters(door)}
    assert named - set(FILED) - set(RECORD) == HARMLESS
    assert len(guarded(FILED)) > 20
    assert len(guarded(RECORD)) > 30


def test_every_id_in_a_body_or_a_query_is_one_a_test_speaks_of() -> None:
    """A new one must be checked by `inside`, and tested, before it joins this list."""
    told = root.describe()
    found = set()
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            fields = told["components"]["schemas"].get(name, {}).get("properties", {})
            listed = [one for one in operation.get("parameters", ()) if "name" in one]
            query = {one["name"] for one in listed if one["in"] == "query"}
            found |= {(method, path, f) for f in {*fields, *query} if f.endswith("_id")}
    reviewer = {  # AUDIT_READ: the reviewer of the traces, who is bound to no practice
        ("get", f"/v1/{path}", field)
        for path in ("ins-accesses", "insi-calls", "identity-changes", "ins-disclosures",
                     "audit/events", "audit/export")
        for field in ("account_id", "patient_id")
    }  # fmt: skip
    assert found - reviewer == {
        ("post", "/v1/orders", "patient_id"),
        ("post", "/v1/reports", "exam_id"),
        ("post", "/v1/patients/{patient_id}/dmp-opposition", "report_id"),
        ("post", "/v1/patients/{patient_id}/merges", "absorbed_id"),  # the identity officer
        ("post", "/v1/patients/{patient_id}/insi-acceptance", "retrieval_id"),  # of this patient
        ("post", "/v1/patients/{patient_id}/identity-copies", "document_id"),  # of this patient
        ("post", "/v1/session/situation", "situation_id"),
        ("post", "/v1/delegations", "delegate_id"),  # a colleague, no patient
        ("post", "/v1/insi/card-assertions", "billing_id"),  # a number of the caller's card
    }


def test_nobody_of_another_practice_enters_by_any_route(site: Practices, held: Held) -> None:
    opposed = job.got(
        site.doctor_a.post(
            f"/v1/patients/{held.patient['id']}/dmp-opposition",
            json={"scope": "report", "report_id": held.report["id"], "reason": "Refus."},
        ),
        201,
    )
    names = {
        "{exam_id}": held.exam["id"],
        "{report_id}": held.report["id"],
        "{delivery_id}": held.delivery,
        "{opposition_id}": opposed["id"],
    }
    before = len(trace(site.product, "auth.access_denied"))
    intruder = of_b()
    site.product.app.dependency_overrides[current_session] = lambda: intruder
    wrong, asked = {}, guarded(FILED)
    with httpx.Client(base_url=site.product.url, trust_env=False) as client:
        for door in asked:
            place = "/".join(names.get(part, part) for part in door.path.split("/"))
            place = place.replace("{patient_id}", held.patient["id"])
            place = place.replace("{number}", "1").replace("{artefact}", "pdf")
            answer = client.request(door.method, place)
            if (answer.status_code, code_of(answer)) != (403, "structure_denied"):
                wrong[door] = answer.text
            else:
                assert answer.json()["break_glass"].endswith(f"{held.patient['id']}/break-glass")
    assert wrong == {}
    lines = trace(site.product, "auth.access_denied")[before:]
    assert len(lines) == len(asked)
    assert {(one.reason, str(one.patient_id)) for one in lines} == {
        ("structure_denied", held.patient["id"])
    }


def test_the_practice_itself_and_whole_site_staff_enter(site: Practices, held: Held) -> None:
    for one in (site.clerk_a, site.doctor_a, site.everywhere):
        assert one.get(f"/v1/exams/{held.exam['id']}").json()["struct_idnat"] == A
        (listed,) = job.got(one.get(f"/v1/exams/{held.exam['id']}/reports"), 200)
        assert listed["id"] == held.report["id"]
        assert one.get(f"/v1/deliveries/{held.delivery}").status_code == 200
    for one in (site.clerk_b, site.doctor_b):
        answer = one.get(f"/v1/reports/{held.report['id']}")
        assert (answer.status_code, answer.json()["code"]) == (403, "structure_denied")
        assert ("break_glass" in answer.json()) is (one is site.doctor_b)
        assert one.get(f"/v1/patients/{held.patient['id']}").status_code == 200, "shared patient"


def test_lists_show_each_practice_its_own(site: Practices, held: Held) -> None:
    theirs = site.exam(site.clerk_b, held.patient)
    draft_a = job.draft(site.doctor_a, site.exam(site.clerk_a, held.patient))
    draft_b = job.draft(site.doctor_b, theirs)
    job.got(
        site.doctor_a.post(
            f"/v1/patients/{held.patient['id']}/dmp-opposition",
            json={"scope": "report", "report_id": held.report["id"], "reason": "Refus."},
        ),
        201,
    )

    def exams(one: httpx.Client) -> set[str]:
        return {e["struct_idnat"] for e in one.get(path).json()}

    path = f"/v1/patients/{held.patient['id']}/exams"
    assert (exams(site.clerk_a), exams(site.clerk_b)) == ({A}, {B})
    assert exams(site.everywhere) == {A, B}

    def drafts(one: httpx.Client) -> set[str]:
        return {r["id"] for r in job.got(one.get("/v1/reports"), 200)}

    assert drafts(site.doctor_a) == {draft_a["id"]}
    assert drafts(site.doctor_b) == {draft_b["id"]}
    assert drafts(site.everywhere) == {draft_a["id"], draft_b["id"]}

    def oppositions(one: httpx.Client) -> int:
        return len(one.get(f"/v1/patients/{held.patient['id']}/dmp-opposition").json())

    assert (oppositions(site.doctor_a), oppositions(site.doctor_b)) == (1, 0)


def test_deliveries_are_paged_and_counted_by_practice(site: Practices, held: Held) -> None:
    second = job.draft(site.doctor_b, site.exam(site.clerk_b, held.patient))
    job.got(job.sign(site.doctor_b, second), 201)

    def paged(one: httpx.Client) -> list[str]:
        found, after = [], None
        while True:
            asked = {"limit": 1} | ({"after": after} if after else {})
            page = job.got(one.get("/v1/deliveries", params=asked), 200)
            found += [row["report_id"] for row in page["items"]]
            if (after := page["next"]) is None:
                return found

    assert set(paged(site.doctor_a)) == {held.report["id"]}
    assert set(paged(site.doctor_b)) == {second["id"]}
    whole = paged(site.everywhere)
    assert set(whole) == {held.report["id"], second["id"]}
    assert len(paged(site.doctor_a)) + len(paged(site.doctor_b)) == len(whole)

    def ordered(one: httpx.Client, **asked: str) -> int:
        counts = job.got(one.get("/v1/dashboard", params=asked), 200)["periods"][0]
        return sum(channel["total"] for channel in counts["channels"].values())

    both = ordered(site.everywhere)
    assert both == ordered(site.doctor_a) + ordered(site.doctor_b) > ordered(site.doctor_a) > 0
    assert ordered(site.doctor_b, struct_idnat=A) == 0


def test_an_id_in_a_body_is_guarded_too(site: Practices, held: Held) -> None:
    body = {"exam_id": held.exam["id"], "title": "Scanner"}
    refused = site.doctor_b.post("/v1/reports", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "structure_denied")
    opposed = site.doctor_b.post(
        f"/v1/patients/{held.patient['id']}/dmp-opposition",
        json={"scope": "report", "report_id": held.report["id"], "reason": "Refus."},
    )
    assert (opposed.status_code, opposed.json()["code"]) == (403, "structure_denied")


def test_an_order_is_placed_for_a_practice_one_works_for(site: Practices) -> None:
    record = job.patient(site.everywhere)

    def ordered(one: httpx.Client, struct: str | None = None) -> httpx.Response:
        more = {"struct_idnat": struct} if struct else {}
        return one.post("/v1/orders", json=job.order_of(record, **more))

    def code(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["code"]

    assert code(ordered(site.everywhere)) == (422, "STRUCTURE_REQUIRED")
    assert code(ordered(site.everywhere, practices.SCM)) == (403, "structure_unusable")
    assert code(ordered(site.everywhere, "499700993027009")) == (422, "STRUCTURE_UNKNOWN")
    assert code(ordered(site.clerk_a, B)) == (403, "structure_denied")
    assert job.got(ordered(site.everywhere, B), 201)["struct_idnat"] == B
    assert job.got(ordered(site.clerk_a), 201)["struct_idnat"] == A
    assert job.got(ordered(site.doctor_b), 201)["struct_idnat"] == B


def test_an_exam_changes_practice_by_an_audited_act(site: Practices, held: Held) -> None:
    path = f"/v1/exams/{held.exam['id']}"
    asked = {"json": {"struct_idnat": B}}
    assert site.clerk_a.post(f"{path}/owner", **asked).status_code == 428
    tag = {"If-Match": site.clerk_a.get(path).headers["ETag"]}
    assert site.clerk_b.post(f"{path}/owner", **asked, headers=tag).status_code == 403
    moved = job.got(site.clerk_a.post(f"{path}/owner", **asked, headers=tag), 200)
    assert moved["struct_idnat"] == B
    assert site.clerk_a.get(path).status_code == 403
    assert site.doctor_a.get(f"/v1/reports/{held.report['id']}").status_code == 403
    assert site.doctor_b.get(f"/v1/reports/{held.report['id']}").status_code == 200
    assert site.doctor_b.get(f"/v1/deliveries/{held.delivery}").status_code == 200
    (line,) = trace(site.product, "exam.owner_changed")
    assert line.detail == {"from": A, "to": B}
    assert (line.target_id, line.actor_role) == (held.exam["id"], "SECRETARY")


def test_a_report_leaves_under_the_practice_of_its_exam_a_replacement_being_its_author(
    site: Practices,
) -> None:
    doctor = site.doctor_a
    record = job.patient(site.clerk_b)
    report = job.draft(site.doctor_b, site.exam(site.clerk_b, record))
    practices.attach(site.product, practices.RADIOLOGIST_A, practices.SCM)
    refused = job.sign(doctor, report)
    assert (refused.status_code, refused.json()["code"]) == (409, "OWNER_DIFFERS")
    with site.product.runtime.database.transaction() as session:
        session.execute(text("update structure_member set valid_to = now() where true"))
    assert job.sign(doctor, report).status_code == 403
    practices.attach(site.product, practices.RADIOLOGIST_A, B)
    still = job.sign(doctor, report)  # a member sees; only a situation there signs
    assert (still.status_code, still.json()["code"]) == (409, "OWNER_DIFFERS")
    practices.replaces(site.product, doctor, B)
    signed = job.got(job.sign(doctor, report), 201)
    with site.product.runtime.database.transaction() as session:
        version = session.scalars(select(DocumentVersion)).one()
        author, custodian = version.content["author"], version.content["custodian"]
        sent = set(session.scalars(select(Delivery.struct_idnat)))
    assert author["ps_idnat"] == practices.RADIOLOGIST_A.ps_idnat
    assert author["structure"]["struct_idnat"] == custodian["struct_idnat"] == B
    assert sent == {B}
    (line,) = trace(site.product, "report.signed")
    assert (line.acting_struct_idnat, line.detail["report_id"]) == (B, signed["report_id"])


def test_a_clerk_calls_insi_for_the_practices_she_works_for(site: Practices) -> None:
    record = job.patient(site.everywhere)
    path = f"/v1/patients/{record['id']}/insi-search"
    of_a = {"responsible": {"ps_idnat": practices.RADIOLOGIST_A.ps_idnat}}
    refused = site.clerk_b.post(path, json=of_a)
    assert (refused.status_code, refused.json()["code"]) == (403, "structure_denied")
    job.got(site.clerk_a.post(path, json=of_a), 201)
    listed = job.got(site.clerk_b.get("/v1/insi/practices"), 200)
    assert [one["struct_idnat"] for one in listed] == [B]


def test_what_left_for_a_patient_is_told_to_the_practice_that_sent_it(
    site: Practices, held: Held
) -> None:
    patient = held.patient["id"]
    with site.product.runtime.database.transaction() as session:
        for sender, channel in ((A, "mss_ps"), ("1.2.250.1.999", "hl7_pam")):
            disclosures.note(
                session, UUID(patient), sender=sender, partner="X", channel=channel, reference="1"
            )
        session.execute(text("update delivery set state = 'delivered', finished_at = now()"))
    suspected = {"suspected_since": "2026-01-01", "reason": "Deux adresses."}
    read = {"If-Match": site.doctor_a.get(f"/v1/patients/{patient}").headers["ETag"]}
    path = f"/v1/patients/{patient}/collisions"
    made = job.got(site.doctor_a.post(path, json=suspected, headers=read), 201)
    for one, channels, left in (
        (site.doctor_a, {"mss_ps", "hl7_pam"}, True), (site.doctor_b, {"hl7_pam"}, False),
    ):  # fmt: skip
        told = job.got(one.get(f"/v1/patients/{patient}/ins-disclosures"), 200)["items"]
        assert {line["channel"] for line in told} == channels
        assert bool(job.got(one.get(f"/v1/collisions/{made['id']}"), 200)["sent"]) is left


def test_a_membership_that_ends_closes_the_next_request(site: Practices, held: Held) -> None:
    path = f"/v1/exams/{held.exam['id']}"
    admin = site.product.signed_in(Role.ADMIN_SECURITY)
    listed = {s["struct_idnat"]: s["id"] for s in job.got(admin.get("/v1/structures"), 200)}
    place = f"/v1/structures/{listed[A]}/members"
    (member,) = job.got(admin.get(place), 200)
    assert (member["ps_idnat"], member["valid_to"]) == (CLERK_A.ps_idnat, None)
    assert site.clerk_a.get(path).status_code == 200
    assert job.got(site.clerk_a.get("/v1/session/practices"), 200) == {
        "apart": True,
        "whole_site": False,
        "practices": [{"struct_idnat": A, "name": "CABINET A", "preferred": True}],
    }
    job.got(admin.delete(f"{place}/{member['id']}"), 200)
    assert site.clerk_a.get(path).status_code == 403
    assert site.clerk_a.get(f"/v1/patients/{held.patient['id']}/exams").json() == []
    job.got(admin.post(place, json={"ps_idnat": CLERK_A.ps_idnat}), 201)
    assert site.clerk_a.get(path).status_code == 200
    with site.product.runtime.database.transaction() as session:
        old = "update ris_session set auth_time = now() - interval '1 hour'"
        session.execute(text(old))
    stale = admin.post(place, json={"ps_idnat": CLERK_A.ps_idnat})
    assert (stale.status_code, stale.json()["code"]) == (401, "psc_step_up_required")


def test_a_site_that_declares_nothing_is_as_before(product: Product) -> None:
    clerk = product.signed_in(Role.SECRETARY)
    doctor_a = product.signed_in(Role.RADIOLOGIST)
    doctor_b = product.signed_in(Role.RADIOLOGIST, practices.RADIOLOGIST_B)
    exam = job.exam(clerk, job.patient(clerk))
    assert exam["struct_idnat"] is None
    report = job.draft(doctor_a, exam)
    assert doctor_a.get(f"/v1/exams/{exam['id']}").json()["struct_idnat"] == A, "he took charge"
    assert doctor_b.get(f"/v1/reports/{report['id']}").status_code == 200
    practices.declare(product)
    assert doctor_b.get(f"/v1/reports/{report['id']}").status_code == 403
    assert doctor_a.get(f"/v1/reports/{report['id']}").status_code == 200


# --- patients kept apart too ----------------------------------------------------------------


@pytest.fixture
def strict(
    database: Database, settings: root.Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Practices]:
    del settings  # only its environment is wanted
    monkeypatch.setenv("RIS_AUTH__COMPARTMENTS", json.dumps({"patients": "structure"}))
    with running(database, root.Settings()) as product:
        yield practices.opened(product)


def test_no_record_of_another_practice_opens_by_any_route(strict: Practices) -> None:
    names = filed_by_a(strict)
    intruder = of_b(patients=ONLY_B)
    strict.product.app.dependency_overrides[current_session] = lambda: intruder
    wrong = {}
    with httpx.Client(base_url=strict.product.url, trust_env=False) as client:
        for door in guarded(RECORD):
            place = "/".join(names.get(part, part) for part in door.path.split("/"))
            place = place.replace("{copy_id}", str(ids.new())).replace("{attribute}", "douteux")
            place = place.replace("{opposition_id}", str(ids.new()))
            answer = client.request(door.method, place)
            if (answer.status_code, code_of(answer)) != (403, "structure_denied"):
                wrong[door] = answer.text
    assert wrong == {}


def filed_by_a(site: Practices) -> dict[str, str]:
    """A record of practice A, and what identity files under it, by name of a path's parameter."""
    record = job.patient(site.clerk_a)
    call = job.retrieval(site.doctor_a, record)
    suspected = {"suspected_since": "2026-01-01", "reason": "Deux adresses."}
    path = f"/v1/patients/{record['id']}/collisions"
    collision = job.got(site.doctor_a.post(path, json=suspected, headers=job.as_read(record)), 201)
    with site.product.runtime.database.transaction() as session:
        foreign = ForeignIdentity(
            patient_id=UUID(record["id"]), created_patient=False, sender="X", message_id="1",
            traits={}, state=ForeignState.KO,
        )  # fmt: skip
        foreign.ins_digest = "digest"
        session.add(foreign)
        session.flush()
        data = ForeignData(foreign_id=foreign.id, kind="ORU", reference="1@X", state=HeldState.HELD)
        session.add(data)
        session.flush()
        found = {"{foreign_id}": str(foreign.id), "{data_id}": str(data.id)}
    assert site.clerk_b.get("/v1/foreign-identities").json()["items"] == []
    assert site.clerk_b.get("/v1/foreign-data").json()["items"] == []
    assert site.clerk_b.get("/v1/collisions").json()["items"] == []
    for listed in ("foreign-identities", "foreign-data", "collisions"):
        assert len(site.clerk_a.get(f"/v1/{listed}").json()["items"]) == 1
    return found | {
        "{patient_id}": record["id"], "{other_id}": record["id"], "{call_id}": call,
        "{collision_id}": collision["id"],
    }  # fmt: skip


def test_a_hidden_record_is_as_if_it_did_not_exist(strict: Practices) -> None:
    hidden = job.patient(strict.clerk_a)
    one, path = strict.clerk_b, f"/v1/patients/{hidden['id']}"
    absent = one.get(f"/v1/patients/{ids.new()}")
    answer = one.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, absent.json()["code"])
    assert one.get(f"/fhir/Patient/{hidden['id']}").status_code == 404
    ordered = one.post("/v1/orders", json=job.order_of(hidden))
    assert ordered.status_code == 404
    asked = {"birth_date": hidden["birth_date"]}
    assert one.get("/v1/patients", params=asked).json()["items"] == []
    assert one.get("/v1/patients", params={"ipp": hidden["ipp"]}).json()["items"] == []
    fhir = one.get("/fhir/Patient", params={"birthdate": hidden["birth_date"]})
    assert fhir.json()["total"] == 0
    for other in (strict.clerk_a, strict.doctor_a, strict.everywhere):
        (found,) = other.get("/v1/patients", params=asked).json()["items"]
        assert found["id"] == hidden["id"]


def test_an_exam_brings_the_patient_into_the_practice(strict: Practices) -> None:
    record = job.patient(strict.clerk_a)
    path = f"/v1/patients/{record['id']}"
    assert strict.clerk_b.get(path).status_code == 404
    strict.exam(strict.everywhere, record, struct_idnat=B)
    assert strict.clerk_b.get(path).status_code == 200
    assert strict.clerk_a.get(path).status_code == 200
    fed = job.patient(strict.everywhere, birth_family="NOUVEAU")
    assert strict.clerk_a.get(f"/v1/patients/{fed['id']}").status_code == 200, "nobody's yet"
    strict.exam(strict.clerk_b, fed)
    assert strict.clerk_a.get(f"/v1/patients/{fed['id']}").status_code == 404


def test_a_person_known_elsewhere_is_told_to_the_identity_officer_alone(strict: Practices) -> None:
    first = job.patient(strict.clerk_a)
    second = job.patient(strict.clerk_b)
    assert second["id"] != first["id"]
    officer = strict.product.signed_in(Role.IDENTITY_OFFICER)
    (pair,) = job.got(officer.get("/v1/duplicates"), 200)["items"]
    told = json.dumps(pair)
    assert first["id"] in told
    assert second["id"] in told
    for one, other in ((strict.clerk_a, second), (strict.clerk_b, first)):
        mine = first if other is second else second
        assert one.get("/v1/duplicates").json()["items"] == []
        assert one.get(f"/v1/patients/{mine['id']}/duplicates").json() == []
        assert other["id"] not in one.get("/v1/identity-worklist").text


def test_an_ins_already_held_elsewhere_names_no_record(strict: Practices) -> None:
    officer = strict.product.signed_in(Role.IDENTITY_OFFICER)
    held = job.patient(strict.doctor_a)
    accept(strict.doctor_a, held)
    batch = listed_everywhere(strict)
    assert finds(strict.doctor_a, batch) == [held["id"]] * 4
    assert finds(strict.doctor_b, batch) == []
    twin = job.patient(strict.doctor_b)
    refused = accept(strict.doctor_b, twin, 409)
    assert refused["code"] == "INS_ALREADY_ATTACHED"
    assert held["ipp"] not in json.dumps(refused)
    pairs = job.got(officer.get("/v1/duplicates"), 200)["items"]
    assert {one["id"] for one in pairs[0]["records"]} == {held["id"], twin["id"]}


def listed_everywhere(site: Practices) -> str:
    """Put the one record on every list of identity; return the batch of INSi it is in."""
    with site.product.runtime.database.transaction() as session:
        session.execute(text('update patient set review = \'{"degraded": "2026-01-01"}\''))
        patient_id = session.execute(text("select id from patient")).scalar_one()
        batch = InsiBatch(structure=A, mode=CallMode.AUTOMATIC, size=1)
        session.add(batch)
        session.flush()
        session.add(InsiBatchItem(batch_id=batch.id, rank=1, patient_id=patient_id))
    return str(batch.id)


def finds(doctor: httpx.Client, batch: str) -> list[str]:
    """The record as each list that may name it shows it to *doctor*."""
    by_ins = doctor.post("/v1/patients/search", json={"matricule": MATRICULE})
    by_paper = doctor.post("/v1/datamatrix/parse", json={"text": PAPER})
    verified = job.got(doctor.get(f"/v1/insi-batches/{batch}"), 200)
    return [
        *(one["id"] for one in job.got(by_ins, 200)["items"]),
        *(one["patient"]["id"] for one in job.got(by_paper, 200)["matches"]),
        *(one["id"] for one in job.got(doctor.get("/v1/identity-worklist"), 200)["items"]),
        *(one["patient_id"] for one in verified["items"]),
    ]


def accept(doctor: httpx.Client, record: dict[str, Any], status: int = 201) -> dict[str, Any]:
    body = {"retrieval_id": job.retrieval(doctor, record)}
    path = f"/v1/patients/{record['id']}/insi-acceptance"
    made: dict[str, Any] = job.got(
        doctor.post(path, json=body, headers=job.as_read(record)), status
    )
    return made
