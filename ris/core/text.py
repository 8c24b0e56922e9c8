"""Text folding: the search key, the XML-safe text, the ASCII form of mail subjects.

Pure functions of strings, and the patterns of a free text without control characters: no column,
XML document or HL7 field can hold them all. The character rules of INS traits are not here
(ris.identity.rules).
"""

import re
import unicodedata
from typing import Final

_LIGATURES: Final = str.maketrans(
    {"Œ": "OE", "œ": "oe", "Æ": "AE", "æ": "ae", "Ł": "L", "ł": "l", "Ø": "O", "ø": "o"}
    | {"Đ": "D", "đ": "d"}
)
_SIGNS: Final = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("«»“”„", '"')
    | {"€": "EUR", "ß": "ss", "ẞ": "SS"}
)
_NOT_XML_CHAR: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
SEVERAL_LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
_NOT_KEY: Final = re.compile("[^A-Z0-9]+")


def fold(value: str) -> str:
    """Return the search key of *value*: capital letters, digits, single spaces.

    Œ→OE…, NFKD without combining marks, upper case, any other run → one space, trimmed
    (engineering.md §2.6). A key is for searching, never for display.
    """
    return _NOT_KEY.sub(" ", _bare(value).upper()).strip()


def clean_text(value: str) -> str:
    """Return *value* with every character outside XML 1.0 `Char` replaced by U+FFFD.

    Nothing is dropped in silence: a caller that must record the loss compares the two strings.
    """
    return _NOT_XML_CHAR.sub("\ufffd", value)


def ascii_fold(value: str) -> str:
    """Return *value* in ASCII, case and punctuation kept: é→e, œ→oe, ’→', –→-, «→", other→?."""
    return "".join(char if char.isascii() else "?" for char in _bare(value.translate(_SIGNS)))


def _bare(value: str) -> str:
    decomposed = unicodedata.normalize("NFKD", value.translate(_LIGATURES))
    return "".join(char for char in decomposed if not unicodedata.combining(char))
