"""Every error under `/fhir` as an OperationOutcome, made from the problem document it would be.

One error tree, one set of French texts: only the shape changes here (`ris.web.problems` decides
status, code, title and detail).
"""

import json
import re
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from typing import Final, cast

from fastapi import FastAPI, Request
from fastapi.responses import Response

from ris.interop.fhir.vocabulary import MEDIA_TYPE, Json

ROOT: Final = "/fhir"
CODES: Final = "urn:ris:problem"
_TYPES: Final = {
    400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported",
    406: "not-supported", 408: "timeout", 409: "conflict", 412: "conflict", 413: "too-long",
    415: "not-supported", 422: "business-rule", 428: "required", 502: "transient",
    503: "transient",
}  # fmt: skip
_TYPES_BY_CODE: Final = {
    "session_expired": "expired",
    "PATIENT_NOT_FOUND": "not-found",
    "FHIR_SEVERAL_MATCHES": "multiple-matches",
    "FHIR_ELEMENT_NOT_KEPT": "not-supported",
    "SEARCH_TOO_BROAD": "too-costly",
    "MISSING": "required",
}
# where a trait of the JSON API stands in a Patient
_PLACES: Final = {
    "birth_family": "Patient.name.where(use='official').family",
    "first_birth_given": "Patient.name.where(use='official').given",
    "birth_given_names": "Patient.name.where(use='official').extension",
    "used_family": "Patient.name.where(use='usual').family",
    "used_given": "Patient.name.where(use='usual').given",
    "birth_date": "Patient.birthDate",
    "sex": "Patient.gender",
    "birth_place": "Patient.extension.where(url.endsWith('patient-birthPlace'))",
    "phone": "Patient.telecom.value",
    "billing_number": "Patient.identifier.where(type.coding.code='NH').value",
    "reason": "Provenance.reason.text",
}

Handler = Callable[[Request, Exception], Response]


def issue(
    severity: str, kind: str, code: str, title: str, *, diagnostics: str = "", expression: str = ""
) -> Json:
    """Return one issue: *kind* is FHIR's issue type, *code* ours; texts are French."""
    made: Json = {
        "severity": severity,
        "code": kind,
        "details": {"coding": [{"system": CODES, "code": code}], "text": title},
    }
    if diagnostics:
        made["diagnostics"] = diagnostics
    if expression:
        made["expression"] = [expression]
    return made


def outcome(issues: list[Json]) -> Json:
    """Return an OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": issues}


def of_problem(problem: Json) -> Json:
    """Return the OperationOutcome that says what a problem document (RFC 9457) says."""
    return outcome(list(_issues(problem)))


def install(app: FastAPI) -> None:
    """Make *app* answer errors under `/fhir` as OperationOutcomes; after `problems.install`."""
    for kind, handler in list(app.exception_handlers.items()):
        if not iscoroutinefunction(handler):  # FastAPI's own, for web sockets
            app.exception_handlers[kind] = _reshaped(cast("Handler", handler))


def _reshaped(handler: Handler) -> Handler:
    def answer(request: Request, error: Exception) -> Response:
        told = handler(request, error)
        if not request.url.path.startswith(f"{ROOT}/") or not told.body:
            return told
        body = json.dumps(of_problem(json.loads(bytes(told.body))), ensure_ascii=False).encode()
        headers = {
            name: value
            for name, value in told.headers.items()
            if name not in ("content-type", "content-length")
        }
        return Response(body, told.status_code, headers=headers, media_type=MEDIA_TYPE)

    return answer


def _issues(problem: Json) -> Iterator[Json]:
    code, status = problem["code"], problem["status"]
    kind = _TYPES_BY_CODE.get(code) or _TYPES.get(status, "exception")
    detail = problem.get("detail", "")
    if survivor := problem.get("survivor_id"):
        detail = f"{detail} Dossier conservé : Patient/{survivor}".strip()
    errors = problem.get("errors") or ()
    if not errors:
        severity = "fatal" if status >= 500 and kind == "exception" else "error"
        yield issue(severity, kind, code, problem["title"], diagnostics=detail)
    for one in errors:
        narrow = _TYPES_BY_CODE.get(one["code"]) or _TYPES_BY_CODE.get(code, "value")
        text = f"{detail} {one['message']}".strip()
        made = issue(
            "error",
            narrow,
            code,
            problem["title"],
            diagnostics=text,
            expression=_expression(one["pointer"]),
        )
        made["details"]["coding"].append({"system": CODES, "code": one["code"]})
        yield made


def _expression(pointer: str) -> str:
    """Return where in the Patient a JSON pointer of ours, or of FHIR's own schema, leads."""
    if not pointer.startswith("/"):
        return pointer
    first, *rest = pointer.removeprefix("/").split("/")
    path = _PLACES.get(first, f"Patient.{first}")
    return path + "".join(f"[{part}]" if part.isdigit() else f".{_plain(part)}" for part in rest)


def _plain(part: str) -> str:
    return re.sub(
        r"[^A-Za-z0-9_]", "", {"lines": "line", "postal_code": "postalCode"}.get(part, part)
    )
