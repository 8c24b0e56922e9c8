"""SOAP envelopes: building one, opening one, and the fault as an exception.

No transport, no security header of any service: the callers bring those.
"""

from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from ris.core.errors import RemoteError
from ris.core.xml import Element, parse

SOAP11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA: Final = "http://www.w3.org/2005/08/addressing"
ANONYMOUS: Final = "http://www.w3.org/2005/08/addressing/anonymous"


class SoapFault(RemoteError):
    """The service answered with a fault.

    *fault_code* and *subcodes* are local names, *reason* the service's text (may hold traits:
    never log it), *detail_element* the `detail` element or None.
    """

    code = "SOAP_FAULT"

    def __init__(
        self,
        fault_code: str,
        subcodes: tuple[str, ...],
        reason: str,
        detail_element: Element | None,
    ) -> None:
        super().__init__(remote_code="/".join((fault_code, *subcodes)))
        self.fault_code = fault_code
        self.subcodes = subcodes
        self.reason = reason
        self.detail_element = detail_element


def envelope(headers: list[Element], body: Element, *, namespace: str = SOAP12) -> Element:
    """Return a SOAP envelope around *headers* and the single *body* child."""
    soap = ElementMaker(namespace=namespace, nsmap={"soap": namespace})
    return soap.Envelope(soap.Header(*headers), soap.Body(body))


def addressing(action: str, to: str, message_id: str, *, namespace: str = SOAP12) -> list[Element]:
    """Return the four WS-Addressing 1.0 headers; `Action` is marked mustUnderstand."""
    wsa = ElementMaker(namespace=WSA, nsmap={"wsa": WSA, "soap": namespace})
    must = {f"{{{namespace}}}mustUnderstand": "true" if namespace == SOAP12 else "1"}
    return [
        wsa.Action(action, **must),
        wsa.MessageID(message_id),
        wsa.To(to),
        wsa.ReplyTo(wsa.Address(ANONYMOUS)),
    ]


def body_of(data: bytes) -> Element:
    """Return the first child of the Body of a SOAP 1.1 or 1.2 answer.

    Raises `SoapFault` when it is a fault, `UnsafeXml` when the bytes are not acceptable XML.
    """
    root = parse(data, limit=20_000_000)
    namespace = etree.QName(root).namespace or ""
    body = root.find(f"{{{namespace}}}Body")
    first = next(body.iterchildren(tag=etree.Element), None) if body is not None else None
    if first is None:
        raise SoapFault("NoBody", (), "", None)
    if etree.QName(first).localname == "Fault":
        raise _fault(first, namespace)
    return first


def _fault(fault: Element, namespace: str) -> SoapFault:
    if namespace == SOAP11:
        code = (fault.findtext("faultcode") or "").strip()
        return SoapFault(
            _local(code), (), (fault.findtext("faultstring") or "").strip(), fault.find("detail")
        )
    values = [_local(value.text or "") for value in fault.iter(f"{{{namespace}}}Value")]
    reason = fault.find(f"{{{namespace}}}Reason")
    text = "".join(reason.itertext()).strip() if reason is not None else ""
    code, subcodes = (values[0], tuple(values[1:])) if values else ("", ())
    return SoapFault(code, subcodes, text, fault.find(f"{{{namespace}}}Detail"))


def _local(name: str) -> str:
    return name.strip().rpartition(":")[2]
