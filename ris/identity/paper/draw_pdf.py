"""A process of its own that draws the first pages of a PDF in grey: hostile bytes in, points out.

Run as a script by `pages.py`, with the PDF on its input; imports nothing of ours. PDFium is C++ fed
by strangers: what breaks it breaks this process only, which may open neither file nor socket, and
has a bound on memory and processor time. No form, no script, no annotation is run.
"""

import resource
import struct
import sys
from typing import Final

DPI: Final = 200
MAX_PAGES: Final = 4
MAX_POINTS: Final = 10_000_000  # an A3 page at this resolution
HEADER: Final = struct.Struct(">III")  # width, height, bytes of a line
_MEMORY: Final = 1_500_000_000
_CPU_S: Final = 10
_PIPES: Final = 3  # standard input, output and error: no other descriptor


def main() -> None:
    """Write each page drawn as `HEADER` and its lines; any failure ends the process."""
    import pypdfium2  # noqa: PLC0415 - loaded by this process alone

    for limit, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_NOFILE, _PIPES),
    ):
        resource.setrlimit(limit, (most, most))
    document = pypdfium2.PdfDocument(sys.stdin.buffer.read())  # type: ignore[no-untyped-call]
    for number in range(min(len(document), MAX_PAGES)):
        page = document[number]
        width, height = page.get_size()
        within = (MAX_POINTS / max(1.0, width * height)) ** 0.5
        drawn = page.render(
            scale=min(DPI / 72, within), grayscale=True, may_draw_forms=False, draw_annots=False
        )
        head = HEADER.pack(drawn.width, drawn.height, drawn.stride)
        sys.stdout.buffer.write(head + bytes(drawn.buffer))


if __name__ == "__main__":
    main()
