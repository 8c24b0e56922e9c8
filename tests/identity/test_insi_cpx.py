"""Calls of INSi by card: the workstation has the card sign, INSi sees the person (RIS.INS.49)."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from ris.auth.card.settings import CardSettings
from ris.auth.card.trust import CardTrust
from ris.auth.rights import Role
from ris.core import clock, ids
from ris.core.crypto import Credential
from ris.core.soap import SOAP12
from ris.core.xml import parse
from ris.identity.feature import IdentityFeature
from ris.identity.insi.cpx import Card, Statement, check_card, signed, to_sign
from ris.identity.insi.errors import InsiCardRefused
from ris.identity.insi.message import WSSE
from ris.identity.settings import IdentitySettings
from ris.rem.evidence import Evidence
from ris.sandbox import insi as sandbox
from ris.sandbox.faults import Fault, Faults
from ris.sandbox.insi import BY_TRAITS
from ris.sandbox.pki import TestPki
from ris.sandbox.server import serve
from tests.identity.conftest import PATIENT, ClientFor, Desk, Insi

HOLDER = "899700218896"  # whom the desk's clients are signed in as
Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def by_card(pki: TestPki) -> Iterator[tuple[str, sandbox.InsiSandbox]]:
    """The address of calls by card: one-way TLS."""
    app = sandbox.build(Faults(), believes=pki.believes)
    with serve(app, tls=pki.server()) as running:
        yield running.url + sandbox.PATH, app.state.insi


@pytest.fixture
def site(
    insi: Insi, feature: IdentityFeature, by_card: tuple[str, sandbox.InsiSandbox],
    client_for: ClientFor, pki: TestPki,
) -> IdentityFeature:  # fmt: skip
    by_card[1].requests.clear()
    settings = insi.settings.model_copy(update={"cpx_endpoint": by_card[0]})
    trust = CardTrust(cards(pki))
    return replace(
        feature,
        settings=IdentitySettings(insi=settings),
        insi=client_for(settings),
        card_trust=trust.verify,
    )


def cards(pki: TestPki) -> CardSettings:
    """The authorities of cards, and their revocations."""
    name = pki.issuer.load()[0].subject.rfc4514_string()
    return CardSettings(trust=pki.trust, crl=pki.crl, person_authorities=(name,))


@pytest.fixture
def cps(pki: TestPki) -> Credential:
    return pki.person(HOLDER, "RADIO", "ALICE", "SIGN")


def read(card: Credential) -> Json:
    """What the workstation's connector reads on a card."""
    der = card.load()[0].public_bytes(Encoding.DER)
    return {
        "certificate": base64.b64encode(der).decode(), "billing_id": "00B1234567", "sector": "SA07",
    }  # fmt: skip


def sign(card: Credential, content: bytes) -> str:
    """What the card itself does, once its code is typed."""
    return base64.b64encode(card.load()[1].sign(content, PKCS1v15(), SHA256())).decode()


def card_body(api: httpx.Client, card: Credential) -> Json:
    answer = api.post("/insi/card-assertions", json=read(card))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["algorithm"] == "RSASSA-PKCS1-v1_5-SHA256"
    return {
        **read(card),
        "assertion_id": told["assertion_id"],
        "issued_at": told["issued_at"],
        "signature": sign(card, base64.b64decode(told["to_sign"])),
    }


@pytest.mark.rem("RIS.INS.49", scenario="INS/va1.58.01")
def test_a_search_by_card_then_one_by_certificate(
    desk: Desk, *, site: IdentityFeature, insi: Insi, cps: Credential,
    by_card: tuple[str, sandbox.InsiSandbox], evidence: Evidence,
) -> None:  # fmt: skip
    api = desk(Role.RADIOLOGIST, feature=site)
    patient = api.post("/patients", json=PATIENT).json()
    search = f"/patients/{patient['id']}/insi-search"
    card = card_body(api, cps)
    found = api.post(search, json={"card": card})
    assert (found.status_code, found.json()["code"]) == (201, "00"), found.text
    assert insi.state.requests == []
    assert by_card[1].peers[-1] == ""
    request = by_card[1].requests[-1]
    assert f"<ctxlps:Emetteur>{HOLDER}<".encode() in request
    again = api.post(search, json={"card": card})
    assert again.json()["code"] == "00"
    plain = api.post(search, json={})
    assert plain.json()["code"] == "00"
    assert b"Security" not in insi.state.requests[-1]
    journal = api.get(f"/patients/{patient['id']}/insi-calls").json()["items"]
    assert [call["mode"] for call in journal] == ["CPX", "CPX", "MANU"]
    evidence.add("01", "by-card.xml", request)
    evidence.add("02", "by-certificate.xml", insi.state.requests[-1])
    evidence.add("03", "calls.json", {"calls": journal})


def test_a_verification_by_card_too(desk: Desk, site: IdentityFeature, cps: Credential) -> None:
    api = desk(feature=site)
    patient = api.post("/patients", json=PATIENT).json()
    path, card = f"/patients/{patient['id']}", card_body(api, cps)
    found = api.post(f"{path}/insi-search", json={"card": card}).json()
    seen = {"If-Match": api.get(path).headers["etag"]}
    body = {"retrieval_id": found["retrieval_id"]}
    assert api.post(f"{path}/insi-acceptance", json=body, headers=seen).status_code == 201
    checked = api.post(f"{path}/insi-verification", json={"card": card}).json()
    assert (checked["result"], checked["calls"][-1]["mode"]) == ("OK", "CPX")


