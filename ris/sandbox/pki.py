"""The throw-away certificate authority of the sandbox: fictitious, on disk, never to be trusted.

Certificates look like those of the IGC-Santé (auth.md §7.3). Files are made once and reused, so a
second start is fast; a lock file lets several processes share one directory.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID

from ris.core import clock
from ris.core.crypto import Credential, PrivateKey

Usage = Literal["AUTH_CLI", "SIGN"]
_Extension = tuple[x509.ExtensionType, bool]
_RENEW: Final = timedelta(days=30)


class TestPki:
    """A root, an issuing authority, their CRLs and the certificates asked for, in *directory*."""

    __test__ = False  # not a pytest class

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self.trust = directory / "trust.pem"
        self.crl = directory / "crl.pem"
        with self._locked():
            self._root = self._authority("root", None)
            self._issuing = self._authority("issuing", self._root)
            if not self.trust.exists():
                chain = self._issuing.certificate.read_bytes() + self._root.certificate.read_bytes()
                _write(self.trust, chain)
            if not self.crl.exists():
                self._publish([])

    def server(self, name: str = "localhost") -> Credential:
        """Return a TLS server certificate for *name*, `localhost` and 127.0.0.1."""
        names = dict.fromkeys((name, "localhost"))
        return self._leaf(f"server-{name}", _subject("SANDBOX", "SANDBOX", name),
                          [*_usages(Eku.SERVER_AUTH), _alternative(*names)])  # fmt: skip

    def organisation(
        self,
        struct_idnat: str,
        usage: Usage,
        *,
        name: str | None = None,
        organisation: str = "STRUCTURE FICTIVE",
    ) -> Credential:
        """Return an ORG certificate: `OU` is *struct_idnat*, `CN` *name* (`INSI-MANU` for INSi)."""
        common = name or f"RIS-{usage}"
        profile = _usages(Eku.CLIENT_AUTH) if usage == "AUTH_CLI" else _signature_usages()
        label = f"org-{struct_idnat}-{usage}-{common}".replace("/", "_")
        return self._leaf(label, _subject(organisation, struct_idnat, common), profile)

    def person(
        self,
        ps_idnat: str,
        name: str,
        given: str,
        usage: Usage = "AUTH_CLI",
        *,
        expired: bool = False,
    ) -> Credential:
        """Return what a card holds: `CN` is *ps_idnat*; a CPE may have neither name.

        As on a CPS, number, names and title share one multi-valued RDN. *expired*: since yesterday.
        """
        who = [
            (NameOID.COMMON_NAME, ps_idnat), (NameOID.TITLE, "Médecin"),
            *([(NameOID.SURNAME, name)] if name else []),
            *([(NameOID.GIVEN_NAME, given)] if given else []),
        ]  # fmt: skip
        country = _attributes([(NameOID.COUNTRY_NAME, "FR")])
        subject = x509.Name([
            x509.RelativeDistinguishedName(country),
            x509.RelativeDistinguishedName(_attributes(who)),
        ])  # fmt: skip
        profile = _usages(Eku.CLIENT_AUTH) if usage == "AUTH_CLI" else _signature_usages()
        label = f"person-{ps_idnat}-{name}-{usage}{'-expired' * expired}".replace("/", "_")
        return self._leaf(label, subject, profile, days=(-30, -1) if expired else (-1, 1095))

    def expired(self, struct_idnat: str = "300000000000000") -> Credential:
        """Return a certificate of ours that ended yesterday, for a client and for `localhost`."""
        return self._leaf(f"expired-{struct_idnat}", _subject("FICTIVE", struct_idnat, "EXPIRED"),
                          [*_usages(Eku.CLIENT_AUTH, Eku.SERVER_AUTH), _alternative("localhost")],
                          days=(-30, -1))  # fmt: skip

    def rogue(self, struct_idnat: str = "300000000000000") -> Credential:
        """Return a well-made certificate of an authority nobody trusts, client and `localhost`."""
        with self._locked():
            issuer = self._authority("rogue", None)
        return self._leaf(f"rogue-{struct_idnat}", _subject("FICTIVE", struct_idnat, "ROGUE"),
                          [*_usages(Eku.CLIENT_AUTH, Eku.SERVER_AUTH), _alternative("localhost")],
                          issuer=issuer)  # fmt: skip

    def revoke(self, credential: Credential) -> None:
        """Put *credential* on the issuing authority's CRL (the `crl` file is replaced)."""
        serial = credential.load()[0].serial_number
        with self._locked():
            known = [entry.serial_number for entry in self._revoked()]
            self._publish([*known, *([] if serial in known else [serial])])

    @property
    def issuer(self) -> Credential:
        """The authority that issues people's and structures' certificates."""
        return self._issuing

    def is_revoked(self, serial: int) -> bool:
        """Say whether the certificate numbered *serial* is on the list."""
        return serial in [entry.serial_number for entry in self._revoked()]

    def believes(self, certificate: x509.Certificate) -> bool:
        """Say whether *certificate* is one of ours, in date and not revoked (signature checks)."""
        try:
            certificate.verify_directly_issued_by(self._issuing.load()[0])
        except (ValueError, TypeError, InvalidSignature):
            return False
        in_date = certificate.not_valid_before_utc <= clock.now() <= certificate.not_valid_after_utc
        return in_date and not self.is_revoked(certificate.serial_number)

    def _revoked(self) -> list[x509.RevokedCertificate]:
        return list(x509.load_pem_x509_crl(self.crl.read_bytes()))  # the first is the issuing one's

    def _publish(self, serials: list[int]) -> None:
        now = clock.now()
        lists = b""
        for authority, revoked in ((self._issuing, serials), (self._root, [])):
            certificate, key = authority.load()
            builder = (
                x509.CertificateRevocationListBuilder()
                .issuer_name(certificate.subject)
                .last_update(now - timedelta(hours=1))
                .next_update(now + timedelta(days=3650))
                .add_extension(x509.CRLNumber(len(revoked) + 1), critical=False)
                .add_extension(_issuer_id(certificate), critical=False)
            )
            for serial in revoked:
                entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
                builder = builder.add_revoked_certificate(entry.build())
            lists += builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
        _write(self.crl, lists)

    def _authority(self, label: str, issuer: Credential | None) -> Credential:
        subject = _subject("SANDBOX SANS VALEUR", "0002 000000000", f"AC FICTIVE {label.upper()}")
        profile: list[_Extension] = [
            (x509.BasicConstraints(ca=True, path_length=0 if issuer else None), True),
            (_key_usage(key_cert_sign=True, crl_sign=True), True),
        ]
        return self._stored(label, subject, profile, issuer, (-1, 7300))

    def _leaf(
        self,
        label: str,
        subject: x509.Name,
        profile: list[_Extension],
        *,
        issuer: Credential | None = None,
        days: tuple[int, int] = (-1, 1095),
    ) -> Credential:
        constraints: _Extension = (x509.BasicConstraints(ca=False, path_length=None), True)
        with self._locked():
            parent = issuer or self._issuing
            return self._stored(label, subject, [constraints, *profile], parent, days)

    def _stored(
        self,
        label: str,
        subject: x509.Name,
        profile: list[_Extension],
        issuer: Credential | None,
        days: tuple[int, int],
    ) -> Credential:
        """Return the files of *label*, made when absent or, unless meant to be, near their end."""
        credential = Credential(self.directory / f"{label}.pem", self.directory / f"{label}.key")
        if credential.certificate.exists() and credential.key.exists():
            ends = credential.load()[0].not_valid_after_utc
            if days[1] < 0 or ends > clock.now() + _RENEW:
                return credential
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        parent, signer = issuer.load() if issuer else (None, key)
        certificate = _certificate(subject, profile, key, parent, days).sign(signer, SHA256())
        chain = issuer.certificate.read_bytes() if issuer and label != "issuing" else b""
        _write(credential.key, key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # fmt: skip
        _write(credential.certificate, certificate.public_bytes(Encoding.PEM) + chain)
        return credential

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.directory / "lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield


def _certificate(
    subject: x509.Name,
    profile: list[_Extension],
    key: PrivateKey,
    parent: x509.Certificate | None,
    days: tuple[int, int],
) -> x509.CertificateBuilder:
    now = clock.now()
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.subject if parent else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(own, critical=False)
    )
    if parent:
        builder = builder.add_extension(_issuer_id(parent), critical=False)
    for extension, critical in profile:
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _issuer_id(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _subject(organisation: str, unit: str, name: str) -> x509.Name:
    return _named([
        (NameOID.COUNTRY_NAME, "FR"), (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit), (NameOID.COMMON_NAME, name),
    ])  # fmt: skip


def _named(parts: list[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    return x509.Name(_attributes(parts))


def _attributes(parts: list[tuple[x509.ObjectIdentifier, str]]) -> list[x509.NameAttribute[str]]:
    return [x509.NameAttribute(oid, value) for oid, value in parts]


def _alternative(*names: str) -> _Extension:
    hosts: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    return x509.SubjectAlternativeName([*hosts, x509.IPAddress(IPv4Address("127.0.0.1"))]), False


def _usages(*extended: x509.ObjectIdentifier) -> list[_Extension]:
    return [
        (_key_usage(digital_signature=True, key_encipherment=True), True),
        (x509.ExtendedKeyUsage(extended), False),
    ]


def _signature_usages() -> list[_Extension]:
    return [(_key_usage(digital_signature=True, content_commitment=True), True)]


def _key_usage(**granted: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: granted.get(name, False) for name in every})


def _write(path: Path, content: bytes) -> None:
    """Replace *path* in one step, mode 0600: a reader never sees half a file."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
