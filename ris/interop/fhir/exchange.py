"""What HTTP says around a FHIR resource: formats, preferences, tags, the resource's bytes.

No rule on patients; the resources themselves are read and written elsewhere.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import RootModel, ValidationError

from ris.interop.fhir.errors import BadRequest, NotAcceptable, UnsupportedMedia
from ris.interop.fhir.vocabulary import MEDIA_TYPE, Json

FORM: Final = "application/x-www-form-urlencoded"
_READ: Final = frozenset({"application/fhir+json", "application/json", "text/json"})
_WANTED: Final = frozenset({*_READ, "json", "*/*", "application/*", "text/*"})
_REASON_MAX: Final = 500


class Resource(RootModel[dict[str, Any]]):
    """A FHIR R4 resource, in JSON (`resourceType` says which)."""


async def _body(request: Request) -> bytes:
    return await request.body()


def _acceptable(request: Request) -> None:
    """Refuse (406) a caller who wants another format than JSON; `_format` wins over Accept."""
    asked = request.query_params.get("_format") or request.headers.get("accept") or "*/*"
    listed = [_media(one) for one in asked.replace(" json", "+json").split(",")]
    if not any(kind in _WANTED and _is_r4(options) for kind, options in listed):
        raise NotAcceptable


def _media(told: str) -> tuple[str, dict[str, str]]:
    kind, *options = (part.strip() for part in told.lower().split(";"))
    pairs = (option.partition("=") for option in options)
    return kind.replace("application/fhir json", "application/fhir+json"), {
        name.strip(): value.strip('" ') for name, _, value in pairs
    }


def _is_r4(options: Mapping[str, str]) -> bool:
    return options.get("fhirversion", "4.0") in ("4.0", "4.0.1") and options.get("q") != "0"


Body = Annotated[bytes, Depends(_body)]
ACCEPTABLE: Final = Depends(_acceptable)


def check_media(request: Request, *allowed: str) -> None:
    """Refuse (415) a body that is not of the *allowed* types (JSON by default)."""
    kind, options = _media(request.headers.get("content-type", ""))
    if kind not in (allowed or _READ) or not _is_r4(options):
        raise UnsupportedMedia
    if options.get("charset", "utf-8") != "utf-8":
        raise UnsupportedMedia("UTF-8 attendu.")


def parsed(request: Request, body: bytes) -> Json:
    """Return the Patient in a request; raises `UnsupportedMedia` and what `patient_of` raises."""
    check_media(request)
    return patient_of(body)


def patient_of(body: bytes) -> Json:
    """Return the Patient that *body* holds, whole by the R4 model.

    Raises `BadRequest` (not JSON, not a Patient), `RequestValidationError` (not as R4 has it).
    """
    try:
        told = json.loads(body.decode(), parse_constant=_refuse, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        raise BadRequest("JSON illisible.", code="FHIR_JSON") from None
    if not isinstance(told, dict) or told.get("resourceType") != "Patient":
        raise BadRequest("Une ressource Patient est attendue.", code="FHIR_RESOURCE_TYPE")
    try:
        _model()(told)
    except RecursionError:
        raise BadRequest("Ressource trop imbriquée.", code="FHIR_JSON") from None
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False)) from None
    return told


@cache
def _model() -> Callable[[Json], object]:
    """Return the reader of Patient; importing the models takes a while, only writers pay for it."""
    from fhir.resources.R4B.patient import Patient  # noqa: PLC0415

    validate: Callable[[Json], object] = Patient.model_validate
    return validate


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _once_each(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("member twice")
    if any(value in (None, "", [], {}) or None in _items(value) for value in made.values()):
        raise ValueError("empty element")
    return made


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def preference(request: Request, name: str) -> str:
    """Return what the Prefer header says of *name* (`return`, `handling`), empty when nothing."""
    told = ",".join(request.headers.getlist("prefer")).replace(",", ";")
    pairs = (one.strip().partition("=") for one in told.split(";"))
    return next((value.strip('" ') for key, _, value in pairs if key.lower() == name), "")


def reason(request: Request) -> str:
    """Return why a locked trait changes: `reason[0].text` of the `X-Provenance` header (R4)."""
    header = request.headers.get("x-provenance")
    if header is None:
        return ""
    try:
        told = json.loads(header.encode("latin-1").decode())["reason"][0]["text"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BadRequest("X-Provenance : reason.text attendu.", code="FHIR_PROVENANCE") from None
    return str(told)[: _REASON_MAX + 1]


def tag(resource: Json) -> dict[str, str]:
    """Return the headers that tell the version of a resource: ETag, Last-Modified."""
    meta = resource["meta"]
    changed = datetime.fromisoformat(meta["lastUpdated"]).astimezone(UTC)
    told = format_datetime(changed, usegmt=True)
    return {"ETag": f'W/"{meta["versionId"]}"', "Last-Modified": told}


def answer(
    resource: Json | None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a resource over HTTP, or its headers alone."""
    body = json.dumps(resource, ensure_ascii=False).encode() if resource is not None else b""
    media = MEDIA_TYPE if resource is not None else None
    return Response(body, status, headers=dict(headers or {}), media_type=media)
