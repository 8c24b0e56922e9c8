"""The DMP's side of the wire: opening a request, WS-Addressing, faults and answers.

No business check: what a request may do is judged elsewhere in this package.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from uuid import uuid4

from lxml import etree
from lxml.builder import ElementMaker

from ris.core.errors import RisError
from ris.core.xml import Element, parse, serialise

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA: Final = "http://www.w3.org/2005/08/addressing"
RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
_soap: Final = ElementMaker(namespace=SOAP, nsmap={"soap": SOAP})
_wsa: Final = ElementMaker(namespace=WSA, nsmap={"wsa": WSA})
_rs: Final = ElementMaker(namespace=RS, nsmap={"rs": RS})
_STATUS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_SEVERITY: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"


class SoapRefusal(Exception):
    """The request is refused by a SOAP fault: subcode *code*, reason *text*."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


class RegistryRefusal(Exception):
    """The request is refused by a `RegistryError`: *code*, *context*."""

    def __init__(self, code: str, context: str) -> None:
        super().__init__(code)
        self.code = code
        self.context = context


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request opened: its action, message id, security header, body, MTOM parts."""

    action: str
    message_id: str
    security: Element
    body: Element
    parts: dict[str, bytes] | None


def open_request(content_type: str, data: bytes) -> Incoming:
    """Return the request in *data*; *parts* is None when it is not MTOM. Raises `SoapRefusal`."""
    root_bytes, parts = data, None
    if content_type.lower().startswith("multipart/related"):
        root_bytes, parts = _multipart(content_type, data)
    elif not content_type.lower().startswith("application/soap+xml"):
        raise SoapRefusal("DMPInvalidRequest", "Type de contenu inattendu")
    try:
        envelope = parse(root_bytes, limit=20_000_000)
    except RisError as error:
        raise SoapRefusal("DMPInvalidRequest", "XML refusé") from error
    if envelope.tag != f"{{{SOAP}}}Envelope":
        raise SoapRefusal("DMPInvalidRequest", "Enveloppe SOAP 1.2 attendue")
    header, body = envelope.find(f"{{{SOAP}}}Header"), envelope.find(f"{{{SOAP}}}Body")
    if header is None or body is None or len(body) != 1:
        raise SoapRefusal("DMPInvalidRequest", "En-tête ou corps absent")
    action, message_id = _addressing(header)
    security = [each for each in header if etree.QName(each).localname == "Security"]
    if len(security) != 1:
        raise SoapRefusal("DMPInvalidVIHF", "Jeton VIHF absent")
    return Incoming(action, message_id, security[0], body[0], parts)


def _addressing(header: Element) -> tuple[str, str]:
    """Every WS-Addressing header is required; `Action` must be understood."""
    found = {name: header.find(f"{{{WSA}}}{name}") for name in ("Action", "MessageID", "To")}
    texts = {name: (each.text or "").strip() for name, each in found.items() if each is not None}
    reply = header.find(f"{{{WSA}}}ReplyTo/{{{WSA}}}Address")
    if not all(texts.get(name) for name in found) or reply is None:
        raise SoapRefusal("MessageAddressingHeaderRequired", "En-tête WS-Addressing absent")
    action = found["Action"]
    if action is None or action.get(f"{{{SOAP}}}mustUnderstand") not in ("true", "1"):
        raise SoapRefusal("MessageAddressingHeaderRequired", "Action sans mustUnderstand")
    if not texts["MessageID"].startswith("urn:uuid:"):
        raise SoapRefusal("InvalidAddressingHeader", "MessageID invalide")
    return texts["Action"], texts["MessageID"]


def _multipart(content_type: str, data: bytes) -> tuple[bytes, dict[str, bytes]]:
    wanted = dict(re.findall(r'(boundary|start|start-info|type)="?([^";]+)"?', content_type))
    if wanted.get("type") != "application/xop+xml" or "start" not in wanted:
        raise SoapRefusal("DMPInvalidRequest", "Message MTOM mal annoncé")
    delimiter = b"--" + wanted["boundary"].encode()
    pieces = (b"\r\n" + data).split(b"\r\n" + delimiter)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise SoapRefusal("DMPInvalidRequest", "Message MTOM tronqué")
    found: dict[str, bytes] = {}
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        cid = re.search(rb"(?im)^content-id:\s*<([^>]+)>", head)
        if cid is None or not re.search(rb"(?im)^content-transfer-encoding:\s*binary", head):
            raise SoapRefusal("DMPInvalidRequest", "Partie MTOM sans Content-ID ou non binaire")
        found[cid.group(1).decode()] = content
    start = wanted["start"].strip("<>")
    if start not in found:
        raise SoapRefusal("DMPInvalidRequest", "Partie principale absente")
    return found.pop(start), found


def content_id(href: str) -> str:
    """Return the Content-ID named by an `xop:Include/@href`."""
    return unquote(href.removeprefix("cid:"))


def answer(request: Incoming, body: Element) -> bytes:
    """Return the envelope that answers *request* with *body*."""
    headers = [
        _wsa.Action(f"{request.action}Response"),
        _wsa.MessageID(f"urn:uuid:{uuid4()}"),
        _wsa.To("http://www.w3.org/2005/08/addressing/anonymous"),
        _wsa.RelatesTo(request.message_id),
    ]
    return serialise(_soap.Envelope(_soap.Header(*headers), _soap.Body(body)))


def fault(code: str, text: str) -> bytes:
    """Return a SOAP 1.2 Sender fault with subcode *code*."""
    reason = _soap.Text(text)
    reason.set("{http://www.w3.org/XML/1998/namespace}lang", "fr")
    content = _soap.Fault(
        _soap.Code(_soap.Value("soap:Sender"), _soap.Subcode(_soap.Value(f"soap:{code}"))),
        _soap.Reason(reason),
    )
    return serialise(_soap.Envelope(_soap.Body(content)))


def registry_response(refusal: RegistryRefusal | None = None) -> Element:
    """Return a `RegistryResponse`: Success, or Failure with one error."""
    if refusal is None:
        return _rs.RegistryResponse(status=f"{_STATUS}Success")
    error = _rs.RegistryError(
        errorCode=refusal.code, codeContext=refusal.context, severity=_SEVERITY, location=""
    )
    return _rs.RegistryResponse(_rs.RegistryErrorList(error), status=f"{_STATUS}Failure")
