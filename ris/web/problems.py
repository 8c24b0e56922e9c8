"""Errors over HTTP: RFC 9457 problem documents, made from the one error tree.

Only the shape of an error answer. No rule, and never the value that was refused: a request body
holds patient data (engineering.md §3.2).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from ris.core import clock, ids
from ris.core.errors import RisError, Throttled
from ris.core.text import ONE_LINE, SEVERAL_LINES
from ris.web.database_errors import meaning

MEDIA_TYPE: Final = "application/problem+json"

_TITLES: Final = {
    400: "Requête incorrecte",
    401: "Connexion requise",
    403: "Accès refusé",
    404: "Introuvable",
    405: "Méthode non permise",
    408: "Requête trop lente",
    413: "Requête trop volumineuse",
    415: "Type de contenu non pris en charge",
    422: "Saisie refusée",
}
_MESSAGES: Final = {
    "missing": "Champ obligatoire.",
    "extra_forbidden": "Champ inconnu.",
    "string_too_short": "Texte trop court.",
    "string_too_long": "Texte trop long.",
    "string_pattern_mismatch": "Format non respecté.",
    "enum": "Valeur hors de la liste permise.",
    "literal_error": "Valeur hors de la liste permise.",
    "too_short": "Liste trop courte.",
    "too_long": "Liste trop longue.",
}
_DATE: Final = ("DATE_INVALID", "Date attendue au format AAAA-MM-JJ.")
_INSTANT: Final = (
    "DATETIME_INVALID",
    "Date et heure attendues avec leur fuseau, par exemple 2026-01-31T14:30:00+01:00.",
)
_NUMBER: Final = ("INTEGER_INVALID", "Nombre entier attendu.")
_BOOLEAN: Final = ("BOOLEAN_INVALID", "Valeur attendue : true ou false.")
_UUID: Final = ("UUID_INVALID", "Identifiant UUID attendu, 36 caractères.")
_FORMATS: Final = {
    "date": _DATE,
    "datetime": _INSTANT,
    "timezone": _INSTANT,
    "int": _NUMBER,
    "bool": _BOOLEAN,
    "uuid": _UUID,
    "json": ("JSON_INVALID", "JSON illisible."),
}
_NO_CONTROL: Final = "Caractère de contrôle interdit."
_PATTERNS: Final = {
    "^[0-9]{11}$": "11 chiffres attendus.", ONE_LINE: _NO_CONTROL, SEVERAL_LINES: _NO_CONTROL,
}  # fmt: skip


def problem(
    request: Request,
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    rem: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> JSONResponse:
    """Return one problem document. *title* and *detail* are French; empty members are left out."""
    slug = code.lower().replace("_", "-")
    content = {
        **extensions,
        "type": f"urn:ris:problem:{slug}",
        "code": code,
        "title": title,
        "status": status,
        "rem": list(rem),
        "instance": f"urn:uuid:{ids.new()}",
    }
    request_id = getattr(request.state, "request_id", None)
    optional = {"detail": detail, "request_id": request_id}
    content |= {name: value for name, value in optional.items() if value}
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if request_id:
        sent["X-Request-ID"] = request_id  # a defect is answered outside our middleware
    return JSONResponse(jsonable_encoder(content), status, headers=sent, media_type=MEDIA_TYPE)


def on_ris_error(request: Request, error: Exception) -> Response:
    """Answer an error of the product's own tree."""
    assert isinstance(error, RisError)  # noqa: S101 - registered for this class only
    headers = {}
    if isinstance(error, Throttled) and error.retry_at is not None:
        wait = (error.retry_at - clock.now()).total_seconds()
        headers["Retry-After"] = str(max(0, round(wait)))
    if challenge := getattr(error, "challenge", None):
        headers["WWW-Authenticate"] = challenge
    return problem(
        request,
        error.status,
        error.code,
        error.title,
        error.detail,
        rem=error.rem,
        headers=headers,
        **error.extensions,
    )


def on_invalid_request(request: Request, error: Exception) -> Response:
    """Answer a request that does not fit its schema: where and what, never the value."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    listed = [
        {"pointer": _pointer(entry), "code": code, "message": message}
        for entry in error.errors()
        for code, message in [_explained(entry)]
    ]
    return problem(request, 422, "INVALID", _TITLES[422], errors=listed)


def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer an error raised by the framework itself (unknown path, wrong method…).

    A JSON body that is no UTF-8, or too deep, is unreadable JSON like any other: 422.
    """
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    if isinstance(error.__cause__, UnicodeDecodeError | RecursionError):
        unreadable = {"type": "json_invalid", "loc": ("body",)}
        return on_invalid_request(request, RequestValidationError([unreadable]))
    code = HTTPStatus(error.status_code).name
    title = _TITLES.get(error.status_code, "Requête refusée")
    return problem(request, error.status_code, code, title, headers=error.headers)


def on_database_error(request: Request, error: Exception) -> Response:
    """Answer what the database refused: a lost race, an impossible value; else it is a defect."""
    assert isinstance(error, DBAPIError)  # noqa: S101 - registered for this class only
    known = meaning(error)
    if known is None:
        return on_defect(request, error)
    state = getattr(error.orig, "sqlstate", None)
    structlog.get_logger().warning("web.database_refused", code=known.code, sqlstate=state)
    return on_ris_error(request, known)


def on_defect(request: Request, error: Exception) -> Response:
    """Answer a defect of ours: no detail leaves, only the request id to look for in the logs."""
    structlog.get_logger().error("web.defect", error=type(error).__name__)
    return problem(request, 500, RisError.code, RisError.title)


def install(app: FastAPI) -> None:
    """Make *app* answer every error as a problem document."""
    app.add_exception_handler(RisError, on_ris_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(DBAPIError, on_database_error)
    app.add_exception_handler(Exception, on_defect)


def _explained(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return our code and the French message for one error of the schema."""
    kind = str(entry["type"])
    family, _, failure = kind.partition("_")
    if family in _FORMATS and failure:
        return _FORMATS[family]
    pattern = entry.get("ctx", {}).get("pattern")
    message = _PATTERNS.get(str(pattern)) or _MESSAGES.get(kind, "Valeur non valide.")
    return kind.upper(), message


def _pointer(entry: Mapping[str, Any]) -> str:
    """Return a JSON pointer (RFC 6901) into the body; other places keep their name first."""
    loc: tuple[int | str, ...] = entry["loc"]
    if entry["type"] == "json_invalid":  # its place is an offset in the text
        return ""
    parts = loc[1:] if loc and loc[0] == "body" else loc
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
