"""Anonymous callers cannot flood the journal: a budget by origin, then one line for the rest."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ris.auth.brake import Brake, BrakeSettings, Summary, origin_of
from ris.auth.settings import AuthSettings
from ris.core import clock
from ris.core.audit import AuditEvent, broken_links
from ris.sandbox.psc import PscProvider
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.auth.conftest import Site

ACTION = "auth.login_failed"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def told() -> list[Summary]:
    return []


@pytest.fixture
def brake(told: list[Summary]) -> Brake:
    with clock.frozen(START):
        return Brake(BrakeSettings(window_s=60, per_origin=3, in_all=5), told.append)


def tries(brake: Brake, number: int, address: str | None, at: datetime = START) -> int:
    with clock.frozen(at):
        admitted = [brake.admits(ACTION, "state_unknown", address) for _ in range(number)]
    return admitted.count(True)


def test_an_origin_has_its_budget_and_all_of_them_another(
    brake: Brake, told: list[Summary]
) -> None:
    assert tries(brake, 10, "192.0.2.1") == 3
    assert tries(brake, 10, "192.0.2.2") == 2
    assert tries(brake, 10, "192.0.2.3") == 0
    assert told == []
    brake.flush()
    (summary,) = told
    assert (summary.count, summary.origins, summary.origin) == (25, 3, None)
    assert summary.kinds == {"auth.login_failed:state_unknown": 25}
    brake.flush()
    assert len(told) == 1


def test_the_next_window_gives_a_new_budget_and_tells_of_the_former(
    brake: Brake, told: list[Summary]
) -> None:
    assert tries(brake, 5, "192.0.2.1") == 3
    late = START + timedelta(seconds=60)
    assert tries(brake, 1, "192.0.2.1", START + timedelta(seconds=59)) == 0
    assert tries(brake, 5, "192.0.2.1", late) == 3
    (summary,) = told
    assert (summary.count, summary.origin) == (3, "192.0.2.1")
    assert (summary.since, summary.until) == (START, late)
    brake.flush()


def test_the_memory_is_bounded_whatever_comes(told: list[Summary]) -> None:
    brake = Brake(BrakeSettings(per_origin=1, in_all=10), told.append)
    for number in range(5000):
        address = f"10.0.{number // 250}.{number % 250}"
        brake.admits(ACTION, f"reason_{number}", address)
    window = brake._window
    assert (len(window.written), len(window.held), len(window.origins)) == (10, 51, 1000)
    brake.flush()
    assert told[0].count == 4990


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_an_ipv6_network_is_one_origin(address: str | None, origin: str) -> None:
    assert origin_of(address) == origin


def lines(site: Site) -> list[AuditEvent]:
    with site.database.transaction() as session:
        return session.query(AuditEvent).order_by(AuditEvent.seq).all()


def test_a_flood_of_every_open_address_leaves_few_lines_and_one_count(
    make_site: Callable[[AuthSettings], Site],
    site: Site,
    auth_settings: AuthSettings,
    provider: PscProvider,
) -> None:
    tight = make_site(auth_settings.model_copy(update={"brake": BrakeSettings(per_origin=4)}))
    before = len(lines(tight))
    client = tight.browser().application
    native = {"code": "x", "verifier": "v" * 43}
    asked = {"ps_idnat": "899700993043"}
    open_addresses = {
        "callback": lambda: client.get("/auth/psc/callback?state=garbage&code=x"),
        "native": lambda: client.post("/auth/native/session", json=native),
        "logout": lambda: client.post(
            "/auth/psc/backchannel-logout", data={"logout_token": "garbage"}
        ),
        "ciba": lambda: client.post("/auth/psc/ciba", json=asked),
    }
    codes = {name: set[int]() for name in open_addresses}
    for _ in range(8):
        for name, call in open_addresses.items():
            codes[name].add(call().status_code)
    assert codes.pop("ciba") <= {404, 429}
    assert codes == {"callback": {400}, "native": {400}, "logout": {400}}
    assert len(lines(tight)) - before == 4
    browser = tight.browser()
    assert browser.sign_in(RADIOLOGIST_A).status_code == 303  # who knows the way still comes in
    tight.desk.refusals.flush()
    (counted,) = tight.trace("auth.refusals_counted")
    assert (counted.reason, counted.origin_ip) == ("flood", "127.0.0.1")
    assert counted.detail["count"] == 28
    assert sum(counted.detail["kinds"].values()) == 28
    assert {kind.split(":")[0] for kind in counted.detail["kinds"]} == {
        "auth.login_failed", "auth.psc_logout_refused", "auth.ciba_refused",
    }  # fmt: skip
    with tight.database.transaction() as session:
        assert list(broken_links(session)) == []
