"""The pool of structure certificates: each practice leaves under its own."""

import shutil
from pathlib import Path

import pytest

from ris.auth.certificates.pool import CertificatePool
from ris.auth.errors import CertificateMissing
from ris.core.crypto import Credential
from ris.rem.evidence import Evidence
from ris.sandbox.pki import TestPki

A, B = "499700993001004", "499700993019014"


@pytest.fixture
def pool(tmp_path: Path, pki: TestPki) -> Path:
    """A pool holding the certificates of A only, and B's folder with A's certificate."""
    install(tmp_path, A, "AUTH_CLI", pki.organisation(A, "AUTH_CLI"))
    install(tmp_path, A, "SIGN", pki.organisation(A, "SIGN"))
    install(tmp_path, B, "AUTH_CLI", pki.organisation(A, "AUTH_CLI"))
    return tmp_path


def install(directory: Path, struct_idnat: str, usage: str, credential: Credential) -> None:
    (directory / struct_idnat).mkdir(exist_ok=True)
    shutil.copy(credential.certificate, directory / struct_idnat / f"{usage}.crt")
    shutil.copy(credential.key, directory / struct_idnat / f"{usage}.key")


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_the_certificate_of_the_author_s_cabinet_is_chosen(pool: Path, evidence: Evidence) -> None:
    held = CertificatePool(pool)
    certificate, _key = held.credential(A, "SIGN").load()
    assert f"OU={A}" in certificate.subject.rfc4514_string()
    rows = "\n".join(str(one) for one in held.inventory())
    evidence.add("01", "certificates.txt", rows)


@pytest.mark.parametrize(
    ("struct_idnat", "usage", "reason"),
    [
        (A, "INSI", "ABSENT"),
        (B, "SIGN", "ABSENT"),
        (B, "AUTH_CLI", "OTHER_STRUCTURE"),
        ("../" + A, "SIGN", "ABSENT"),
    ],
)
def test_a_missing_or_foreign_certificate_names_what_is_missing(
    pool: Path, struct_idnat: str, usage: str, reason: str
) -> None:
    with pytest.raises(CertificateMissing) as caught:
        CertificatePool(pool).credential(struct_idnat, usage)  # type: ignore[arg-type]
    assert caught.value.code == "CERTIFICATE_MISSING"
    assert caught.value.extensions["reason"] == reason


def test_an_expired_certificate_and_a_foreign_key_are_refused(tmp_path: Path, pki: TestPki) -> None:
    install(tmp_path, A, "AUTH_CLI", pki.expired(A))
    mixed = Credential(pki.organisation(A, "SIGN").certificate, pki.organisation(B, "SIGN").key)
    install(tmp_path, A, "SIGN", mixed)
    pool = CertificatePool(tmp_path)
    for usage, reason in (("AUTH_CLI", "EXPIRED"), ("SIGN", "KEY_MISMATCH")):
        with pytest.raises(CertificateMissing) as caught:
            pool.credential(A, usage)  # type: ignore[arg-type]
        assert caught.value.extensions["reason"] == reason
    assert [one.refusal for one in pool.inventory()] == ["EXPIRED", "KEY_MISMATCH"]


def test_no_directory_means_no_certificate() -> None:
    assert CertificatePool(None).inventory() == []
    with pytest.raises(CertificateMissing):
        CertificatePool(None).credential(A, "SIGN")
