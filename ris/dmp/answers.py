"""Reading what the DMP answers: envelope, `RelatesTo`, registry status, references. Pure.

It turns an answer into values or into the errors of `errors_table`; it sends nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

from ris.core.errors import Lost, RisError
from ris.core.soap import WSA, SoapFault, body_of
from ris.core.xml import Element, UnsafeXml, parse
from ris.dmp import mtom
from ris.dmp.errors_table import as_error, classify
from ris.dmp.settings import ErrorClass
from ris.reports.ebrim import RIM

_RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
_SUCCESS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
_WARNING: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"
_DIGITS: Final = re.compile(r"\d{5,}")


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One `RegistryError`: code, its context with long numbers masked, is it only a warning."""

    code: str
    context: str
    warning: bool = False


def open_answer(content_type: str, content: bytes, message_id: str) -> Element:
    """Return the body child of an answer to *message_id*, plain or multipart.

    Raises `SoapFault` on a fault, `Lost` when these bytes are no answer to that message: not
    SOAP, or without the matching `RelatesTo` (dmp.md §6.7).
    """
    try:
        root = mtom.parse(content_type, content).root
        envelope = parse(root, limit=20_000_000)
        body = body_of(root)
    except SoapFault as fault:
        if fault.fault_code == "NoBody":
            raise Lost(remote_code="NOT_SOAP") from fault
        raise
    except RisError as error:
        if isinstance(error, UnsafeXml | mtom.MalformedMultipart):
            raise Lost(remote_code="NOT_SOAP") from error
        raise
    related = envelope.findtext(f"*/{{{WSA}}}RelatesTo", "").strip()
    if related != message_id:
        raise Lost(remote_code="WRONG_RELATES_TO")
    return body


def fault_code(fault: SoapFault) -> str:
    """Return the DMP's own code in a fault: the last subcode, else the fault code."""
    return fault.subcodes[-1] if fault.subcodes else fault.fault_code


def masked(text: str) -> str:
    """Return a text of the DMP fit to be stored: long numbers masked, 300 characters."""
    return _DIGITS.sub("…", " ".join(text.split()))[:300]


def check_registry(body: Element, extra: Mapping[str, ErrorClass]) -> tuple[RegistryError, ...]:
    """Return the warnings of a successful registry answer.

    Raises the error of the most telling `RegistryError` when the status is not Success.
    """
    errors = registry_errors(body)
    if etree.QName(body).localname not in ("RegistryResponse", "AdhocQueryResponse"):
        raise Lost(remote_code="UNEXPECTED_ANSWER")
    if body.get("status") == _SUCCESS:
        return errors
    blocking = [each for each in errors if not each.warning]
    if not blocking:
        raise as_error("permanent", "NO_REGISTRY_ERROR")
    kinds = [(classify(each.code, each.context, extra), each.code) for each in blocking]
    order: tuple[ErrorClass, ...] = (
        "config",
        "permanent",
        "held",
        "duplicate",
        "lost",
        "transient",
    )
    kind, code = min(kinds, key=lambda each: order.index(each[0]) if each[0] in order else 9)
    raise as_error("permanent" if kind in ("duplicate", "warning") else kind, code)


def registry_errors(body: Element) -> tuple[RegistryError, ...]:
    """Return every `RegistryError` of an answer, in order."""
    return tuple(
        RegistryError(
            each.get("errorCode", ""),
            masked(each.get("codeContext", "")),
            each.get("severity") == _WARNING,
        )
        for each in body.iter(f"{{{_RS}}}RegistryError")
    )


def references(body: Element) -> tuple[str, ...]:
    """Return the entryUUIDs of an ITI-18 answer, from ObjectRef or full entries."""
    found = (
        each.get("id", "") for each in body.iter(f"{{{RIM}}}ObjectRef", f"{{{RIM}}}ExtrinsicObject")
    )
    return tuple(each for each in found if each.startswith("urn:uuid:"))
