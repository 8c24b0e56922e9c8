"""What the sandbox provider answers when told to misbehave, beyond a lie in the id_token.

Only answers; the signed lies are in `psc_tokens.py`, what an honest provider says in
`psc_endpoints.py`.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from ris.sandbox.psc_tokens import Evil, Signer

_HUGE: Final = "x" * 400_000
_DEEP: Final = "[" * 10_000 + "]" * 10_000
_JWT: Final[dict[Evil | None, dict[str, str]]] = {
    Evil.USERINFO_JWT_FORGED: {},
    Evil.USERINFO_JWT_NONE: {},
    Evil.USERINFO_JWT_OTHER_ISS: {"iss": "https://evil.test"},
    Evil.USERINFO_JWT_OTHER_AUD: {"aud": "somebody-else"},
}
_SIGNED: Final[dict[Evil | None, Evil]] = {
    Evil.USERINFO_JWT_NONE: Evil.ALG_NONE,
    Evil.USERINFO_JWT_FORGED: Evil.FORGED,
}


def token_answer(
    evil: Evil | None, told: dict[str, Any], former: Mapping[str, Any] | None, slow_s: float
) -> Response | None:
    """Return the lying answer of the token endpoint in place of *told*; None to be honest.

    *former* is an answer given before, *slow_s* the time between two bytes of a drip.
    """
    if evil is Evil.TOKEN_HTML:
        return HTMLResponse("<p>Maintenance</p>")
    if evil is Evil.TOKEN_REDIRECT:
        return RedirectResponse("/elsewhere", 307)
    if evil is Evil.DRIP:
        return StreamingResponse(_drip(slow_s), media_type="application/json")
    lies: dict[Evil | None, dict[str, Any]] = {
        Evil.NO_ID_TOKEN: {"id_token": None},
        Evil.NOT_BEARER: {"token_type": "mac"},
        Evil.HUGE_TOKEN: {"scope": _HUGE},
        Evil.REPLAYED: {"id_token": former["id_token"]} if former else {},
    }
    return JSONResponse(told | lies[evil]) if evil in lies else None


def userinfo_answer(
    evil: Evil | None, claims: dict[str, Any], signer: Signer, issuer: str, client_id: str
) -> Response | None:
    """Return the lying answer of the userinfo endpoint in place of *claims*; None to be honest."""
    if evil in _JWT:
        told = {"iss": issuer, "aud": client_id, **claims, **_JWT[evil]}
        token = signer.token(told, evil=_SIGNED.get(evil), client_secret="")
        return Response(token, media_type="application/jwt")
    if evil is Evil.USERINFO_HTML:
        return HTMLResponse("<p>Bienvenue</p>")
    if evil is Evil.USERINFO_401:
        return JSONResponse({"error": "invalid_token"}, 401)
    if evil is Evil.NESTED_USERINFO:
        return Response(f'{{"deep": {_DEEP}}}', media_type="application/json")
    exercise = {"codeProfession": "10", "activities": [{}] * 500}
    lies: dict[Evil | None, dict[str, Any]] = {
        Evil.OTHER_SUB: {"sub": f"{claims['sub']}0"},
        Evil.OTHER_NAME_ID: {"SubjectNameID": "899700993043"},
        Evil.NO_SUBJECT: {"SubjectNameID": None},
        Evil.HUGE_USERINFO: {"raisonSociale": _HUGE},
        Evil.MANY_OTHER_IDS: {"otherIds": [{"identifiant": str(n)} for n in range(5000)]},
        Evil.MANY_ACTIVITIES: {"SubjectRefPro": {"exercices": [exercise]}},
    }
    return JSONResponse(claims | lies[evil]) if evil in lies else None


def huge() -> Response:
    """Return more bytes than any document of a provider has."""
    return JSONResponse({"keys": [], "x": _HUGE})


def _drip(slow_s: float) -> Iterator[bytes]:
    for _ in range(40):
        yield b" "
        time.sleep(slow_s)
