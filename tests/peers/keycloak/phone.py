"""The phones of a Keycloak: where it sends decoupled sign-ins, and the holder's answer to them."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Phones:
    """Keycloak's authentication device, in its HTTP form: `app` receives, `answer` calls back."""

    def __init__(self) -> None:
        self.app = Starlette(routes=[Route("/phone", self._ring, methods=["POST"])])
        self._asked: dict[str, dict[str, Any]] = {}  # by login_hint
        self._tokens: dict[str, str] = {}

    async def _ring(self, request: Request) -> Response:
        told = json.loads(await request.body())
        holder = told["login_hint"].lower()
        self._asked[holder] = told
        self._tokens[holder] = request.headers["authorization"]
        return Response(status_code=201)

    def shown(self, holder: str) -> Mapping[str, Any]:
        """Return what the phone of *holder* (PS_IdNat) was last sent."""
        return self._asked[holder.lower()]

    def answer(self, wire: httpx.Client, issuer: str, holder: str, *, approve: bool) -> None:
        """Say yes or no for *holder* (PS_IdNat), once."""
        answer = wire.post(
            f"{issuer}/protocol/openid-connect/ext/ciba/auth/callback",
            headers={"Authorization": self._tokens.pop(holder.lower())},
            json={"status": "SUCCEED" if approve else "UNAUTHORIZED"},
        )
        assert answer.status_code == 200, answer.text
