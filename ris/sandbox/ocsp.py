"""An OCSP responder (RFC 6960) for the certificates of the sandbox: GOOD is for ours only."""

from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ris.core import clock
from ris.core.crypto import Credential
from ris.sandbox.pki import TestPki

_VALID: Final = timedelta(hours=1)


class Responder:
    """Answers for the issuing authority of *pki*, signed by it or by the *signer* of a test."""

    def __init__(self, pki: TestPki, signer: Credential | None = None) -> None:
        self._pki = pki
        self.signer = signer or pki.issuer
        self.unknown = False
        self.age = timedelta()
        self.asked: list[int] = []
        self.app = Starlette(routes=[Route("/", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        try:
            asked = ocsp.load_der_ocsp_request(await request.body())
        except ValueError:
            return _refused(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if request.headers.get("content-type") != "application/ocsp-request":
            return _refused(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        self.asked.append(asked.serial_number)
        return _der(self._built(asked))

    def _built(self, asked: ocsp.OCSPRequest) -> ocsp.OCSPResponse:
        revoked, now = self._pki.is_revoked(asked.serial_number), clock.now() - self.age
        good = ocsp.OCSPCertStatus.UNKNOWN if self.unknown else ocsp.OCSPCertStatus.GOOD
        certificate, key = self.signer.load()
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=SHA1(),  # noqa: S303 - the request's own lookup key
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else good,
            this_update=now,
            next_update=now + _VALID,
            revocation_time=now if revoked else None,
            revocation_reason=x509.ReasonFlags.unspecified if revoked else None,
        )
        encoding = ocsp.OCSPResponderEncoding.HASH
        return (
            builder.responder_id(encoding, certificate)
            .certificates([certificate])
            .sign(key, SHA256())
        )


def _refused(status: ocsp.OCSPResponseStatus) -> Response:
    return _der(ocsp.OCSPResponseBuilder.build_unsuccessful(status))


def _der(answer: ocsp.OCSPResponse) -> Response:
    return Response(answer.public_bytes(Encoding.DER), media_type="application/ocsp-response")
