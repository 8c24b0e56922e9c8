"""What surrounds every request: its id, a cap on its body, a time to read it, safe headers.

One plain ASGI layer; no routing, no authentication, nothing about the content.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ris.core import ids

BODY_CAP: Final = 10 * 1024 * 1024
TEXT_CAP: Final = 1024 * 1024
_FILES: Final = ("multipart/form-data", "image/", "application/pdf", "application/octet-stream")
READ_TIMEOUT_S: Final = 30.0
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
SAFE: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'none'",
}


class Envelope:
    """Wraps *app*; a body beyond *body_cap* bytes is a 413, one too slow to come a 408.

    FastAPI reads and parses a body before any route asks who calls: what is not declared as a file
    may not exceed *text_cap*, so that nobody makes us parse ten megabytes of JSON.
    """

    def __init__(
        self,
        app: ASGIApp,
        body_cap: int = BODY_CAP,
        read_timeout_s: float = READ_TIMEOUT_S,
        text_cap: int = TEXT_CAP,
    ) -> None:
        self.app = app
        self._cap, self._text_cap = body_cap, text_cap
        self._timeout = read_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection; only HTTP is touched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                _harden(MutableHeaders(scope=message), request_id, scope["scheme"])
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, self._guarded(headers, receive), send_safe)

    def _guarded(self, headers: Headers, receive: Receive) -> Receive:
        """Return *receive* with the cap and the time-out on the body; what follows is free."""
        declared = headers.get("content-length", "")
        file = headers.get("content-type", "").lower().startswith(_FILES)
        cap = self._cap if file else self._text_cap
        too_long = declared.isdigit() and int(declared) > cap
        seen, over = 0, False

        async def guarded() -> Message:
            nonlocal seen, over
            if over:
                return await receive()
            if too_long:
                raise HTTPException(413)
            try:
                message = await asyncio.wait_for(receive(), self._timeout)
            except TimeoutError:
                raise HTTPException(408) from None
            seen += len(message.get("body", b""))
            over = not message.get("more_body", False)
            if seen > cap:
                raise HTTPException(413)
            return message

        return guarded


def _request_id(given: str | None) -> str:
    """Return the caller's id when it is well formed, else a fresh one."""
    return given if given and _REQUEST_ID.fullmatch(given) else str(ids.new())


def _harden(headers: MutableHeaders, request_id: str, scheme: str) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in SAFE.items():
        headers.setdefault(name, value)
    if scheme == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def install(app: Starlette) -> None:
    """Surround every request of *app* with the `Envelope`."""
    app.add_middleware(Envelope)
