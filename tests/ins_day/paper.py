"""What a printed report shows to a reader and to a scanner: its text, its datamatrix.

Reads the PDF alone: the symbol is drawn again from the filled path of the page, then scanned.
"""

from io import BytesIO

import pikepdf
import zxingcpp
from PIL import Image, ImageDraw

Point = tuple[float, float]
SCALE = 8
QUIET = 32


def scanned(pdf: bytes) -> str | None:
    """Return the text of the datamatrix on the first page, None when there is none."""
    shapes = max(fills(pdf), key=len, default=[])
    if not shapes:
        return None
    points = [point for shape in shapes for point in shape]
    left, top = min(x for x, _ in points), min(y for _, y in points)
    width, height = max(x for x, _ in points) - left, max(y for _, y in points) - top
    size = (round(width * SCALE) + 2 * QUIET, round(height * SCALE) + 2 * QUIET)
    if max(size) > 4000:
        return None
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        corners = [((x - left) * SCALE + QUIET, (y - top) * SCALE + QUIET) for x, y in shape]
        draw.polygon(corners, fill=0)
    found = zxingcpp.read_barcode(image)
    return found.bytes.decode() if found is not None else None


def fills(pdf: bytes) -> list[list[list[Point]]]:
    """Return every filled path of the first page as its closed shapes."""
    found: list[list[list[Point]]] = []
    path: list[list[Point]] = []
    with pikepdf.open(BytesIO(pdf)) as opened:
        for step in pikepdf.parse_content_stream(opened.pages[0]):
            operator = str(step.operator)
            if operator in ("m", "l"):
                x, y = (float(str(one)) for one in step.operands)
                if operator == "m":
                    path.append([])
                path[-1].append((x, y))
            elif operator in ("f", "f*", "S", "s", "n"):
                if operator.startswith("f"):
                    found.append([shape for shape in path if len(shape) > 2])
                path = []
    return found
