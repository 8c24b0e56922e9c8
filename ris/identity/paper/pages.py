"""The pages of a PDF as grey images, drawn by a process of its own (`draw_pdf.py`)."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import Image

from ris.identity.errors import ScanUnreadable
from ris.identity.paper.draw_pdf import HEADER

COMMAND: Final = (sys.executable, "-I", str(Path(__file__).with_name("draw_pdf.py")))
_WITHIN_S: Final = 20
_TURNS: Final = threading.BoundedSemaphore(2)  # how many PDF are drawn at a time


def drawn(pdf: bytes) -> Iterator[Image.Image]:
    """Yield the first pages of *pdf*; raises `ScanUnreadable` for one that cannot be drawn."""
    with _TURNS:
        try:
            done = subprocess.run(
                COMMAND, input=pdf, capture_output=True, timeout=_WITHIN_S, check=True, env={}
            )  # fmt: skip
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise ScanUnreadable(
                "Ce PDF ne s'ouvre pas (abîmé, chiffré) ou ses pages sont trop lourdes à dessiner. "
                "Envoyez la page en image, PNG ou JPEG."
            ) from error
    at = 0
    while at < len(done.stdout):
        width, height, line = HEADER.unpack_from(done.stdout, at)
        at += HEADER.size
        points = done.stdout[at : at + line * height]
        at += line * height
        yield Image.frombytes("L", (width, height), points, "raw", "L", line)