def test_the_security_header_is_valid_against_the_official_schema(
    desk: Desk, site: IdentityFeature, cps: Credential, conformance: Path,
    by_card: tuple[str, sandbox.InsiSandbox],
) -> None:  # fmt: skip
    api = desk(feature=site)
    patient = api.post("/patients", json=PATIENT).json()
    api.post(f"/patients/{patient['id']}/insi-search", json={"card": card_body(api, cps)})
    root = parse(by_card[1].requests[-1])
    security = root.find(f"{{{SOAP12}}}Header/{{{WSSE}}}Security")
    file = conformance / "ins" / "wsdl" / "xsd" / "WSSE" / "Security.xsd"
    etree.XMLSchema(etree.parse(str(file))).assertValid(security)


@pytest.mark.parametrize(
    ("card", "detail"),
    [
        (lambda pki: pki.person("899700218805", "AUTRE", "BOB", "SIGN"), "personne connectée"),
        (lambda pki: pki.rogue(), "personne connectée"),
    ],
)
def test_only_the_card_of_the_person_signed_in_may_call(
    desk: Desk, site: IdentityFeature, pki: TestPki, card: Callable[[TestPki], Credential],
    detail: str,
) -> None:  # fmt: skip
    answer = desk(feature=site).post("/insi/card-assertions", json=read(card(pki)))
    assert (answer.status_code, answer.json()["code"]) == (422, "INSI_CPX_REFUSED")
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("change", ["signature", "sector", "issued_at", "assertion_id"])
def test_what_the_card_did_not_sign_never_leaves(
    desk: Desk, site: IdentityFeature, cps: Credential, by_card: tuple[str, sandbox.InsiSandbox],
    change: str,
) -> None:  # fmt: skip
    api = desk(feature=site)
    patient = api.post("/patients", json=PATIENT).json()
    other = {
        "signature": sign(cps, b"autre chose"),
        "sector": "SA05",
        "issued_at": (clock.now() - timedelta(seconds=90)).isoformat(),
        "assertion_id": str(ids.new()),
    }
    card = {**card_body(api, cps), change: other[change]}
    answer = api.post(f"/patients/{patient['id']}/insi-search", json={"card": card})
    assert (answer.status_code, answer.json()["code"]) == (422, "INSI_CPX_REFUSED")
    assert by_card[1].requests == []


def test_a_site_without_cards_says_so(desk: Desk, cps: Credential) -> None:
    answer = desk().post("/insi/card-assertions", json=read(cps))
    assert (answer.status_code, answer.json()["code"]) == (503, "INSI_CPX_NOT_CONFIGURED")
    assert answer.json()["rem"] == ["RIS.INS.49"]
    bad = desk().post("/insi/card-assertions", json={**read(cps), "certificate": "x"})
    assert (bad.status_code, bad.json()["code"]) == (422, "INSI_CPX_REFUSED")


def test_a_signature_serves_for_as_long_as_it_says(cps: Credential) -> None:
    card = Card(cps.load()[0], "00B1234567", "SA07")
    statement = Statement(ids.new(), NOW, 3600)
    signature = sign(cps, to_sign(card, statement))
    assert b"Assertion" in signed(card, statement, signature, NOW + timedelta(seconds=3599))
    for late in (timedelta(seconds=3600), -timedelta(minutes=2)):
        with pytest.raises(InsiCardRefused):
            signed(card, statement, signature, NOW + late)


@pytest.mark.parametrize(
    ("update", "reason"),
    [({"person_authorities": ("CN=AUTRE",)}, "WRONG_AUTHORITY"), ({"trust": None}, "UNTRUSTED")],
)
def test_a_card_is_judged_as_for_a_sign_in(
    pki: TestPki, cps: Credential, update: Json, reason: str
) -> None:
    card = Card(cps.load()[0], "00B1234567", "SA07")
    check_card(card, HOLDER, CardTrust(cards(pki)).verify)
    told = update if update.get("trust", "") is not None else {"trust": pki.rogue().certificate}
    strict = CardTrust(cards(pki).model_copy(update=told))
    with pytest.raises(InsiCardRefused) as caught:
        check_card(card, HOLDER, strict.verify)
    assert caught.value.extensions["reason"] == reason


def test_a_revoked_card_calls_nobody(tmp_path: Path) -> None:
    own = TestPki(tmp_path)
    lost = own.person(HOLDER, "RADIO", "ALICE", "SIGN")
    own.revoke(lost)
    with pytest.raises(InsiCardRefused) as caught:
        check_card(Card(lost.load()[0], "1", "SA07"), HOLDER, CardTrust(cards(own)).verify)
    assert caught.value.extensions["reason"] == "REVOKED"


def test_the_two_addresses_fail_apart(
    desk: Desk, site: IdentityFeature, insi: Insi, cps: Credential,
    by_card: tuple[str, sandbox.InsiSandbox],
) -> None:  # fmt: skip
    api = desk(feature=site)
    patient = api.post("/patients", json=PATIENT).json()
    by_card[1].faults.inject(BY_TRAITS, Fault("http", status=503))
    search = f"/patients/{patient['id']}/insi-search"
    down = api.post(search, json={"card": card_body(api, cps)})
    assert (down.status_code, down.json()["code"]) == (503, "INSI_UNAVAILABLE")
    assert api.post(search, json={}).json()["code"] == "00"
    assert len(insi.state.requests) == 1
