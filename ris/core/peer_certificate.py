"""Who is at the other end of a connection, shown to the application by uvicorn.

The verified client certificate in `scope["extensions"]["tls"]`, under the names of the ASGI TLS
extension; the address in `scope["extensions"]["ris.peer"]`, which no `X-Forwarded-For` changes.
What is done with them is the feature's business.
"""

import asyncio
import ssl
from typing import Any, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

PEER: Final = "ris.peer"
_VERSIONS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


class PeerCertificate(H11Protocol):
    """uvicorn's h11 protocol, with the extensions of the ASGI scope that it lacks."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Add the extensions to every request of the connection."""
        super().connection_made(transport)
        app, extra = self.app, self.extensions(transport)

        async def extended(scope: Any, receive: Any, send: Any) -> None:
            peer = {PEER: scope["client"][0]} if scope.get("client") else {}
            scope["extensions"] = {**scope.get("extensions", {}), **extra, **peer}
            await app(scope, receive, send)

        self.app = extended

    def extensions(self, transport: asyncio.Transport) -> dict[str, Any]:
        """Return the extensions of this connection: `tls` when it is one."""
        tls = _tls_info(cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object")))
        return {"tls": tls} if tls else {}


def _tls_info(tls: ssl.SSLObject | None) -> dict[str, Any] | None:
    if tls is None:
        return None
    der = tls.getpeercert(binary_form=True)
    cipher = tls.cipher()
    return {
        "server_cert": None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)] if der else [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(tls.version() or ""),
        "cipher_suite": cipher[0] if cipher else None,
    }
