"""What left the site, opened to the last byte: mails, attachments, archives, MTOM parts, PDF text.

Reading only; what must or must not be found is said by each journey.
"""

import base64
import gzip
import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from io import BytesIO
from typing import Final
from urllib.parse import quote, unquote_to_bytes
from zipfile import ZipFile, is_zipfile

import pikepdf

from ris.sandbox.dmp.service import Received
from ris.sandbox.mss.store import Submitted
from tests.reports.pdf_text import text_of

_BASE64: Final = re.compile(
    rb"(?:[A-Za-z0-9+/]{4}(?:\r?\n)?[ \t]*){4,}(?:[A-Za-z0-9+/]{2,3}={0,2})?"
)
_DEPTH: Final = 6


def of_mail(sent: Submitted) -> Iterator[bytes]:
    """Yield a mail as it travelled, then everything inside it."""
    yield " ".join((sent.sender, *sent.recipients, sent.envid)).encode()
    yield from opened(sent.raw)
    yield from of_mime(sent.raw)


def of_request(received: Received) -> Iterator[bytes]:
    """Yield a request to the DMP, then everything inside it."""
    yield received.body
    head = f"Content-Type: {received.content_type}\r\n\r\n".encode()
    yield from of_mime(head + received.body)


def of_mime(raw: bytes) -> Iterator[bytes]:
    message = message_from_bytes(raw, policy=policy.default)
    yield "\n".join(f"{name}: {value}" for name, value in message.items()).encode()
    for part in message.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            yield from opened(content)


def opened(content: bytes) -> Iterator[bytes]:
    """Yield *content*, then what it holds when it is a PDF, an archive or a CDA around a PDF."""
    yield content
    if content.startswith(b"%PDF"):
        yield text_of(content).encode()
    elif is_zipfile(BytesIO(content)):
        with ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from opened(archive.read(name))


def everything(content: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """Yield *content* and all it holds: archives, PDF streams, base64 runs, gzip, %-escapes."""
    yield content
    if depth > 0:
        for inner in _inside(content):
            yield from everything(inner, depth - 1)
        yield from _misaligned(content)


def _inside(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"%PDF"):
        yield text_of(content).encode()
        yield from _streams(content)
    elif is_zipfile(BytesIO(content)):
        with ZipFile(BytesIO(content)) as archive:
            yield from (name.encode() for name in archive.namelist())
            yield from (archive.read(name) for name in archive.namelist())
    elif content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    else:
        yield from (_decoded(run) for run in _BASE64.findall(content))
        if b"%" in content and (plain := unquote_to_bytes(content)) != content:
            yield plain


def _misaligned(content: bytes) -> Iterator[bytes]:
    """Yield the base64 runs whose first characters belong to something else."""
    for run in _BASE64.findall(content):
        yield from (_decoded(run[shift:]) for shift in (1, 2, 3))


def _decoded(run: bytes) -> bytes:
    packed = b"".join(run.split()).rstrip(b"=")
    whole = packed[: len(packed) - (len(packed) % 4 == 1)]
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _streams(pdf: bytes) -> Iterator[bytes]:
    with pikepdf.open(BytesIO(pdf)) as opened:
        yield str(opened.docinfo).encode()
        for one in opened.objects:
            if isinstance(one, pikepdf.Stream):
                yield one.read_bytes()


def forms(secret: str) -> frozenset[bytes]:
    """Return *secret* as it may be written where nothing decodes it: hexadecimal, UTF-16, %."""
    hexed = secret.encode().hex()
    return frozenset(
        (secret.encode(), hexed.encode(), hexed.upper().encode(), secret.encode("utf-16-le"),
         secret.encode("utf-16-be"), quote(secret, safe="").encode())
    )  # fmt: skip


def holds(contents: Iterable[bytes], secret: str) -> bool:
    """Say whether *secret* can be read anywhere in *contents*, in any of its forms."""
    wanted = forms(secret)
    return any(form in content for content in contents for form in wanted)
