"""What a validation says: one `Finding` per defect, sorted and without repeats."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is; only errors make a document invalid."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One defect. *pattern* is the rule set (`xsd`, `structmin`, `pdfa`…), *rule* its test or
    clause, *location* an XPath or a place in the file; *source* the file it was found in."""

    source: str
    pattern: str
    rule: str
    location: str
    message: str
    severity: Severity = Severity.ERROR


def tidy(findings: Iterable[Finding]) -> list[Finding]:
    """Return *findings* sorted, each once."""
    return sorted(set(findings))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that make a document invalid."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]
