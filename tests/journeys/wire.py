"""What left the site, opened to the last byte: mails, attachments, archives, MTOM parts, PDF text.

Reading only; what must or must not be found is said by each journey.
"""

from collections.abc import Iterator
from email import message_from_bytes, policy
from io import BytesIO
from zipfile import ZipFile, is_zipfile

from ris.sandbox.dmp.service import Received
from ris.sandbox.mss.store import Submitted
from tests.reports.pdf_text import text_of


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
