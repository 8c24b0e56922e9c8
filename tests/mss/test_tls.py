"""The TLS table of rem.md §11.4 and the certificate rules, against real listeners."""

import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from ris.core.crypto import Credential
from ris.core.errors import NotConfigured
from ris.mss.errors import TlsRefused
from ris.mss.settings import TlsPolicy
from ris.mss.smtp import Endpoint, Login, Parcel, Receipt, submit
from ris.mss.tls import SUITES, operator_context
from ris.rem.evidence import Evidence
from ris.sandbox.mss.operator import SandboxOperator
from ris.sandbox.pki import TestPki
from tests.mss.conftest import ACCOUNTS, APP, GP, WHITELIST

PLAIN = Login(APP, "plain", "app-secret")
MAIL = (
    f'From: "Imagerie" <{APP}>\r\nTo: {GP}\r\nSubject: Question\r\n'
    "Date: Thu, 05 Mar 2026 09:30:00 +0000\r\nMessage-ID: <1@lilas.test.mssante.fr>\r\n"
    "X-MSS-NIL: DEV1\r\n\r\nBonjour.\r\n"
).encode()
Try = Callable[..., Receipt]


def told(context: ssl.SSLContext) -> dict[str, object]:
    """Return the facts of a client context that a configuration extract shows."""
    return {
        "versions": [context.minimum_version.name, context.maximum_version.name],
        "suites": [suite["name"] for suite in context.get_ciphers()],
        "verify_mode": context.verify_mode.name,
        "check_hostname": context.check_hostname,
        "crl_check": bool(context.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF),
        "authorities": [str(dict(sum(one["subject"], ()))) for one in context.get_ca_certs()],
    }


