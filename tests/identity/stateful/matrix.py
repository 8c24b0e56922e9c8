"""The symbols on the pages of a PDF, read from its drawing: paths painted again, then decoded."""

from io import BytesIO
from typing import Any

import pikepdf
import zxingcpp
from PIL import Image, ImageDraw

SCALE = 4.0
Matrix = tuple[float, float, float, float, float, float]


def symbols_in(pdf: bytes) -> list[str]:
    """Return the text of every matrix code drawn in *pdf*."""
    found: list[str] = []
    with pikepdf.open(BytesIO(pdf)) as opened:
        for page in opened.pages:
            width, height = (float(one) * SCALE for one in page.mediabox[2:])
            image = Image.new("L", (int(width), int(height)), 255)
            _paint(page, ImageDraw.Draw(image), (SCALE, 0, 0, -SCALE, 0, height))
            found += [one.text for one in zxingcpp.read_barcodes(image)]
    return found


def _paint(content: Any, draw: ImageDraw.ImageDraw, start: Matrix) -> None:
    """Fill every path of *content* and of the forms it shows; curves, clips and text are left."""
    matrix, stack = start, []
    paths: list[list[tuple[float, float]]] = []
    grey = 0
    for instruction in pikepdf.parse_content_stream(content):
        operator, values = str(instruction.operator), list(instruction.operands)
        if operator == "q":
            stack.append((matrix, grey))
        elif operator == "Q":
            matrix, grey = stack.pop()
        elif operator == "cm":
            matrix = _times(tuple(map(float, values)), matrix)  # type: ignore[arg-type]
        elif operator in ("g", "rg", "sc", "scn", "k"):
            numbers = [float(one) for one in values if not isinstance(one, pikepdf.Name)]
            grey = 255 if numbers and min(numbers) > 0.5 else 0
        elif operator == "m":
            paths.append([_at(matrix, *values)])
        elif operator == "l":
            paths[-1].append(_at(matrix, *values))
        elif operator == "re":
            x, y, w, h = map(float, values)
            corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
            paths.append([_at(matrix, *corner) for corner in corners])
        elif operator in ("f", "F", "f*", "B", "B*", "b", "b*"):
            for path in paths:
                if len(path) > 2:
                    draw.polygon(path, fill=grey)
            paths = []
        elif operator in ("n", "S", "s"):
            paths = []
        elif operator == "Do":
            form = content.Resources.XObject[str(values[0])]
            if form.get("/Subtype") == "/Form":
                inner = tuple(map(float, form.get("/Matrix", [1, 0, 0, 1, 0, 0])))
                _paint(form, draw, _times(inner, matrix))  # type: ignore[arg-type]


def _times(a: Matrix, b: Matrix) -> Matrix:
    return (
        a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
        a[4] * b[0] + a[5] * b[2] + b[4], a[4] * b[1] + a[5] * b[3] + b[5],
    )  # fmt: skip


def _at(m: Matrix, x: Any, y: Any) -> tuple[float, float]:
    x, y = float(x), float(y)
    return m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]
