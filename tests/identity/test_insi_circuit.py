"""INSi in trouble: every failure is told apart, none is "nobody found", and the breaker opens."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography import x509
from sqlalchemy import text

from ris.auth.rights import Role
from ris.core import breaker
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.insi.calls import ask
from ris.identity.insi.circuit import INSI, Circuit
from ris.identity.insi.errors import InsiFault, InsiSuspended, InsiUnavailable
from ris.identity.insi.values import AnswerCode, InsiAnswer, Subject, TraitsQuery
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS, result
from ris.sandbox.pki import TestPki
from tests.identity.conftest import CALLER, PATIENT, ClientFor, Desk, Insi
from tests.identity.test_insi import LOCAL, PLAIN

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    """The instant that the circuit under test believes it is."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(insi: Insi, database: Database, clock: Clock) -> Circuit:
    return Circuit(insi.client, database, breaker.Policy(3, 60, 200), clock)


def search(circuit: Circuit, query: TraitsQuery = PLAIN) -> InsiAnswer:
    return circuit.search(query, caller=CALLER, message_id=f"uuid:{uuid4()}")


def state(database: Database, clock: Clock) -> breaker.Endpoint:
    with database.transaction() as session:
        return breaker.endpoint(session, INSI, clock())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("drop"), "CUT"),
        (Fault("close_mid_message"), "CUT"),
        (Fault("delay", seconds=1), "TIMEOUT"),
        (Fault("drip", seconds=0.01), "TIMEOUT"),
        (Fault("http", status=500), "HTTP_500"),
        (Fault("http", status=503), "HTTP_503"),
        (Fault("http", status=429), "HTTP_429"),
        (Fault("soap", code="insi_102"), "siram_40/insi_102"),
        (Fault("soap", code="insi_999"), "siram_40/insi_999"),
    ],
)
def test_an_outage_counts_and_never_says_that_nobody_was_found(
    insi: Insi, database: Database, client_for: ClientFor, fault: Fault, code: str
) -> None:
    client, clock = client_for(insi.settings.model_copy(update={"total_timeout_s": 0.4})), Clock()
    circuit = Circuit(client, database, breaker.Policy(3, 60, 200), clock)
    insi.faults.inject(BY_TRAITS, fault)
    with pytest.raises(InsiUnavailable) as caught:
        search(circuit)
    assert (caught.value.remote_code, caught.value.status) == (code, 503)
    assert state(database, clock).failures == 1


@pytest.mark.parametrize("code", ["desir_550", "desir_560", "siram_999"])
def test_a_refusal_is_for_the_vendor_and_opens_nothing(
    insi: Insi, circuit: Circuit, database: Database, clock: Clock, code: str
) -> None:
    insi.faults.inject(BY_TRAITS, Fault("soap", code=code, times=4))
    for _ in range(4):
        with pytest.raises(InsiFault) as caught:
            search(circuit)
    assert code in (caught.value.remote_code or "")
    assert caught.value.detail.startswith(("Numéro", "Niveau", "Refus d'INSi, code"))
    assert state(database, clock).state == "closed"


def test_an_answer_too_long_is_cut_short_while_it_is_read(
    insi: Insi, circuit: Circuit, client_for: ClientFor, database: Database, clock: Clock
) -> None:
    whole = result("01")
    insi.state.scripted.append(whole.replace(b"</", b" " * 1_100_000 + b"</", 1))
    with pytest.raises(InsiFault) as caught:
        search(circuit)
    assert caught.value.remote_code == "TOO_LARGE"
    small = client_for(insi.settings.model_copy(update={"max_answer_bytes": len(whole)}))
    insi.state.scripted.append(whole)
    assert search(Circuit(small, database, breaker.Policy(), clock)).code is AnswerCode.NONE


def test_a_refused_certificate_does_not_shut_the_colleagues_out(
    insi: Insi, pki: TestPki, database: Database, clock: Clock, client_for: ClientFor
) -> None:
    client = client_for(insi.settings, lambda idnat, _mode: pki.rogue(idnat))
    circuit = Circuit(client, database, breaker.Policy(1, 60, 200), clock)
    with pytest.raises((InsiFault, InsiUnavailable)) as caught:
        search(circuit)
    assert caught.value.remote_code in ("TLS", "HANDSHAKE")
    assert state(database, clock).state == "closed"


