"""What a copy may be, told from its first bytes alone. Pure; nothing is decoded."""

from enum import StrEnum
from typing import Final

from ris.identity.copies.errors import CopyTypeRefused


class MediaType(StrEnum):
    """The accepted types."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    PDF = "application/pdf"


SIGNATURES: Final = {
    MediaType.JPEG: b"\xff\xd8\xff",
    MediaType.PNG: b"\x89PNG\r\n\x1a\n",
    MediaType.PDF: b"%PDF-",
}
EXTENSIONS: Final = {MediaType.JPEG: "jpg", MediaType.PNG: "png", MediaType.PDF: "pdf"}


def recognise(content: bytes, declared: str) -> MediaType:
    """Return the type of *content*; *declared* is the caller's `Content-Type`.

    Raises `CopyTypeRefused` when the bytes are of no accepted type, or not of the declared one.
    """
    told = declared.partition(";")[0].strip().lower()
    for kind, signature in SIGNATURES.items():
        if content.startswith(signature) and told == kind:
            return kind
    raise CopyTypeRefused
