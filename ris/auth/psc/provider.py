"""What we know of the provider and how we speak to it: discovery, keys, authenticated calls.

Nothing about flows or tokens (`client.py`, `ciba/wire.py`). What was once learnt is kept when PSC
cannot be reached, and a failure is not repeated by every waiting request.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ris.auth.errors import PscProtocolError, PscUnavailable
from ris.auth.psc import strict_json
from ris.auth.settings import PscSettings
from ris.core import clock, http
from ris.core.errors import Lost, Transient

_DAILY: Final = timedelta(days=1)
_RELOAD: Final = timedelta(minutes=1)
_COOL: Final = timedelta(seconds=5)
LARGEST: Final = 256 * 1024
_REQUIRED: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "end_session_endpoint",
)
_SHORT: Final = {
    "token_endpoint": "token",
    "userinfo_endpoint": "userinfo",
    "introspection_endpoint": "introspection",
    "backchannel_authentication_endpoint": "ciba",
}

Document = Mapping[str, Any]


class Remembered:
    """A document of the provider, fetched again when too old, kept when that fails."""

    def __init__(self) -> None:
        self.value: Any = None
        self.at: datetime | None = None
        self.failed_at: datetime | None = None
        self.lock = threading.Lock()

    def older_than(self, age: timedelta, now: datetime) -> bool:
        """Say whether the document is absent or older than *age*."""
        return self.at is None or now - self.at >= age

    def fetch(self, load: Callable[[], Any], now: datetime, *, keep: bool) -> None:
        """Replace the document by what *load* gives; the caller holds the lock.

        When PSC cannot be reached the former one stays if *keep*, else PscUnavailable is raised,
        at once for a few seconds after a failure.
        """
        if self.failed_at is not None and now - self.failed_at < _COOL:
            if keep:
                return
            raise PscUnavailable
        try:
            self.value, self.at, self.failed_at = load(), now, None
        except PscUnavailable:
            self.failed_at = now
            if not keep:
                raise


class Provider:
    """One provider as one relying party sees it. *client* is a verified TLS client."""

    def __init__(self, settings: PscSettings, client: httpx.Client) -> None:
        self.settings = settings
        self._client = client
        self._document = Remembered()
        self._keys = Remembered()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def endpoint(self, name: str) -> str:
        """Return an address for the browser; raises PscProtocolError when PSC names none."""
        return self._address(self.document(), name)

    def document(self) -> Document:
        """Return the wallet document, refreshed daily; its issuer must be the pinned one."""
        kept = self._document
        with kept.lock:
            now = clock.now()
            if kept.older_than(_DAILY, now):
                kept.fetch(self._discover, now, keep=kept.value is not None)
            found: Document = kept.value
            return found

    def keys(self, kid: str) -> KeySet:
        """Return the key set: renewed daily, or on an unknown *kid* at most once a minute."""
        address = self.endpoint("jwks_uri")
        kept = self._keys
        with kept.lock:
            now = clock.now()
            known = kept.value is not None and any(key.kid == kid for key in kept.value)
            if kept.older_than(_DAILY if known else _RELOAD, now):
                kept.fetch(lambda: self._load_keys(address), now, keep=known)
            found: KeySet = kept.value
            return found

    def post(self, name: str, form: Mapping[str, str]) -> httpx.Response:
        """Send *form* to endpoint *name*, authenticated as our client.

        The secret goes in Basic; with `tls_client_auth` the certificate speaks, at the alias PSC
        gives for it (RFC 8705 §5). Raises PscUnavailable.
        """
        sent = dict(form)
        mutual = self.settings.client_auth == "tls_client_auth"
        if mutual:
            sent["client_id"] = self.settings.client_id
        request = self._client.build_request("POST", self._backchannel(name), data=sent)
        if not mutual:
            secret = self.settings.client_secret.get_secret_value()
            basic = httpx.BasicAuth(self.settings.client_id, secret)
            request = next(basic.sync_auth_flow(request))
        return self._send(request, _SHORT.get(name, name))

    def get(self, name: str, access_token: str) -> httpx.Response:
        """Read endpoint *name* as the bearer of *access_token*. Raises PscUnavailable."""
        headers = {"Authorization": f"Bearer {access_token}"}
        request = self._client.build_request("GET", self._backchannel(name), headers=headers)
        return self._send(request, _SHORT.get(name, name))

    def _backchannel(self, name: str) -> str:
        document = self.document()
        if self.settings.client_auth == "tls_client_auth":
            aliases = document.get("mtls_endpoint_aliases")
            if isinstance(aliases, Mapping) and name in aliases:
                return self._address(aliases, name)
        return self._address(document, name)

    def _address(self, document: Document, name: str) -> str:
        """Return an endpoint; an HTTPS issuer may not send us to a clear-text address."""
        address = document.get(name)
        if not isinstance(address, str):
            raise PscProtocolError("discovery_endpoint")
        secure = urlsplit(self.settings.issuer).scheme == "https"
        if secure and urlsplit(address).scheme != "https":
            raise PscProtocolError("discovery_endpoint")
        return address

    def _discover(self) -> Document:
        document = self._get(self.settings.discovery, "discovery")
        if document.get("issuer") != self.settings.issuer:
            raise PscProtocolError("discovery_issuer")
        for name in _REQUIRED:
            self._address(document, name)
        return document

    def _load_keys(self, address: str) -> KeySet:
        try:
            return KeySet.import_key_set(self._get(address, "jwks"))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise PscProtocolError("jwks_malformed") from error

    def _get(self, address: str, what: str) -> Document:
        response = self._send(self._client.build_request("GET", address), what)
        if response.status_code != 200:
            raise PscProtocolError(f"{what}_refused")
        return json_object(response, f"{what}_malformed")

    def _send(self, request: httpx.Request, what: str) -> httpx.Response:
        """Send *request*; raises PscUnavailable, or PscProtocolError `<what>_too_large`."""
        try:
            return http.call(self._client, request, max_bytes=LARGEST)
        except (Transient, Lost) as error:
            if error.remote_code == http.TOO_LARGE:
                raise PscProtocolError(f"{what}_too_large") from error
            raise PscUnavailable(remote_code=error.remote_code) from error


def error_code(body: Document) -> str:
    """Return the OAuth error code when it looks like one; never free text of the service."""
    code = body.get("error")
    return code if isinstance(code, str) and code.isidentifier() and len(code) <= 64 else "refused"


def json_object(response: httpx.Response, reason: str) -> Document:
    """Return the JSON object of *response*; raises PscProtocolError *reason*."""
    return strict_json.json_object(response.content, reason)
