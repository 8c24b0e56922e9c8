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
from schemathesis.core.parameters import ParameterLocation as Place
from schemathesis.generation.meta import TestPhase
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
    response_schema_conformance,
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
        elsewhere = "" in (case.path_parameters or {}).values()  # another address, or none
        if self.closed and answer.status_code != 401 and not (elsewhere or unreadable(answer)):
            yield f"{answer.status_code} to nobody"
        try:
            case.validate_response(answer, checks=checks_of(case))
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


def checks_of(case: Case) -> list[Any]:
    """Return what is checked; that the wrong is refused only where the wrong surely arrives.

    Several wrong values of a query at once may be written as an absent one.
    """
    wrong = {at for at, part in case.meta.components.items() if part.mode.is_negative}
    sure = Place.BODY in wrong or (wrong and case.meta.phase.name is TestPhase.COVERAGE)
    return [*CHECKS, negative_data_rejection] if sure else CHECKS


def unreadable(answer: Any) -> bool:
    """Say whether *answer* refuses what is not even the type it says, or a type nobody reads."""
    early = (b'"JSON_INVALID"', b'"BAD_CURSOR"')  # read before anyone is asked who he is
    return answer.status_code in (400, 406) or (
        answer.status_code == 422 and any(code in answer.content for code in early)
    )


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
