"""Bytes to a `Message`, strictly and within caps (workflow.md §5).

No meaning of segments beyond MSH. Every refusal is `Refused` once an MSH could be read, `Unframed`
before: a parser that guesses is a parser that files reports under the wrong patient.
"""

import contextlib
import re
from dataclasses import dataclass
from typing import Final

from ris.interop.hl7v2.errors import DATA_TYPE, REQUIRED, SEQUENCE, Refused, Unframed
from ris.interop.hl7v2.message import Message, Segment, Separators

CHARSETS: Final = {
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "ASCII": "ascii",
    "8859/1": "iso-8859-1",
    "8859/15": "iso-8859-15",
}
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_END: Final = re.compile(r"\r\n?|\n")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HEADER_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Caps:
    """How large a message may be before it is refused unread; *line* is of all but OBX."""

    size: int = 20_000_000
    line: int = 65_536
    segments: int = 2_000
    fields: int = 300
    repetitions: int = 200


DEFAULT: Final = Caps()


def header(data: bytes) -> Segment:
    """Return the MSH of *data*, read leniently; raises `Unframed`.

    It is all an answer needs, whatever the state of the rest.
    """
    line = re.split(rb"[\r\n]", data[:_HEADER_MAX].lstrip(b"\r\n"), maxsplit=1)[0]
    charset, text = "iso-8859-1", line.decode("iso-8859-1")
    separators = _separators(text)
    if separators is None:
        raise Unframed
    announced = Segment(tuple(text.split(separators.field)), separators).text(18).upper()
    with contextlib.suppress(UnicodeDecodeError):
        charset = CHARSETS.get(announced, "utf-8")
        text = line.decode(charset)
    return Segment(tuple(text.split(separators.field)), separators, charset)


def parse(data: bytes, caps: Caps = DEFAULT) -> Message:
    """Return the message of *data*; raises `Unframed`, or `Refused` naming place and condition."""
    msh = header(data)
    if len(data) > caps.size:
        raise Refused(DATA_TYPE, "MSH^1", "Message trop volumineux.", ack="AR", code="HL7_TOO_BIG")
    charset, text = _decode(data, msh.text(18))
    if _CONTROL.search(text):
        raise Refused(DATA_TYPE, "MSH^1", "Caractère de contrôle interdit.")
    lines = [line for line in _LINE_END.split(text) if line]
    if len(lines) > caps.segments:
        raise Refused(DATA_TYPE, "MSH^1", "Trop de segments.", ack="AR", code="HL7_TOO_BIG")
    return Message(tuple(_segment(line, msh.separators, charset, caps) for line in lines))


def control_of(msh: Segment) -> tuple[str, str, str]:
    """Return sending application, sending facility and control id (MSH-3, -4, -10).

    Raises `Refused` without a control id: nothing could make a repetition harmless.
    """
    control = msh.text(10)
    escaped = (msh.text(9, 1), msh.text(9, 2), control)  # \X00\ is one only once it is read
    if _CONTROL.search("".join((*msh.fields, *escaped))):
        raise Refused(DATA_TYPE, "MSH^1", "Caractère de contrôle interdit.")
    if not control or len(control) > 199:
        raise Refused(REQUIRED, "MSH^1^10", "Identifiant de message (MSH-10) absent ou trop long.")
    return msh.raw(3)[:227], msh.raw(4)[:227], control


def _separators(line: str) -> Separators | None:
    if len(line) < 9 or not line.startswith("MSH") or line[8] != line[3]:
        return None
    found = Separators(line[3], *line[4:8])
    marks = found.field + found.msh2
    plain = all(33 <= ord(mark) < 127 and not mark.isalnum() and mark != '"' for mark in marks)
    return found if plain and len(set(marks)) == 5 else None


def _decode(data: bytes, declared: str) -> tuple[str, str]:
    """Return charset and text: MSH-18, or strict UTF-8 then ISO-8859-15 when it is empty."""
    if declared and declared.upper() not in CHARSETS:
        raise Refused(DATA_TYPE, "MSH^1^18", "Jeu de caractères (MSH-18) non pris en charge.")
    tried = (CHARSETS[declared.upper()],) if declared else ("utf-8", "iso-8859-15")
    for charset in tried:
        try:
            return charset, data.decode(charset)
        except UnicodeDecodeError:
            continue
    raise Refused(DATA_TYPE, "MSH^1^18", "Le message n'est pas dans le jeu de caractères annoncé.")


def _segment(line: str, separators: Separators, charset: str, caps: Caps) -> Segment:
    fields = tuple(line.split(separators.field))
    if not _NAME.fullmatch(fields[0]):
        raise Refused(SEQUENCE, "", "Segment sans nom reconnaissable.")
    if len(line) > caps.line and fields[0] != "OBX":
        raise Refused(DATA_TYPE, fields[0], "Segment trop long.")
    if len(fields) > caps.fields or any(
        field.count(separators.repetition) >= caps.repetitions for field in fields[1:]
        if field != separators.msh2
    ):  # fmt: skip
        raise Refused(DATA_TYPE, fields[0], "Trop de champs ou de répétitions.")
    return Segment(fields, separators, charset)
