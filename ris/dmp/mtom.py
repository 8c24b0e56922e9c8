"""MTOM/XOP packaging: `multipart/related` written and read on bytes (dmp.md §6.1).

Knows nothing of XDS. The stdlib e-mail parser is not used: it rewrites line ends, and a signed
document must come out byte for byte.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from secrets import token_hex
from typing import Final
from urllib.parse import quote, unquote

from ris.core.errors import Invalid

XOP: Final = "http://www.w3.org/2004/08/xop/include"
_PARAMETER: Final = re.compile(r';\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s;]+))')
_HEADER: Final = re.compile(rb"^([^:\r\n]+):[ \t]*((?:[^\r\n]|\r?\n[ \t])*)\r?$", re.MULTILINE)


class MalformedMultipart(Invalid):
    """The bytes are not the multipart message that their content type announces."""

    code = "MTOM_MALFORMED"
    title = "Message MTOM illisible"


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its root part and its other parts by Content-ID (without angle brackets)."""

    root: bytes
    parts: Mapping[str, bytes]


def build(root: bytes, parts: Mapping[str, bytes], *, action: str) -> tuple[str, bytes]:
    """Return the HTTP content type and body carrying *root* and its *parts* (Content-ID → bytes).

    The boundary occurs in no part; line ends are CRLF.
    """
    boundary = token_hex(16)
    while any(boundary.encode() in content for content in (root, *parts.values())):
        boundary = token_hex(16)
    start = f"root.{boundary}@ris"
    xop = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
    pieces = [_part(boundary, xop, start, root)]
    pieces += [_part(boundary, "text/xml", cid, content) for cid, content in parts.items()]
    content_type = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; '
        f'start="<{start}>"; start-info="application/soap+xml"; action="{action}"'
    )
    return content_type, b"".join(pieces) + f"--{boundary}--\r\n".encode()


def href(content_id: str) -> str:
    """Return the `xop:Include/@href` of a Content-ID, percent-encoded (RFC 2392)."""
    return f"cid:{quote(content_id, safe='@.-_')}"


def content_id(href_value: str) -> str:
    """Return the Content-ID that an `xop:Include/@href` names; peers may percent-encode it."""
    return unquote(href_value.removeprefix("cid:"))


def parse(content_type: str, body: bytes) -> Message:
    """Return the message of a `multipart/related` or plain SOAP answer.

    Raises `MalformedMultipart` on a missing boundary, an unclosed part or an absent root.
    """
    if not content_type.strip().lower().startswith("multipart/"):
        return Message(body, {})
    parameters = {
        name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(content_type)
    }
    boundary = parameters.get("boundary", "")
    if not boundary:
        raise MalformedMultipart("Délimiteur absent.")
    found = _split(boundary.encode(), body)
    start = parameters.get("start", "").strip("<>") or next(iter(found), "")
    if start not in found:
        raise MalformedMultipart("Partie principale absente.")
    return Message(found[start], {cid: part for cid, part in found.items() if cid != start})


def _part(boundary: str, content_type: str, cid: str, content: bytes) -> bytes:
    head = (
        f"--{boundary}\r\nContent-Type: {content_type}\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: <{cid}>\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


def _split(boundary: bytes, body: bytes) -> dict[str, bytes]:
    delimiter = re.compile(rb"(?:^|\r\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|$)")
    marks = list(delimiter.finditer(body))
    if len(marks) < 2 or marks[-1].group(1) is None:
        raise MalformedMultipart("Message tronqué.")
    found: dict[str, bytes] = {}
    for index, (mark, following) in enumerate(pairwise(marks)):
        head, blank, content = body[mark.end() + 2 : following.start()].partition(b"\r\n\r\n")
        if not blank:
            raise MalformedMultipart("Partie sans contenu.")
        headers = {name.strip().lower(): value for name, value in _HEADER.findall(head)}
        cid = headers.get(b"content-id", f"part{index}".encode()).decode("latin-1")
        found[cid.strip().strip("<>")] = content
    return found
