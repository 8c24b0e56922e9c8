"""The messages received over HTTP: refused ones with their reason, applied again once mended."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from ris.auth.dependencies import current_session
from ris.auth.rights import Permission, Role
from ris.auth.service import SignInDesk
from ris.auth.settings import AuthSettings
from ris.core.audit import AuditEvent
from ris.identity.model import Patient
from ris.interop.hl7v2.routes import router
from ris.interop.hl7v2.service import Inbox
from ris.sandbox.server import serve
from ris.web import problems
from tests.identity.conftest import principal
from tests.interop.hl7v2.sample import message

Api = Callable[..., httpx.Client]
MESSAGES = "/interop/hl7v2/messages"


@pytest.fixture
def api(inbox: Inbox, tmp_path: Path) -> Iterator[Api]:
    """`api(Role.ADMIN_TECH)`: a client of the API, signed in with that role."""
    auth = SignInDesk.build(
        AuthSettings(), database=inbox.database, sealer=inbox.sealer, environment="test"
    )
    with ExitStack() as stack:

        def signed_in(role: Role = Role.IDENTITY_OFFICER) -> httpx.Client:
            app = FastAPI()
            problems.install(app)
            app.include_router(router, prefix="/v1")
            app.state.database, app.state.hl7, app.state.auth = inbox.database, inbox, auth
            who = principal(role, habilitated=False, less=frozenset[Permission]())
            app.dependency_overrides[current_session] = lambda: who
            running = stack.enter_context(serve(app))
            base = f"http://127.0.0.1:{running.port}/v1"
            return stack.enter_context(httpx.Client(base_url=base, trust_env=False))

        yield signed_in


def test_refused_messages_are_listed_newest_first_with_their_reason(inbox: Inbox, api: Api) -> None:
    inbox.receive(message(control="GOOD"))
    for number in range(3):
        inbox.receive(message(control=f"BAD{number}", ipp="P9", sex="X"))
    client = api()
    first = client.get(MESSAGES, params={"limit": 2}).json()
    then = client.get(MESSAGES, params={"limit": 2, "after": first["next"]}).json()
    listed = [*first["items"], *then["items"]]
    assert [one["control_id"] for one in listed] == ["BAD2", "BAD1", "BAD0"]
    assert then["next"] is None
    shown = listed[0]
    assert (shown["state"], shown["ack_code"], shown["error"], shown["condition"]) == (
        "refused", "AE", "HL7_REFUSED", "103"
    )  # fmt: skip
    assert (shown["kind"], shown["sender_application"]) == ("ADT^A28", "GAM")
    assert client.get(MESSAGES, params={"after": "x"}).json()["code"] == "BAD_CURSOR"


def test_nothing_of_a_patient_is_shown_but_his_record_to_who_may_read_it(
    inbox: Inbox, api: Api
) -> None:
    inbox.receive(message())
    asked = {"state": "applied"}
    officer, technician = (api(role) for role in (Role.IDENTITY_OFFICER, Role.ADMIN_TECH))
    seen = [client.get(MESSAGES, params=asked) for client in (officer, technician)]
    assert all("TESTRIS" not in one.text and "P1" not in one.text for one in seen)
    (by_officer,), (by_technician,) = (one.json()["items"] for one in seen)
    assert by_officer["patient_id"] is not None
    assert by_technician["patient_id"] is None
    assert by_technician["action"] == "created"


def test_a_message_mended_here_is_applied_again(inbox: Inbox, api: Api) -> None:
    strict = replace(inbox, settings=inbox.settings.model_copy(update={"processing_ids": ("P",)}))
    strict.receive(message())
    client = api()
    (refused,) = client.get(MESSAGES).json()["items"]
    assert refused["error"] == "HL7_REFUSED"
    replayed = client.post(f"{MESSAGES}/{refused['id']}/replay")
    assert replayed.status_code == 200
    assert (replayed.json()["state"], replayed.json()["action"]) == ("applied", "created")
    assert client.get(MESSAGES).json()["items"] == []
    assert b"MSA|AA|C1" in (inbox.receive(message()) or b"")
    with inbox.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Patient)) == 1
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "hl7.replayed")).one()
    assert (event.actor_role, event.detail) == ("IDENTITY_OFFICER", {"state": "applied"})


def test_a_message_that_stays_bad_stays_refused(inbox: Inbox, api: Api) -> None:
    inbox.receive(message(sex="X"))
    client = api()
    (refused,) = client.get(MESSAGES).json()["items"]
    again = client.post(f"{MESSAGES}/{refused['id']}/replay").json()
    assert (again["state"], again["error"]) == ("refused", "HL7_REFUSED")
    with inbox.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Patient)) == 0


def test_a_stored_message_set_right_is_accepted_when_it_comes_again(inbox: Inbox, api: Api) -> None:
    stored = message(accept="AL")
    strict = replace(inbox, settings=inbox.settings.model_copy(update={"processing_ids": ("P",)}))
    strict.receive(stored)
    strict.apply_waiting()
    client = api()
    (refused,) = client.get(MESSAGES).json()["items"]
    assert client.post(f"{MESSAGES}/{refused['id']}/replay").json()["state"] == "applied"
    assert b"MSA|CA|C1" in (inbox.receive(stored) or b"")


def test_only_a_refused_message_is_replayed(inbox: Inbox, api: Api) -> None:
    inbox.receive(message())
    client = api()
    (applied,) = client.get(MESSAGES, params={"state": "applied"}).json()["items"]
    answer = client.post(f"{MESSAGES}/{applied['id']}/replay")
    assert (answer.status_code, answer.json()["code"]) == (409, "HL7_NOT_REPLAYABLE")
    nobody = client.post(f"{MESSAGES}/00000000-0000-0000-0000-000000000000/replay")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "HL7_MESSAGE_NOT_FOUND")


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.SECRETARY, Role.AUDITOR])
def test_others_do_not_enter(api: Api, role: Role) -> None:
    assert api(role).get(MESSAGES).status_code == 403
