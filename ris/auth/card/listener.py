"""The card listener: an HTTPS server that asks for a CPx card and serves only the sign-in.

Its TLS accepts only certificates of the card authorities; the application verifies them again, with
their dates and revocation, so that a refusal is traced and explained. Served by `ris card-login`.
"""

import ssl
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from ris.auth.card.desk import CardDesk
from ris.auth.card.routes import listener_router
from ris.auth.card.settings import CardSettings
from ris.core.errors import NotConfigured
from ris.core.peer_certificate import PeerCertificate
from ris.rem import satisfies
from ris.web import middleware, problems

_CLOSE: Final = [("Connection", "close")]
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME


class Health(BaseModel):
    """The listener answers."""

    status: str = "ok"


def application(desk: CardDesk) -> FastAPI:
    """Return the application of the listener; raises NotConfigured without the site's address."""
    if not desk.desk.settings.origin:
        raise NotConfigured("RIS_AUTH__ORIGIN : adresse du site où revenir après la carte.")
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.card = desk
    problems.install(app)
    middleware.install(app)
    app.include_router(listener_router)
    app.add_api_route("/health", health, response_model=Health)
    return app


@satisfies()
def health() -> Health:
    """Say that the listener is alive; asked without a card."""
    return Health()


def configured(desk: CardDesk, host: str, port: int) -> uvicorn.Config:
    """Return how the listener is served; raises NotConfigured on files that cannot be used.

    One request per connection and no TLS resumption: each sign-in proves that the card is there.
    """
    context = FreshContext(desk.settings)
    return uvicorn.Config(
        application(desk), host=host, port=port, http=PeerCertificate, ws="none", loop="asyncio",
        ssl_context_factory=lambda _config, _default: context, headers=_CLOSE, proxy_headers=False,
        log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5,
    )  # fmt: skip


class FreshContext(ssl.SSLContext):
    """A context whose every connection has one of its own: no session of another is resumed.

    A resumed session shows the certificate of a card that may have left the reader. Files renewed
    on disk serve without a restart.
    """

    _settings: CardSettings

    def __new__(cls, settings: CardSettings) -> "FreshContext":
        """Return it once the files were seen to be usable."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._settings = settings
        server_context(settings)
        return made

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a TLS connection, in a context of its own."""
        return server_context(self._settings).wrap_bio(*arguments, **options)


def server_context(settings: CardSettings) -> ssl.SSLContext:
    """Return a TLS context that asks for a card; raises NotConfigured.

    TLS 1.2 only: in 1.3 a refusal comes after the client's handshake and looks like a lost call,
    and a card without RSA-PSS cannot sign. A person without a card, or with one out of date, comes
    in as far as the application, which tells him so.
    """
    if settings.server_certificate is None or settings.server_key is None:
        raise NotConfigured("RIS_AUTH__CARD__SERVER_CERTIFICATE et __SERVER_KEY sont requis.")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.server_certificate, settings.server_key)
        context.load_verify_locations(settings.trust)
    except (OSError, ssl.SSLError) as error:
        raise NotConfigured("Certificat ou autorités de l'écoute des cartes illisibles.") from error
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= _NO_CHECK_TIME
    return context
