"""The API of the pool: who may, what comes in, and that no key ever goes out."""

import base64
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ris.auth import accounts
from ris.auth.certificates.settings import PoolSettings
from ris.auth.rights import Role
from ris.auth.settings import AuthSettings
from ris.rem.evidence import Evidence
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import RADIOLOGIST_A, TECHNOLOGIST
from tests.auth.browser import Browser
from tests.auth.certificates.making import A, archive, issue, key_pem, pem, serial
from tests.auth.conftest import Site


@pytest.fixture
def pooled(
    make_site: Callable[[AuthSettings], Site], auth_settings: AuthSettings, tmp_path: Path,
    pki: TestPki,
) -> Site:  # fmt: skip
    """A site with a pool and a technical administrator."""
    told = {"certificates": tmp_path / "pool", "pool": PoolSettings(trust=pki.trust)}
    site = make_site(auth_settings.model_copy(update=told))
    with site.database.transaction() as session:
        accounts.grant(session, TECHNOLOGIST.ps_idnat, Role.ADMIN_TECH)
        accounts.grant(session, RADIOLOGIST_A.ps_idnat, Role.RADIOLOGIST)
    return site


@pytest.fixture
def technician(pooled: Site) -> Browser:
    browser = pooled.browser()
    browser.sign_in(TECHNOLOGIST)
    return browser


def post(browser: Browser, **body: object) -> httpx.Response:
    told = {"struct_idnat": A, "usage": "AUTH_CLI", **body}
    return browser.application.post("/v1/certificates", json=told, headers=browser.csrf())


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_the_technical_administrator_adds_an_archive_then_its_replacement(
    pooled: Site, technician: Browser, pki: TestPki, evidence: Evidence
) -> None:
    first, second = issue(pki, days=(-30, 25)), issue(pki, usage="AUTH_CLI", days=(20, 900))
    brought = base64.b64encode(archive(first, "mot de passe")).decode()
    answer = post(technician, certificate=brought, password="mot de passe")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["serial"], answer.json()["state"]) == (serial(first), "current")
    text = {"certificate": pem(second).decode(), "key": key_pem(second.key).decode()}
    assert post(technician, **text).json()["state"] == "next"
    listed = technician.application.get("/v1/certificates")
    evidence.add("05", "certificates.json", listed.text)
    shown = [(one["state"], one["alert"], one["warnings"]) for one in listed.json()]
    assert shown == [("next", None, []), ("current", None, [])]
    assert listed.json()[1]["days_left"] == 24
    assert "PRIVATE" not in listed.text + answer.text
    add, replace = pooled.trace("auth.certificate_add") + pooled.trace("auth.certificate_replace")
    assert {add.actor_ps_idnat, replace.actor_ps_idnat} == {TECHNOLOGIST.ps_idnat}
    assert "PRIVATE" not in str(add.detail) + str(replace.detail)
    again = post(technician, **text)
    assert (again.status_code, again.json()["code"]) == (409, "CERTIFICATE_KNOWN")


def test_an_old_sign_in_may_look_but_not_add(
    pooled: Site, technician: Browser, pki: TestPki
) -> None:
    pooled.change("update ris_session set auth_time = auth_time - interval '31 minutes'")
    offer = issue(pki)
    answer = post(technician, certificate=(pem(offer) + key_pem(offer.key)).decode())
    assert (answer.status_code, answer.json()["code"]) == (401, "psc_step_up_required")
    assert technician.application.get("/v1/certificates").json() == []


def test_nobody_else_adds_one(pooled: Site, pki: TestPki) -> None:
    doctor = pooled.browser()
    doctor.sign_in(RADIOLOGIST_A)
    answer = post(doctor, certificate=pem(issue(pki)).decode())
    assert (answer.status_code, answer.json()["code"]) == (403, "role_denied")


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"usage": "SIGN"}, "CERTIFICATE_REFUSED", "WRONG_USAGE"),
        ({"struct_idnat": "499700993019014"}, "CERTIFICATE_REFUSED", "OTHER_STRUCTURE"),
        ({"struct_idnat": "../etc"}, "STRUCTURE_INVALID", None),
        ({"certificate": "pas du base64 !"}, "CERTIFICATE_REFUSED", "UNREADABLE"),
        ({"usage": "AUTRE"}, "INVALID", None),
        ({"key": "x" * 70_000}, "INVALID", None),
    ],
)
def test_a_refusal_says_why_and_repeats_no_key(
    technician: Browser, pki: TestPki, body: dict[str, str], code: str, reason: str | None
) -> None:
    offer = issue(pki)
    whole = {"certificate": pem(offer).decode(), "key": key_pem(offer.key).decode(), **body}
    answer = post(technician, **whole)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json().get("reason") == reason
    assert "PRIVATE" not in answer.text
    assert technician.application.get("/v1/certificates").json() == []
