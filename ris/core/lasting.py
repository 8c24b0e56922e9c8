"""A client that outlives its certificate: files replaced on disk serve from the next request on.

For connections kept as long as the process. Whoever asks for a credential at each call needs none
of this.
"""

import threading
from pathlib import Path

import httpx

from ris.core import http, http_deadline
from ris.core.crypto import Credential
from ris.core.errors import NotConfigured
from ris.core.settings import HttpSettings

_Version = tuple[tuple[int, int, int], ...]


def client(*, trust: Path | None, credential: Credential, settings: HttpSettings) -> httpx.Client:
    """Return `http.client` that presents what is in the files of *credential* at each request.

    Raises `NotConfigured` when they cannot be used now. Later, files that cannot be used (half
    written, not of the same pair) leave the former certificate in place until they can.
    """
    following = _Following(trust, credential)
    return httpx.Client(transport=following, timeout=http.timeouts(settings), trust_env=False)


class _Following(httpx.BaseTransport):
    """Connections under the certificate of the day; those of the former end by themselves."""

    def __init__(self, trust: Path | None, credential: Credential) -> None:
        self._trust = trust
        self._credential = credential
        self._lock = threading.Lock()
        self._version = _version(credential)
        self._opened = [self._open()]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* under the present certificate."""
        return self._current().handle_request(request)

    def close(self) -> None:
        """Close every connection."""
        for one in self._opened:
            one.close()

    def _current(self) -> httpx.HTTPTransport:
        with self._lock:
            found = _version(self._credential)
            if found and found != self._version:
                try:
                    self._opened.append(self._open())
                except NotConfigured:
                    return self._opened[-1]
                self._version = found
            return self._opened[-1]

    def _open(self) -> httpx.HTTPTransport:
        verified = http.context(trust=self._trust, credential=self._credential)
        return http_deadline.Transport(verified)


def _version(credential: Credential) -> _Version:
    """Return what changes with the files; empty when they are not there."""
    try:
        found = [path.stat() for path in (credential.certificate, credential.key)]
    except OSError:
        return ()
    return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)
