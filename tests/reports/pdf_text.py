"""The text layer of a PDF made by typst: fonts with a ToUnicode map, read with pikepdf."""

import re
from io import BytesIO

import pikepdf

_CHAR = re.compile(r"<([0-9a-fA-F]{4})>\s*<([0-9a-fA-F]+)>")
_RANGE = re.compile(r"<([0-9a-fA-F]{4})>\s*<([0-9a-fA-F]{4})>\s*<([0-9a-fA-F]+)>")


def text_of(pdf: bytes) -> str:
    """Return the text of every page, one line per text operator run."""
    with pikepdf.open(BytesIO(pdf)) as opened:
        return "\n".join(_page(page) for page in opened.pages)


def _page(page: pikepdf.Page) -> str:
    maps = {name: _map(font) for name, font in page.Resources.get("/Font", {}).items()}
    current: dict[int, str] = {}
    written = []
    for instruction in pikepdf.parse_content_stream(page):
        operator = str(instruction.operator)
        if operator == "Tf":
            current = maps[str(instruction.operands[0])]
        elif operator == "Tj":
            written.append(_decoded(instruction.operands[0], current))
        elif operator == "TJ":
            strings = [one for one in instruction.operands[0] if isinstance(one, pikepdf.String)]
            written.append("".join(_decoded(one, current) for one in strings))
    return "\n".join(written)


def _decoded(string: pikepdf.String, chars: dict[int, str]) -> str:
    data = bytes(string)
    codes = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    return "".join(chars.get(code, "\ufffd") for code in codes)


def _map(font: pikepdf.Object) -> dict[int, str]:
    cmap = font.ToUnicode.read_bytes().decode("latin-1")
    chars: dict[int, str] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
        chars |= {int(code, 16): _text(value) for code, value in _CHAR.findall(block)}
    for block in re.findall(r"beginbfrange(.*?)endbfrange", cmap, re.DOTALL):
        for low, high, first in _RANGE.findall(block):
            for code in range(int(low, 16), int(high, 16) + 1):
                chars[code] = chr(int(first, 16) + code - int(low, 16))
    return chars


def _text(hexadecimal: str) -> str:
    return bytes.fromhex(hexadecimal).decode("utf-16-be")
