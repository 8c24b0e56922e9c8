"""The card listener as an operator meets it: its command, what it lacks, its revocation lists."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ris import app as root
from ris import upkeep
from ris.auth.card.settings import CardSettings
from ris.auth.card.trust import CardTrust
from ris.auth.errors import CardUnverifiable
from ris.auth.settings import AuthSettings
from ris.core import http
from ris.core.db import Database
from ris.core.settings import HttpSettings
from ris.demo.processes import free_port
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import SECRETARY
from ris.sandbox.server import serve
from ris.settings import Settings, missing
from tests.auth.card_site import COOKIE, LOGIN, card_of, card_settings, enrol

SITE = "https://ris.test"


def environment(database: Database, pki: TestPki, ring: Path) -> dict[str, str]:
    """The settings of a site with its card listener, as its operator writes them."""
    told = card_settings(pki, pki.server())
    given = {
        "ENVIRONMENT": "test", "DATABASE_URL": database.url, "KEYRING": str(ring),
        "AUTH__ALLOW_TEST_IDS": "true", "AUTH__ORIGIN": SITE, "AUTH__CARD__ENABLED": "true",
        "AUTH__CARD__TRUST": str(told.trust), "AUTH__CARD__CRL": str(told.crl),
        "AUTH__CARD__PERSON_AUTHORITIES": f'["{told.person_authorities[0]}"]',
        "AUTH__CARD__SERVER_CERTIFICATE": str(told.server_certificate),
        "AUTH__CARD__SERVER_KEY": str(told.server_key),
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RIS_")}
    return {**kept, **{f"RIS_{name}": value for name, value in given.items()}}


def test_the_command_serves_cards_until_told_to_stop(
    database: Database, pki: TestPki, tmp_path: Path
) -> None:
    enrol(database)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "ris", "card-login", "--port", str(port)],
        env=environment(database, pki, tmp_path / "keyring.json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    tls = http.context(trust=pki.trust, credential=card_of(pki, SECRETARY))
    try:
        with httpx.Client(base_url=f"https://localhost:{port}", verify=tls, trust_env=False) as one:
            assert waited(one).json() == {"status": "ok"}
            answer = one.get(LOGIN, params={"next": "/accueil"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{SITE}/accueil")
        assert COOKIE in answer.cookies
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert b"Traceback" not in told


def waited(client: httpx.Client) -> httpx.Response:
    """The health of a listener that takes a few seconds to start."""
    end = time.monotonic() + 40
    while time.monotonic() < end:
        try:
            return client.get("/health")
        except httpx.ConnectError:
            time.sleep(0.1)
    raise AssertionError("the card listener did not start")


def test_the_check_of_the_settings_names_what_cards_lack(pki: TestPki) -> None:
    def lacking(card: CardSettings, origin: str = "") -> str:
        auth = AuthSettings(card=card, origin=origin)
        return "\n".join(one for one in missing(Settings(auth=auth)) if "CARD" in one
                         or "ORIGIN" in one)  # fmt: skip

    assert lacking(CardSettings()) == ""
    bare = lacking(CardSettings(enabled=True, crl=pki.crl))
    for name in ("CARD__TRUST", "CARD__PERSON_AUTHORITIES", "CARD__SERVER_CERTIFICATE"):
        assert name in bare
    whole = card_settings(pki, pki.server())
    assert lacking(whole).startswith("RIS_AUTH__ORIGIN")
    assert lacking(whole, SITE) == ""
    behind = whole.model_copy(update={"server_certificate": None, "server_key": None})
    assert lacking(behind) == ""


def test_a_site_that_lets_no_card_in_has_no_desk_and_the_whole_product_one_when_asked(
    database: Database, pki: TestPki, tmp_path: Path
) -> None:
    closed = Settings(environment="test", keyring=tmp_path / "keyring.json")
    asked = closed.model_copy(
        update={"auth": AuthSettings(card=card_settings(pki, pki.server()), origin=SITE)}
    )
    for settings, status, code in (
        (closed, 503, "NOT_CONFIGURED"),
        (asked, 401, "card_refused"),
    ):
        runtime = root.compose(settings, database)
        try:
            with (
                serve(root.create_app(runtime)) as running,
                httpx.Client(base_url=running.url, trust_env=False) as client,
            ):
                answer = client.get(LOGIN)
        finally:
            runtime.desk.close()
            runtime.directory.close()
            runtime.identity.close()
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_worker_fetches_the_lists_of_the_cards(pki: TestPki, tmp_path: Path) -> None:
    cards = TestPki(tmp_path / "cards")
    lists = {"good": cards.crl.read_bytes(), "foreign": pki.crl.read_bytes()}

    def give(request: Request) -> Response:
        return Response(lists[request.path_params["name"]])

    with serve(Starlette(routes=[Route("/{name}", give)])) as running:
        base = f"http://127.0.0.1:{running.port}"
        kept = tmp_path / "new" / "cards.crl"
        settings = card_settings(cards, pki.server()).model_copy(
            update={"crl": kept, "crl_urls": (f"{base}/foreign", f"{base}/good")}
        )
        assert list(upkeep._of_cards(CardSettings(), HttpSettings())) == []
        (job,) = upkeep._of_cards(settings, HttpSettings())
        certificate = card_of(cards, SECRETARY).load()[0]
        with pytest.raises(CardUnverifiable):
            CardTrust(settings).verify(certificate)
        job.run()
    CardTrust(settings).verify(certificate)
    assert len(kept.read_bytes().split(b"BEGIN X509 CRL")) == 3
