"""`ReportContent` to JSON and back, without loss: what `document_version.content` stores."""

from typing import Any, Final

from pydantic import TypeAdapter

from ris.reports.content import ReportContent

_CONTENT: Final = TypeAdapter(ReportContent)


def to_json(content: ReportContent) -> dict[str, Any]:
    """Return *content* as JSON values."""
    values: dict[str, Any] = _CONTENT.dump_python(content, mode="json")
    return values


def from_json(values: dict[str, Any]) -> ReportContent:
    """Return the content that `to_json` gave; instants come back aware, in UTC or as offset."""
    return _CONTENT.validate_python(values)
