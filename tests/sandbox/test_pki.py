"""The throw-away authority: lawful certificates, refused where they must be."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from ris.core import http
from ris.core.crypto import Credential
from ris.core.errors import Transient
from ris.core.settings import HttpSettings
from ris.sandbox.faults import Fault, Faults
from ris.sandbox.pki import TestPki
from ris.sandbox.server import Cut, serve


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await Request(scope, receive).body()
        chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
        await PlainTextResponse(str(len(chain)))(scope, receive, send)


def call(url: str, pki: TestPki, credential: Credential | None) -> httpx.Response:
    settings = HttpSettings(connect_timeout_s=2, total_timeout_s=2)
    with http.client(trust=pki.trust, credential=credential, settings=settings) as client:
        return http.call(client, client.build_request("POST", url, content=b"x"))


def subject(credential: Credential) -> dict[str, str]:
    names = credential.load()[0].subject
    return {one.rfc4514_attribute_name: str(one.value) for one in names}


def test_an_organisation_certificate_names_the_structure_in_its_unit(pki: TestPki) -> None:
    auth = pki.organisation("499700991013001", "AUTH_CLI", name="INSI-MANU")
    assert subject(auth) == {
        "C": "FR", "O": "STRUCTURE FICTIVE", "OU": "499700991013001", "CN": "INSI-MANU",
    }  # fmt: skip
    usages = auth.load()[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_signature_certificate_may_sign_and_not_open_a_connection(pki: TestPki) -> None:
    sign = pki.organisation("499700991013001", "SIGN")
    usage = sign.load()[0].extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert not usage.key_encipherment
    assert sign != pki.organisation("499700991013001", "AUTH_CLI")


def test_a_person_is_named_by_his_identifier(pki: TestPki) -> None:
    certificate = pki.person("899700991013", "DOC", "ALICE").load()[0]
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "899700991013"


def test_a_required_certificate_lets_in_only_ours(pki: TestPki) -> None:
    with serve(app, tls=pki.server(), client_ca=pki.trust, client_cert="required") as running:
        assert call(running.url, pki, pki.organisation("1", "AUTH_CLI")).text == "1"
        for refused in (None, pki.rogue(), pki.expired()):
            with pytest.raises(Transient):
                call(running.url, pki, refused)


def test_an_optional_certificate_shows_an_empty_chain(pki: TestPki) -> None:
    with serve(app, tls=pki.server(), client_ca=pki.trust, client_cert="optional") as running:
        assert call(running.url, pki, None).text == "0"
        assert call(running.url, pki, pki.organisation("1", "AUTH_CLI")).text == "1"
        with pytest.raises(Transient):
            call(running.url, pki, pki.rogue())


def test_a_revoked_certificate_is_refused_at_the_handshake(tmp_path: Path) -> None:
    pki = TestPki(tmp_path)
    kept, revoked = pki.organisation("1", "AUTH_CLI"), pki.organisation("2", "AUTH_CLI")
    pki.revoke(revoked)
    with serve(
        app, tls=pki.server(), client_ca=pki.trust, client_cert="required", crl=pki.crl
    ) as running:
        assert call(running.url, pki, kept).text == "1"
        with pytest.raises(Transient):
            call(running.url, pki, revoked)


def test_the_authority_believes_only_what_it_issued_and_did_not_revoke(tmp_path: Path) -> None:
    pki = TestPki(tmp_path)
    revoked = pki.organisation("2", "SIGN")
    assert pki.believes(revoked.load()[0])
    pki.revoke(revoked)
    pki.revoke(revoked)
    judged = [
        pki.believes(one.load()[0])
        for one in (pki.organisation("1", "SIGN"), revoked, pki.rogue(), pki.expired())
    ]
    assert judged == [True, False, False, False]
    assert len(list(x509.load_pem_x509_crl(pki.crl.read_bytes()))) == 1


def test_a_second_start_gives_the_same_files_and_is_fast(tmp_path: Path) -> None:
    first = TestPki(tmp_path).organisation("1", "AUTH_CLI").certificate.read_bytes()
    start = time.monotonic()
    assert TestPki(tmp_path).organisation("1", "AUTH_CLI").certificate.read_bytes() == first
    assert time.monotonic() - start < 1


def test_four_processes_may_share_one_directory(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from ris.sandbox.pki import TestPki; "
        "c = TestPki(pathlib.Path(sys.argv[1])).organisation('1', 'AUTH_CLI'); "
        "print(c.load()[0].serial_number, c.load()[0].public_key() == c.load()[1].public_key())"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate(timeout=60)[0].strip() for process in started}
    assert len(said) == 1
    assert said.pop().endswith(" True")


def test_keys_are_private_files(pki: TestPki) -> None:
    assert pki.server().key.stat().st_mode & 0o777 == 0o600


def test_faults_strike_in_order_as_often_as_asked_then_stop() -> None:
    faults = Faults()
    faults.inject("feed", Fault("drop", times=2))
    faults.inject("feed", Fault("soap", code="BUSY"))
    faults.inject("*", Fault("http", status=503))
    struck = [faults.next("feed") for _ in range(5)]
    assert [one and one.kind for one in struck] == ["drop", "drop", "soap", "http", None]
    faults.inject("feed", Fault("delay", seconds=9))
    faults.clear()
    assert faults.next("feed") is None


def test_a_server_that_must_die_cuts_a_plain_connection_too() -> None:
    with serve(Cut()) as running, httpx.Client(trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(running.url)
        port = running.port
    with serve(app, port=port) as again, httpx.Client(trust_env=False) as client:
        assert client.get(again.url).text == "0"