def test_it_opens_answers_at_once_then_tries_one_call(
    insi: Insi, circuit: Circuit, database: Database, clock: Clock
) -> None:
    insi.faults.inject(BY_TRAITS, Fault("http", status=503, times=4))
    for _ in range(3):
        with pytest.raises(InsiUnavailable):
            search(circuit)
    left = len(insi.state.requests)
    with pytest.raises(InsiSuspended) as caught:
        search(circuit)
    assert caught.value.extensions["retry_at"] == (START + timedelta(seconds=60)).isoformat()
    assert "suspendus" in caught.value.title
    assert len(insi.state.requests) == left
    clock.later(61)
    assert state(database, clock).state == "half_open"
    with pytest.raises(InsiUnavailable) as trial:
        search(circuit)
    assert not isinstance(trial.value, InsiSuspended)
    shown = state(database, clock)
    assert (shown.state, shown.open_until) == ("open", clock() + timedelta(seconds=120))
    clock.later(121)
    assert search(circuit).code is AnswerCode.FOUND
    assert state(database, clock) == breaker.Endpoint(INSI, "closed", 0, None, None)


def test_only_one_call_is_the_trial(
    insi: Insi, circuit: Circuit, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        for _ in range(3):
            breaker.failed(session, INSI, START, START, breaker.Policy(3, 60, 200))
    clock.later(61)
    with database.transaction() as session:
        assert breaker.admit(session, INSI, clock(), breaker.Policy(3, 60, 200)) is None
    with pytest.raises(InsiSuspended):
        search(circuit)
    assert insi.state.requests == []


def test_nobody_found_is_an_answer_of_a_sound_service(
    insi: Insi, circuit: Circuit, database: Database, clock: Clock
) -> None:
    insi.faults.inject(BY_TRAITS, Fault("http", status=503, times=2))
    for _ in range(2):
        with pytest.raises(InsiUnavailable):
            search(circuit)
    assert search(circuit, TraitsQuery("HOUILLES", ("PIERRE",), "M", "1993-01-27")).code == "01"
    assert state(database, clock).failures == 0


def test_a_series_that_could_not_begin_leaves_no_call(circuit: Circuit, database: Database) -> None:
    with database.transaction() as session:
        for _ in range(3):
            breaker.failed(session, INSI, START, START, breaker.Policy(3, 60, 200))
    with pytest.raises(InsiSuspended):
        ask(circuit, Subject(LOCAL), None, caller=CALLER, limit=6)


def test_staff_read_at_once_that_insi_is_suspended_and_work_goes_on(
    desk: Desk, database: Database, feature: IdentityFeature, insi: Insi, clock: Clock
) -> None:
    circuit = Circuit(insi.client, database, breaker.Policy(1, 600, 900))
    object.__setattr__(feature, "insi", circuit)
    api = desk(Role.SECRETARY)
    patient = api.post("/patients", json=PATIENT).json()
    insi.faults.inject(BY_TRAITS, Fault("http", status=503))
    down = api.post(f"/patients/{patient['id']}/insi-search", json={})
    assert (down.status_code, down.json()["code"]) == (503, "INSI_UNAVAILABLE")
    again = api.post(f"/patients/{patient['id']}/insi-search", json={})
    assert (again.status_code, again.json()["code"]) == (503, "INSI_SUSPENDED")
    assert "retry_at" in again.json()
    shown = api.get("/insi").json()
    assert [one["state"] for one in shown["endpoints"]] == ["open", "closed"]
    assert (shown["verification"], shown["bulk"]) == ("emulated", "off")
    assert api.get(f"/patients/{patient['id']}").json()["status"] == "provisoire"
    with database.transaction() as session:
        assert session.execute(text("select count(*) from insi_call")).scalar_one() == 1
    other = api.post("/patients", json={**PATIENT, "first_birth_given": "DOMINICA"})
    assert other.status_code == 201


def test_every_call_shows_the_certificate_it_came_under(insi: Insi, circuit: Circuit) -> None:
    search(circuit)
    certificate = x509.load_pem_x509_certificate(insi.state.peers[-1].encode())
    assert f"OU={CALLER.structure}" in certificate.subject.rfc4514_string()
