"""A scanned page, searched for datamatrix symbols: PNG, JPEG, or a PDF whose pages are JPEG.

Hostile input: the size in pixels is read before anything is unpacked, and no PDF is interpreted
(an image stream stands in clear in the file). Nothing is kept.
"""

import re
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import zxingcpp
from PIL import Image

from ris.identity.errors import ScanTooDetailed, ScanTypeRefused, ScanUnreadable

MAX_PIXELS: Final = 40_000_000
MAX_IMAGES: Final = 4
PNG, JPEG, PDF = "image/png", "image/jpeg", "application/pdf"
_SIGNATURES: Final = {PNG: b"\x89PNG\r\n\x1a\n", JPEG: b"\xff\xd8\xff", PDF: b"%PDF-"}
_DECODERS: Final = {PNG: ("PNG",), JPEG: ("JPEG",)}
_JPEG_STREAM: Final = re.compile(rb"stream\r?\n(?=\xff\xd8\xff)")
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# what Pillow itself takes for a broken file when it opens one, and lets out when it reads on
_BROKEN: Final = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error)


def symbols(content: bytes) -> tuple[str, ...]:
    """Return the text of every datamatrix found, each once, in page order.

    Raises `ScanTypeRefused`, `ScanTooDetailed` (over 40 million pixels), `ScanUnreadable`.
    """
    kind = next((k for k, sign in _SIGNATURES.items() if content.startswith(sign)), None)
    if kind is None:
        raise ScanTypeRefused
    found = [text for page, form in _pages(content, kind) for text in _symbols(page, form)]
    return tuple(dict.fromkeys(found))


def _pages(content: bytes, kind: str) -> Iterator[tuple[bytes, str]]:
    if kind != PDF:
        yield content, kind
        return
    starts = [found.end() for found in _JPEG_STREAM.finditer(content)][:MAX_IMAGES]
    if not starts:
        raise ScanUnreadable("Ce PDF ne contient pas de page numérisée en JPEG.")
    for start in starts:
        end = content.find(b"endstream", start)
        yield content[start : end if end > 0 else None], JPEG


def _symbols(content: bytes, kind: str) -> Iterator[str]:
    try:
        with Image.open(BytesIO(content), formats=_DECODERS[kind]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ScanTooDetailed
            grey = opened.convert("L")
    except _BOMBS as error:
        raise ScanTooDetailed from error
    except _BROKEN as error:
        raise ScanUnreadable from error
    wanted = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.DataMatrix])
    for one in zxingcpp.read_barcodes(grey, formats=wanted):
        yield one.bytes.decode("latin-1")