def _server(pki: TestPki, **bounds: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = pki.server()
    context.load_cert_chain(own.certificate, own.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TLS 1.1 is deprecated, which is the point
        for name, value in bounds.items():
            setattr(context, name, value)
    return context


@pytest.fixture
def attempt(pki: TestPki) -> Try:
    """Return a function that sends one mail to an operator with this TLS context."""

    def send(
        context: ssl.SSLContext | None = None, *, server: Credential | None = None,
        policy: TlsPolicy = TlsPolicy.VA1, trust: Path | None = None, crl: Path | None = None,
        host: str = "localhost",
    ) -> Receipt:  # fmt: skip
        client = operator_context(policy, trust or pki.trust, crl=crl or pki.crl)
        with SandboxOperator(
            pki, whitelist=WHITELIST, mailboxes=ACCOUNTS, context=context, server=server
        ) as operator:
            endpoint = Endpoint(host, operator.smtp_port, 5, 5, 5)
            try:
                return submit(endpoint, client, PLAIN, Parcel(APP, GP, "e1", MAIL))
            except TlsRefused:
                assert operator.messages == []
                raise

    return send


@pytest.mark.rem("RIS.MSS.03", scenario="MSS/va1.10.01")
@pytest.mark.rem("RIS.MSS.02", scenario="MSS/va1.31.01")
@pytest.mark.parametrize("suite", SUITES)
def test_each_of_the_four_suites_connects_in_tls_1_2(
    suite: str, attempt: Try, pki: TestPki, evidence: Evidence
) -> None:
    context = _server(pki, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suite)
    receipt = attempt(context)
    assert receipt.tls == f"TLSv1.2 {suite}"
    evidence.add("01", f"tls-{suite}.txt", receipt.tls)


@pytest.mark.rem("RIS.MSS.03", scenario="MSS/va1.10.01")
@pytest.mark.parametrize("suite", ["DHE-RSA-AES256-GCM-SHA384", "AES256-GCM-SHA384"])
def test_any_other_suite_is_refused(suite: str, attempt: Try, pki: TestPki) -> None:
    context = _server(pki, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suite)
    with pytest.raises(TlsRefused):
        attempt(context)


@pytest.mark.rem("RIS.MSS.03", scenario="MSS/va1.10.01")
def test_an_ecdsa_server_is_refused(attempt: Try, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_ecdsa(tmp_path))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(TlsRefused):
        attempt(context)


@pytest.mark.rem("RIS.MSS.02", scenario="MSS/va1.31.01")
def test_tls_1_1_is_refused(attempt: Try, pki: TestPki) -> None:
    context = _server(
        pki, minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1
    )
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(TlsRefused):
        attempt(context)


@pytest.mark.rem("RIS.MSS.02", scenario="MSS/va1.31.01")
@pytest.mark.rem("SC.MSS/CONF.01")
def test_tls_1_3_alone_is_refused_in_wave_1_and_accepted_in_wave_2(
    attempt: Try, pki: TestPki
) -> None:
    with pytest.raises(TlsRefused):
        attempt(_server(pki, minimum_version=ssl.TLSVersion.TLSv1_3))
    context = _server(pki, minimum_version=ssl.TLSVersion.TLSv1_3)
    assert attempt(context, policy=TlsPolicy.VA2).tls.startswith("TLSv1.3 ")


@pytest.mark.rem("RIS.MSS.02", scenario="MSS/va1.31.01")
def test_a_server_that_could_do_better_still_gets_tls_1_2_in_wave_1(
    attempt: Try, pki: TestPki
) -> None:
    assert attempt(_server(pki)).tls.startswith("TLSv1.2 ")


@pytest.mark.rem("RIS.MSS.04", scenario="MSS/va1.06.01")
def test_only_the_configured_authorities_are_trusted(
    attempt: Try, pki: TestPki, evidence: Evidence
) -> None:
    assert attempt(server=pki.server()).code == 250
    with pytest.raises(TlsRefused) as refused:
        attempt(server=pki.rogue())
    assert refused.value.remote_code == "CERTIFICATE_VERIFY_FAILED"
    evidence.add("01", "trust.json", told(operator_context(TlsPolicy.VA1, pki.trust, crl=pki.crl)))


@pytest.mark.rem("RIS.MSS.05", scenario="MSS/va1.04.01")
def test_an_expired_certificate_is_refused(attempt: Try, pki: TestPki, evidence: Evidence) -> None:
    with pytest.raises(TlsRefused) as refused:
        attempt(server=pki.expired())
    assert refused.value.remote_code == "CERTIFICATE_VERIFY_FAILED"
    context = told(operator_context(TlsPolicy.VA1, pki.trust, crl=pki.crl))
    evidence.add("01", "expired.json", {"refusal": refused.value.code, "context": context})


def test_a_certificate_for_another_name_is_refused(attempt: Try, pki: TestPki) -> None:
    with pytest.raises(TlsRefused):
        attempt(server=pki.server(), host="127.1")


@pytest.mark.rem("RIS.MSS.06", scenario="MSS/va1.05.01")
def test_a_revoked_certificate_is_refused(attempt: Try, pki: TestPki, evidence: Evidence) -> None:
    revoked = pki.server("revoked.localhost")
    assert attempt(server=revoked).code == 250
    pki.revoke(revoked)
    with pytest.raises(TlsRefused) as refused:
        attempt(server=revoked)
    context = told(operator_context(TlsPolicy.VA1, pki.trust, crl=pki.crl))
    evidence.add("01", "revoked.json", {"refusal": refused.value.code, "context": context})


@pytest.mark.rem("RIS.MSS.06", scenario="MSS/va1.05.01")
def test_without_a_revocation_list_everything_is_refused_unless_told_otherwise(
    attempt: Try, pki: TestPki, tmp_path: Path
) -> None:
    with pytest.raises(TlsRefused):
        attempt(crl=tmp_path / "absent.pem")
    soft = operator_context(TlsPolicy.VA1, pki.trust, crl=None, revocation="soft")
    assert not soft.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF


@pytest.mark.rem("RIS.MSS.04", scenario="MSS/va1.06.01")
def test_the_system_store_is_never_a_fallback() -> None:
    with pytest.raises(NotConfigured):
        operator_context(TlsPolicy.VA1, None)


def _ecdsa(folder: Path) -> tuple[Path, Path]:
    """A self-made ECDSA certificate: the refusal comes before any trust is looked at."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )  # fmt: skip
    files = folder / "ec.pem", folder / "ec.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
