"""An SCM of three practices: nothing leaves under the SCM, nor under a colleague (RIS.AUTH.01)."""

import base64
import gzip
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from ris import app as root
from ris.core.db import Database
from ris.demo.environment import environment
from ris.demo.processes import free_port
from ris.rem.evidence import Evidence
from ris.sandbox.psc_people import IDENTITY_OFFICER, SECRETARY, TECHNOLOGIST, Person
from ris.sandbox.services import Sandbox, mailbox_of
from tests.journeys.scm import (
    LOCUM,
    OWNERS,
    SCM,
    SIGNERS,
    A,
    B,
    C,
    Life,
    Sent,
    conclusion,
    practice,
)
from tests.journeys.wire import everything, holds
from tests.plugin_database import fill_template
from tests.security import job
from tests.security.product import running

pytestmark = pytest.mark.xdist_group("scm")
STRANGERS = (SCM[1:], SECRETARY.ps_idnat, TECHNOLOGIST.ps_idnat, "SCM IMAGERIE INVENTEE")


@pytest.fixture(scope="module")
def life(
    keys: Path, tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]
) -> Iterator[Life]:
    """The SCM, lived once."""
    url, home = new_database(), tmp_path_factory.mktemp("scm")
    fill_template(url)
    api_url = f"http://127.0.0.1:{free_port()}"
    with (
        Sandbox(keys, api_url=api_url, radiologists=OWNERS) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in environment(sandbox, home / "site").items():
            patch.setenv(name, value)
        database = Database(url, pool_size=5)
        with running(database, root.Settings()) as product:
            lived = Life(product, sandbox)
            aside = home / "aside"
            aside.mkdir()
            lived.live(home / "site" / "certificates", aside)
            yield lived
        database.close()


@pytest.fixture(scope="module")
def sent(life: Life) -> list[Sent]:
    """All that left."""
    return life.sent()


def foreign(person: Person) -> set[str]:
    """What may never be in what leaves in the name of *person*."""
    others = {one for one in SIGNERS if one is not person}
    found = {one.ps_idnat for one in others} | {mailbox_of(one) for one in others}
    found |= {place.struct_idnat for one in SIGNERS for place in one.workplaces}
    return (found | set(STRANGERS)) - {practice(person)}


def everywhere(one: Sent) -> list[bytes]:
    """All the bytes to search: what was sent, and the certificate of the connection."""
    return [*one.contents, one.peer.encode()]


def of(person: Person, sent: list[Sent]) -> list[Sent]:
    """What holds the conclusion of *person* or his name as the DMP's user."""
    marks = (conclusion(person), f"<saml2:NameID>{person.ps_idnat}</saml2:NameID>")
    return [one for one in sent if any(holds(one.contents, mark) for mark in marks)]


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
@pytest.mark.parametrize("person", SIGNERS, ids=lambda one: one.given)
def test_what_a_radiologist_signs_leaves_under_his_practice_and_nobody_elses(
    sent: list[Sent], person: Person, evidence: Evidence
) -> None:
    own = of(person, sent)
    channels = [one.channel for one in own]
    assert "dmp" in channels
    assert channels.count("mss") == (3 if person is A else 2)
    for one in own:
        assert f"OU={practice(person)}" in one.peer
        assert holds(one.contents, practice(person))
        assert [x for x in foreign(person) if holds(everywhere(one), x)] == []
    evidence.add("01", f"{person.given.lower()}.txt", "\n".join(one.peer for one in own))


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_every_byte_captured_is_of_one_practice_and_never_of_the_scm(sent: list[Sent]) -> None:
    reports = [one for person in SIGNERS for one in of(person, sent)]
    assert len(reports) == len([one for one in sent if one.channel != "insi"])
    for one in sent:
        assert [stranger for stranger in STRANGERS if holds(everywhere(one), stranger)] == []
        practices = {practice(x) for x in SIGNERS if holds(everywhere(one), practice(x))}
        assert len(practices) == 1, (one.channel, practices)


@pytest.mark.rem("RIS.AUTH.02", scenario="AUTH/va1.02.01")
def test_insi_is_called_under_the_practice_of_the_physician_named(
    life: Life, sent: list[Sent]
) -> None:
    calls = [one.peer for one in sent if one.channel == "insi"]
    assert {practice(x) for x in (A, B, C)} == {x.split("OU=")[1].split(",")[0] for x in calls}
    nobody = life.answers["nobody"]
    assert nobody.json()["code"] == "INSI_CALLER_MISSING"


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_missing_certificate_holds_that_practice_only_and_names_the_link(life: Life) -> None:
    assert life.answers["of B"].json()["code"] == "CERTIFICATE_MISSING"
    assert {one["state"] for one in life.held} == {"held"}
    for one in life.held:
        told = one["attempts"][-1]["error_detail"]
        assert practice(B) in told, one["channel"]
        assert "AUTH_CLI" in told or "SIGN" in told
    for person in (A, C):
        assert {one["state"] for one in life.deliveries(person)} == {"delivered"}


def test_a_secretary_sends_and_replays_under_a_delegation_and_the_journal_names_both(
    life: Life,
) -> None:
    for refused, physician in (("send before", A), ("replay before", B), ("replay after", B)):
        answer = life.answers[refused]
        assert (answer.status_code, answer.json()["code"]) == (403, "delegation_missing")
        assert f"{physician.given} {physician.family}" in answer.json()["detail"]
    assert life.answers["send under"].status_code == 201
    assert {one["state"] for one in life.deliveries(B)} == {"delivered"}
    clerk = f"{SECRETARY.given} {SECRETARY.family}"
    auditor = life.at(IDENTITY_OFFICER)
    for action, physician in (("delivery.requested", A), ("delivery.replayed", B)):
        answer = auditor.get("/v1/audit/events", params={"action": action})
        event = job.got(answer, 200)["items"][0]
        assert (event["person"], event["role"]) == (clerk, "SECRETARY")
        assert event["on_behalf_of"] == f"{physician.given} {physician.family}"
        assert event["structure"] == practice(physician)
    refusals = auditor.get("/v1/audit/events", params={"action": "auth.access_denied"})
    reasons = [one["reason"] for one in refusals.json()["items"]]
    assert reasons.count("delegation_missing") == 3
    mine = life.at(B).get("/v1/audit/mine").json()["items"]
    assert clerk in {one["person"] for one in mine}


def test_a_delegate_never_signs(life: Life) -> None:
    answer = job.sign(life.at(SECRETARY), life.reports[A.ps_idnat])
    assert (answer.status_code, answer.json()["code"]) == (403, "role_denied")


def test_a_report_open_before_a_switch_leaves_under_the_practice_it_was_opened_in(
    life: Life,
) -> None:
    assert life.answers["switch"].status_code == 204
    now = [one for one in life.at(C).get("/v1/session").json()["situations"] if one["chosen"]]
    assert [one["struct_idnat"] for one in now] == [C.workplaces[1].struct_idnat]
    assert {one["struct_idnat"] for one in life.deliveries(C)} == {practice(C)}
    auditor = life.at(IDENTITY_OFFICER)
    events = auditor.get("/v1/audit/events", params={"action": "report.signed"}).json()["items"]
    assert {one["person"]: one["structure"] for one in events} == {
        f"{one.given} {one.family}": practice(one) for one in SIGNERS
    }


def test_a_locum_is_the_author_under_the_practice_of_whom_he_replaces(life: Life) -> None:
    refused = life.answers["for the scm"]
    assert (refused.status_code, refused.json()["code"]) == (403, "structure_unusable")
    report = life.reports[LOCUM.ps_idnat]
    cda = life.at(A).get(f"/v1/reports/{report['id']}/versions/1/n1").content
    author = cda[cda.index(b"<author>") : cda.index(b"</author>")]
    assert LOCUM.ps_idnat.encode() in author
    assert practice(B).encode() in author[author.index(b"<representedOrganization") :]
    assert {one["ps_idnat"] for one in life.deliveries(LOCUM)} == {LOCUM.ps_idnat}
    fed = [one for one in life.sandbox.dmp.submissions if one.user == LOCUM.ps_idnat]
    assert [one.structure for one in fed] == [practice(B)]
    ended = life.answers["locum after"].json()
    assert ended["state"] == "NEEDS_SITUATION"
    assert [one["struct_idnat"] for one in ended["situations"]] == [
        LOCUM.workplaces[0].struct_idnat
    ]


def test_what_searches_finds_a_planted_identifier_however_it_is_wrapped() -> None:
    text = f"<id extension='{SCM}'/>".encode() * 3
    archive = BytesIO()
    with ZipFile(archive, "w", ZIP_DEFLATED) as opened:
        opened.writestr("IHE_XDM/METADATA.XML", text)
    for wrapped in (
        text,
        archive.getvalue(),
        gzip.compress(text),
        base64.b64encode(text),
        base64.encodebytes(archive.getvalue()),
        base64.b64encode(b"<x>" + base64.encodebytes(text) + b"</x>"),
        f"3%300000000993014 {SCM[1:9]}%30{SCM[10:]}".encode(),
        b"x" + base64.b64encode(b"a" + SCM.encode() + b"b"),
        SCM.encode().hex().encode(),
        SCM.encode("utf-16"),
    ):
        assert holds(everything(wrapped), SCM[1:]), wrapped
    assert not holds(everything(text), practice(A))
