"""A page, scanned or produced, searched for datamatrix symbols: PNG, JPEG or PDF.

Hostile input: the size in pixels is read before anything is unpacked, and a PDF is drawn by a
process of its own (`pages.py`). Nothing is kept.
"""

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import zxingcpp
from PIL import Image

from ris.identity.errors import ScanTooDetailed, ScanTypeRefused, ScanUnreadable
from ris.identity.paper import pages

MAX_PIXELS: Final = 40_000_000
PNG, JPEG, PDF = "image/png", "image/jpeg", "application/pdf"
_SIGNATURES: Final = {PNG: b"\x89PNG\r\n\x1a\n", JPEG: b"\xff\xd8\xff", PDF: b"%PDF-"}
_DECODERS: Final = {PNG: ("PNG",), JPEG: ("JPEG",)}
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
    found = [text for page in _pages(content, kind) for text in _symbols(page)]
    return tuple(dict.fromkeys(found))


def _pages(content: bytes, kind: str) -> Iterator[Image.Image]:
    if kind == PDF:
        yield from pages.drawn(content)
    else:
        yield _image(content, kind)


def _image(content: bytes, kind: str) -> Image.Image:
    try:
        with Image.open(BytesIO(content), formats=_DECODERS[kind]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ScanTooDetailed
            return opened.convert("L")
    except _BOMBS as error:
        raise ScanTooDetailed from error
    except _BROKEN as error:
        raise ScanUnreadable from error


def _symbols(page: Image.Image) -> Iterator[str]:
    wanted = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.DataMatrix])
    for one in zxingcpp.read_barcodes(page, formats=wanted):
        yield one.bytes.decode("latin-1")
