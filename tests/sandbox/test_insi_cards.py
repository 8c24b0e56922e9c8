"""The INSi sandbox judges cards: assertions are built and signed here by hand."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ris.core import clock, http
from ris.core.crypto import Credential
from ris.core.settings import HttpSettings
from ris.core.xml import canonical, parse
from ris.sandbox.faults import Faults
from ris.sandbox.insi import PATH, build
from ris.sandbox.pki import TestPki
from ris.sandbox.server import Running, serve
from tests.sandbox.test_insi import KIND, fault_code, message

HOLDER = "899700218896"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ASSERTION = (
    '<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" IssueInstant="{begin}" '
    'Version="2.0"><Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName">'
    '{issuer}</Issuer>{signature}<Subject><NameID NameQualifier="{qualifier}">{holder}</NameID>'
    '</Subject><Conditions NotBefore="{begin}" NotOnOrAfter="{end}"/><AuthnStatement '
    'AuthnInstant="{begin}"><AuthnContext/></AuthnStatement><AttributeStatement><Attribute '
    'Name="identifiantFacturation"><AttributeValue>{billing}</AttributeValue></Attribute>'
    '<Attribute Name="{sector}"><AttributeValue>SA07</AttributeValue></Attribute>'
    "</AttributeStatement></Assertion>"
)
INFO = (
    f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXC}"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
    '<ds:Reference URI="#{id}"><ds:Transforms><ds:Transform '
    f'Algorithm="{DS}enveloped-signature"/><ds:Transform Algorithm="{EXC}"/></ds:Transforms>'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)


def assertion(card: Credential, **changes: str) -> str:
    """A signed assertion; *changes* are signed too, `forged` is applied after the signature."""
    certificate, key = card.load()
    now = clock.now()
    forged = changes.pop("forged", "")
    values = {
        "id": f"_{uuid4()}", "issuer": certificate.subject.rfc4514_string(), "qualifier": "CPS",
        "begin": f"{now:%Y-%m-%dT%H:%M:%SZ}", "holder": HOLDER, "billing": "00B1234567",
        "end": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", "sector": "secteurActivite",
        "signature": "",
    } | changes  # fmt: skip
    bare = canonical(parse(ASSERTION.format(**values).encode()))
    digest = base64.b64encode(hashlib.sha256(bare).digest()).decode()
    info = INFO.format(id=values["id"], digest=digest)
    value = key.sign(canonical(parse(info.encode())), PKCS1v15(), SHA256())
    values["signature"] = (
        f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{b64(value)}</ds:SignatureValue>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{b64(der(certificate))}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    )
    whole = ASSERTION.format(**values)
    return whole.replace(">SA07<", f">{forged}<") if forged else whole


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def served(pki: TestPki) -> Iterator[Running]:
    with serve(build(Faults(), believes=pki.believes), tls=pki.server()) as running:
        yield running


@pytest.fixture
def caller(served: Running, pki: TestPki) -> Iterator[httpx.Client]:
    with http.client(trust=pki.trust, settings=HttpSettings()) as client:
        client.base_url = httpx.URL(served.url)
        yield client


@pytest.fixture
def card(pki: TestPki) -> Credential:
    return pki.person(HOLDER, "RADIO", "ALICE", "SIGN")


def post(caller: httpx.Client, assertions: str, sender: str = HOLDER) -> httpx.Response:
    wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    security = f'<w:Security xmlns:w="{wsse}">{assertions}</w:Security></s:Header>'
    content = message(unit=sender).replace("</s:Header>", security)
    return caller.post(PATH, content=content.encode(), headers={"Content-Type": KIND})


def test_a_card_is_answered(caller: httpx.Client, card: Credential) -> None:
    answer = post(caller, assertion(card))
    assert answer.status_code == 200, answer.text
    assert b"<CodeCR>00</CodeCR>" in answer.content


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"forged": "SA05"}, "desir_560"),
        ({"holder": "899700218805"}, "desir_560"),
        ({"end": "2026-01-01T00:00:00Z"}, "desir_560"),
        ({"end": "demain"}, "sandbox_assertion"),
        ({"issuer": "CN=AUTRE"}, "sandbox_assertion"),
        ({"qualifier": "CPE"}, "sandbox_assertion"),
        ({"billing": ""}, "sandbox_assertion"),
        ({"sector": "secteur"}, "sandbox_assertion"),
    ],
)
def test_an_assertion_that_breaks_the_contract_is_refused(
    caller: httpx.Client, card: Credential, changes: dict[str, str], code: str
) -> None:
    assert fault_code(post(caller, assertion(card, **changes))) == code


def test_the_sender_is_the_holder(caller: httpx.Client, card: Credential) -> None:
    assert fault_code(post(caller, assertion(card), sender="10B0000001")) == "sandbox_context"


def test_neither_the_authentication_key_nor_another_authority_serves(
    caller: httpx.Client, pki: TestPki
) -> None:
    for other in (pki.person(HOLDER, "RADIO", "ALICE", "AUTH_CLI"), pki.rogue()):
        assert fault_code(post(caller, assertion(other))) == "desir_560"


def test_one_assertion_exactly(caller: httpx.Client, card: Credential) -> None:
    assert fault_code(post(caller, "")) == "desir_560"
    assert fault_code(post(caller, assertion(card) * 2)) == "desir_560"
    bare = caller.post(PATH, content=message().encode(), headers={"Content-Type": KIND})
    assert fault_code(bare) == "desir_560"
