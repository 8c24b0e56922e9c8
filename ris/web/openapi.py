"""What FastAPI cannot know of our API: problem documents, session cookie, CSRF, ETag, rights.

Pure: a description in, a richer description out. No route is declared or changed here.
"""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from ris.web.problems import MEDIA_TYPE

Json = dict[str, Any]

_UNSAFE: Final = frozenset({"post", "put", "patch", "delete"})
_CONVERTER: Final = re.compile(r":\w+\}")
_TEXT: Final = {"type": "string"}
_VERSIONED: Final = frozenset(
    {
        "PatientOut", "ExamOut", "ReportOut", "DeliveryOut", "RefusalsOut", "DocumentOut",
        "PairOut", "CollisionOut", "CollisionDetail",
    }
)  # fmt: skip
_SCHEMAS: Final[Json] = {
    "Problem": {
        "type": "object",
        "description": "Problem document (RFC 9457); title, detail and messages are in French.",
        "required": ["type", "code", "title", "status", "instance", "rem"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "code": {"type": "string", "description": "Stable, for machines."},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "instance": {"type": "string", "format": "uri"},
            "request_id": {"type": "string", "description": "To look for in the logs."},
            "rem": {"type": "array", "items": _TEXT, "description": "Requirements at stake."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemItem"}},
        },
    },
    "ProblemItem": {
        "type": "object",
        "description": "One thing wrong in the request.",
        "required": ["pointer", "code", "message"],
        "properties": {
            "pointer": {"type": "string", "description": "JSON pointer (RFC 6901) into the body."},
            "code": _TEXT,
            "message": _TEXT,
            "rem": {"type": "array", "items": _TEXT},
        },
    },
}
_ANSWERS: Final = {
    "400": ("BadRequest", "Both a cookie and a token were given, or a form cannot be read."),
    "401": ("Unauthenticated", "Nobody is signed in, or the session has ended."),
    "403": ("Forbidden", "The right is missing, or the CSRF token."),
    "404": ("NotFound", "It does not exist, or the caller may not know that it does."),
    "408": ("TooSlow", "The body was too slow to come."),
    "409": ("Conflict", "The state of the thing does not allow the act."),
    "412": ("Stale", "Someone changed the thing since it was read."),
    "413": ("TooLarge", "The body is larger than what is accepted."),
    "422": ("Invalid", "The data given are wrong; `errors` says where."),
    "428": ("PreconditionRequired", "If-Match is missing."),
    "429": ("TooMany", "Too many attempts with tokens; `Retry-After` says when to come back."),
    "502": ("BadGateway", "A service that this act needs refused it, or answered wrongly."),
    "503": ("Unavailable", "A setting or a service this act needs is missing."),
}
_SESSION: Final = {
    "type": "apiKey",
    "in": "cookie",
    "name": "ris_session",
    "description": "Session opened by Pro Santé Connect; named `__Host-ris_session` over HTTPS.",
}
_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "Pro Santé Connect access token of the user, for software the site has named. "
    "Never together with the session cookie.",
}
_CSRF: Final = {
    "name": "X-CSRF-Token",
    "in": "header",
    "required": False,
    "schema": _TEXT,
    "description": "`csrf_token` of `GET /v1/session`. Mandatory with the session cookie; "
    "without meaning for an API caller.",
}
_SITUATION: Final = {
    "name": "X-Situation",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "format": "uuid"},
    "description": "API callers only: the acting situation, one `id` of `GET /v1/session`; "
    "not needed when there is only one.",
}
_ETAG: Final = {"schema": _TEXT, "description": "Version, to send back in If-Match."}


def complete(document: Json, routes: Sequence[BaseRoute]) -> Json:
    """Return the OpenAPI *document* of *routes* completed; the one given is left as it is."""
    made = deepcopy(document)
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= deepcopy(_SCHEMAS)
    components["responses"] = {name: _problem(text) for name, text in _ANSWERS.values()}
    components["securitySchemes"] = {"ris_session": dict(_SESSION), "psc_bearer": dict(_BEARER)}
    components["parameters"] = {"CsrfToken": dict(_CSRF), "Situation": dict(_SITUATION)}
    components["headers"] = {"ETag": dict(_ETAG)}
    rights = dict(_rights(routes))
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method, path, rights.get((path, method)), schemas)
    return made


def _complete(operation: Json, method: str, path: str, right: str | None, schemas: Json) -> None:
    """Complete one operation; *right* is the permission it asks for, None when it is public."""
    parameters = operation.get("parameters", [])
    versioned = any(one.get("name", "").lower() == "if-match" for one in parameters)
    expected = {status for status in ("422",) if status in operation["responses"]}
    if "{" in path or _names_another(operation, schemas):
        expected.add("404")
    if versioned:
        expected |= {"412", "428"}
    if "requestBody" in operation:
        expected |= {"408", "413"}
    if right is not None:
        expected |= {"400", "401", "403", "429", "502", "503"}
        operation["x-permission"] = right
        operation["security"] = [{"ris_session": []}, {"psc_bearer": []}]
        added = [{"$ref": "#/components/parameters/Situation"}]
        if method in _UNSAFE:
            expected |= {"409", "422"}
            added.append({"$ref": "#/components/parameters/CsrfToken"})
        operation["parameters"] = [*parameters, *added]
    for answer in operation["responses"].values():
        if _is_versioned(answer):
            answer.setdefault("headers", {})["ETag"] = {"$ref": "#/components/headers/ETag"}
    _refusals(operation["responses"], expected)


def _refusals(responses: Json, expected: set[str]) -> None:
    """Add what is *expected* and untold; a refusal told in the route's own words is a problem."""
    responses.pop("422", None)  # FastAPI's own shape, never answered
    for status in sorted(expected - responses.keys()):
        responses[status] = {"$ref": f"#/components/responses/{_ANSWERS[status][0]}"}
    for status, answer in responses.items():
        if status >= "400" and "$ref" not in answer:
            answer.setdefault("content", _problem("")["content"])


def _names_another(operation: Json, schemas: Json) -> bool:
    """Say whether a query or a body names something by its identifier."""
    sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    refs = [sent.get("schema", {}), *sent.get("schema", {}).get("anyOf", ())]
    bodies = [schemas.get(str(one.get("$ref", "")).rpartition("/")[2], {}) for one in refs]
    names = [one["name"] for one in operation.get("parameters", []) if one.get("in") == "query"]
    return any(name.endswith("_id") for name in (*names, *_properties(bodies)))


def _properties(schemas: Sequence[Json]) -> Iterator[str]:
    for schema in schemas:
        yield from schema.get("properties", {})


def _is_versioned(answer: Json) -> bool:
    shown = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(shown.get("$ref", "")).rpartition("/")[2] in _VERSIONED


def _problem(description: str) -> Json:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def _rights(routes: Sequence[BaseRoute]) -> Iterator[tuple[tuple[str, str], str]]:
    """Give the permission of each (path, method) that asks for one."""
    for route in iter_route_contexts(routes):
        dependant = getattr(route, "dependant", None)
        asked = next(_asked(dependant), None) if dependant else None
        if asked is not None:
            for method in route.methods or ():
                yield (_CONVERTER.sub("}", str(route.path)), method.lower()), asked


def _asked(dependant: Dependant) -> Iterator[str]:
    for dependency in dependant.dependencies:
        if right := getattr(dependency.call, "permission", None):
            yield str(right)
        yield from _asked(dependency)
