"""What every answer must be, whoever asks: as described, with our code when it refuses, no leak.

Pure but for the description; what a role may see comes from the stated matrix, not the product's.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from schemathesis import Case
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.security.lived import EXAM, MATRICULES, REPORT, TRAITS

load_all_checks()
CHECKS: Final = [
    status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection,
]  # fmt: skip
PARTS: Final = {
    "ins.read": MATRICULES, "patient.read": TRAITS, "report.read": REPORT, "exam.read": EXAM,
}  # fmt: skip


@dataclass(frozen=True)
class Oracle:
    """The judge of the answers to one person, who holds *rights*.

    *closed*: nobody is signed in, at a door that asks for a right: 401, or the body is unreadable.
    """

    rights: frozenset[str]
    closed: bool = False

    def faults(self, case: Case, answer: Any) -> Iterator[str]:
        """Give what is wrong with *answer*, in words that do not depend on the request."""
        if answer.status_code in (500, 501, 504):
            yield f"{answer.status_code}, a defect"
        if answer.status_code >= 400 and not code_of(answer.content):
            yield f"{answer.status_code} without a code"
        if self.closed and answer.status_code != 401 and not unreadable(answer):
            yield f"{answer.status_code} to nobody"
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                yield f"{answer.status_code} {failure.title}: {_brief(failure)}"
        if case.operation.definition.raw.get("x-permission") == "rem.read":
            return  # the requirements quote the invented patients of the test day
        body = answer.content.decode(errors="replace")
        for right, marks in PARTS.items():
            if right not in self.rights:
                for mark in sorted(mark for mark in marks if mark in body):
                    yield f"{mark} shown without {right}"


def unreadable(answer: Any) -> bool:
    """Say whether *answer* refuses a body that is not even what its type says."""
    told = answer.content
    return (answer.status_code == 422 and b'"JSON_INVALID"' in told) or answer.status_code == 400


def code_of(body: bytes) -> str:
    """Return our stable code, of a problem document or of an OperationOutcome; empty without."""
    try:
        told = json.loads(body)
        return str(
            told["code"] if "code" in told else told["issue"][0]["details"]["coding"][0]["code"]
        )
    except (ValueError, LookupError, TypeError):
        return ""


def _brief(failure: Any) -> str:
    return " ".join(str(getattr(failure, "message", failure)).split())[:300]
