"""Certificates as IGC-Santé would issue them, for the tests: any dates, key, name and usage.

RSA keys are slow to make: the tests share a few.
"""

import shutil
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ris.auth.certificates.offers import Offer
from ris.core import clock
from ris.core.crypto import Credential, PrivateKey
from ris.sandbox.pki import TestPki, _issuer_id, _key_usage

A, B, SCM = "499700993001004", "499700993019014", "300000000991018"
DAY = timedelta(days=1)


@cache
def key(number: int = 0, bits: int = 2048) -> PrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def issue(
    pki: TestPki,
    struct: str = A,
    usage: str = "AUTH_CLI",
    *,
    name: str = "",
    days: tuple[int, int] = (-1, 1000),
    at: datetime | None = None,
    own: PrivateKey | None = None,
    issuer: Credential | None = None,
    digest: HashAlgorithm | None = None,
    beside: str = "",
) -> Offer:
    """A certificate and its chain; *days* are its start and end, counted from *at* (now).

    *beside* is a second structure that it names.
    """
    parent, signer = (issuer or pki.issuer).load()
    own, now = own or key(), at or clock.now()
    common = name or {"INSI": "INSI-MANU", "INSI_AUTO": "INSI-AUTO"}.get(usage, "RIS")
    subject = [
        (NameOID.COUNTRY_NAME, "FR"), (NameOID.ORGANIZATION_NAME, "CABINET FICTIF"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, struct), (NameOID.COMMON_NAME, common),
    ]  # fmt: skip
    if beside:
        subject.insert(2, (NameOID.ORGANIZATIONAL_UNIT_NAME, beside))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in subject]))
        .issuer_name(parent.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_issuer_id(parent), critical=False)
    )
    if usage == "SIGN":
        held = _key_usage(digital_signature=True, content_commitment=True)
    else:
        held = _key_usage(digital_signature=True, key_encipherment=True)
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(purposes, critical=False)
    leaf = builder.add_extension(held, critical=True).sign(signer, digest or SHA256())
    return Offer((leaf, parent), own)


def authority(subject: str, folder: Path) -> Credential:
    """A self-signed authority of that name, trusted by nobody."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    own, now = key(9), clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 3000 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(own, SHA256())
    )
    credential = Credential(folder / "authority.pem", folder / "authority.key")
    credential.certificate.write_bytes(made.public_bytes(Encoding.PEM))
    credential.key.write_bytes(key_pem(own))
    return credential


def pem(offer: Offer) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in offer.chain)


def key_pem(own: PrivateKey, password: str = "") -> bytes:
    locked: KeySerializationEncryption = NoEncryption()
    if password:
        locked = BestAvailableEncryption(password.encode())
    return own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def archive(offer: Offer, password: str) -> bytes:
    """The .p12 that IGC-Santé delivers."""
    locked = BestAvailableEncryption(password.encode())
    chain = list(offer.chain[1:])
    return pkcs12.serialize_key_and_certificates(b"ris", offer.key, offer.leaf, chain, locked)


def drop(directory: Path, struct: str, usage: str, offer: Offer | Credential) -> None:
    """Put a pair in the pool by hand, its key in clear."""
    folder = directory / struct
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(offer, Credential):
        shutil.copy(offer.certificate, folder / f"{usage}.crt")
        shutil.copy(offer.key, folder / f"{usage}.key")
        return
    (folder / f"{usage}.crt").write_bytes(pem(offer))
    (folder / f"{usage}.key").write_bytes(key_pem(offer.key))


def serial(offer: Offer) -> str:
    return format(offer.leaf.serial_number, "x")
