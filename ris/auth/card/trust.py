"""Whether a card's certificate is to be believed: chain, dates, revocation (auth.md §7.2).

Fails closed: with revocation asked for and unknown, nobody comes in. What the certificate says of
its holder is `holder.py`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from ris.auth.card.settings import CardSettings
from ris.auth.errors import CardRefused, CardUnverifiable
from ris.core import clock, crl, http
from ris.core.chain import ChainBroken, chain
from ris.core.errors import NotConfigured, RemoteError
from ris.core.settings import HttpSettings

_SKEW: Final = timedelta(minutes=5)
_OCSP: Final = "application/ocsp-request"


class CardTrust:
    """The authorities whose *persons* may come in by card, and their revocation."""

    def __init__(self, settings: CardSettings) -> None:
        if settings.trust is None:
            raise NotConfigured("RIS_AUTH__CARD__TRUST : autorités des cartes (IGC-Santé).")
        self._settings = settings
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Close the connection to the OCSP responder, if one was opened."""
        if self._client is not None:
            self._client.close()

    def verify(self, certificate: x509.Certificate) -> None:
        """Return when *certificate* is to be believed now.

        Raises CardRefused (UNTRUSTED, EXPIRED, WRONG_AUTHORITY, REVOKED) or CardUnverifiable when
        its revocation cannot be known.
        """
        now = clock.now()
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise CardRefused("EXPIRED")
        issuer = self._issuer(certificate, now)
        if issuer.subject.rfc4514_string() not in self._settings.person_authorities:
            raise CardRefused("WRONG_AUTHORITY")
        if self._settings.ocsp_url:
            self._refuse_by_ocsp(certificate, issuer, now)
        else:
            self._refuse_by_list(certificate, issuer, now)

    def _issuer(self, certificate: x509.Certificate, now: datetime) -> x509.Certificate:
        """Return the authority that issued *certificate*, itself under one of the roots."""
        authorities = _certificates(self._settings.trust)
        try:
            return chain(certificate, authorities, now)[1]
        except (ChainBroken, IndexError) as error:
            raise CardRefused("UNTRUSTED") from error

    def _refuse_by_list(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
    ) -> None:
        current = _current(_lists(self._settings.crl), issuer, now, self._grace)
        if current is None:
            raise CardUnverifiable("CRL_STALE")
        if current.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise CardRefused("REVOKED")

    def _refuse_by_ocsp(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
    ) -> None:
        answer = self._asked(certificate, issuer)
        if not _believed(answer, issuer, now):
            raise CardUnverifiable("OCSP_UNSIGNED")
        if answer.serial_number != certificate.serial_number or not self._fresh(answer, now):
            raise CardUnverifiable("OCSP_STALE")
        if answer.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            raise CardRefused("REVOKED")
        if answer.certificate_status is not ocsp.OCSPCertStatus.GOOD:
            raise CardUnverifiable("OCSP_UNKNOWN")

    def _asked(self, certificate: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPResponse:
        question = ocsp.OCSPRequestBuilder().add_certificate(
            certificate,
            issuer,
            SHA1(),  # noqa: S303 - RFC 5019 §2.1.1: the responder's lookup key, no security in it
        )
        body = question.build().public_bytes(Encoding.DER)
        client = self._http()
        request = client.build_request(
            "POST", self._settings.ocsp_url, content=body, headers={"Content-Type": _OCSP}
        )
        try:
            answer = http.call(client, request)
            read = ocsp.load_der_ocsp_response(answer.content)
        except (RemoteError, ValueError) as error:
            raise CardUnverifiable("OCSP_UNREACHABLE") from error
        if read.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise CardUnverifiable("OCSP_REFUSED")
        return read

    def _fresh(self, answer: ocsp.OCSPResponse, now: datetime) -> bool:
        until = answer.next_update_utc or answer.this_update_utc + timedelta(hours=1)
        return answer.this_update_utc - _SKEW <= now <= until + self._grace

    @property
    def _grace(self) -> timedelta:
        return timedelta(hours=self._settings.revocation_grace_h)

    def _http(self) -> httpx.Client:
        if self._client is None:
            timeouts = HttpSettings(
                connect_timeout_s=self._settings.ocsp_timeout_s,
                total_timeout_s=self._settings.ocsp_timeout_s,
            )
            self._client = http.client(trust=self._settings.trust, settings=timeouts)
        return self._client


def _certificates(path: Path | None) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes()) if path else []
    except (OSError, ValueError) as error:
        raise NotConfigured("RIS_AUTH__CARD__TRUST : fichier illisible.") from error


def _lists(path: Path | None) -> list[crl.Crl]:
    try:
        return crl.read(path.read_bytes()) if path else []
    except (OSError, crl.CrlRefused) as error:
        raise CardUnverifiable("CRL_UNREADABLE") from error


def _current(
    lists: Iterable[crl.Crl], issuer: x509.Certificate, now: datetime, grace: timedelta
) -> crl.Crl | None:
    """Return the list of *issuer*, signed by it and not past its end plus *grace*."""
    for one in lists:
        end = one.next_update_utc
        if crl.signed_by(one, issuer) and end is not None and now <= end + grace:
            return one
    return None


def _believed(answer: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> bool:
    """Say whether the authority, or a responder of its own (RFC 6960 §4.2.2.2), signed *answer*."""
    delegated = [one for one in answer.certificates if _may_answer(one, issuer, now)]
    return any(_signed(answer, one.public_key()) for one in (*delegated, issuer))


def _may_answer(one: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
        purposes = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, TypeError, ValueError, x509.ExtensionNotFound):
        return False
    in_date = one.not_valid_before_utc <= now <= one.not_valid_after_utc
    return in_date and ExtendedKeyUsageOID.OCSP_SIGNING in purposes


def _signed(answer: ocsp.OCSPResponse, key: object) -> bool:
    digest = answer.signature_hash_algorithm
    if digest is None:
        return False
    try:
        match key:
            case rsa.RSAPublicKey():
                padding = PKCS1v15()
                key.verify(answer.signature, answer.tbs_response_bytes, padding, digest)
            case ec.EllipticCurvePublicKey():
                key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(digest))
            case _:
                return False
    except InvalidSignature:
        return False
    return True
