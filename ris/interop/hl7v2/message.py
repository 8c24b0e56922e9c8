"""An HL7 v2 message as values: segments, repetitions, components, escapes (HL7 v2.5 §2.5-2.10).

Reading is lazy and by position, writing by dictionaries; no meaning of any segment stands here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

EMPTY: Final = '""'  # HL7 null: "delete the value", not "no value" (ins.md R-PAM-07)
_MARKS: Final = {
    "\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\",
    "\r": "\\.br\\", "\n": "\\.br\\",
}  # fmt: skip
_ESCAPED: Final = re.compile(r"[A-Za-z0-9.+\-]{1,64}")


@dataclass(frozen=True, slots=True)
class Separators:
    """MSH-1 and MSH-2 as the sender chose them."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    sub: str = "&"

    @property
    def msh2(self) -> str:
        """The four characters of MSH-2."""
        return self.component + self.repetition + self.escape + self.sub


STANDARD: Final = Separators()


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition of one field."""

    raw: str
    separators: Separators = STANDARD
    charset: str = "utf-8"

    def text(self, component: int = 1, sub: int = 1) -> str:
        """Return a component (from 1), unescaped; empty when absent. `EMPTY` is the HL7 null."""
        parts = self.raw.split(self.separators.component)
        if component > len(parts):
            return ""
        subs = parts[component - 1].split(self.separators.sub)
        return unescape(subs[sub - 1], self.separators, self.charset) if sub <= len(subs) else ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; fields are numbered as HL7 does (MSH-1 is the separator itself)."""

    fields: tuple[str, ...]
    separators: Separators = STANDARD
    charset: str = "utf-8"

    @property
    def name(self) -> str:
        """The three characters that begin it."""
        return self.fields[0]

    def raw(self, number: int) -> str:
        """Return a whole field as received; empty when absent."""
        index = number - (self.name == "MSH")
        return self.fields[index] if 0 < index < len(self.fields) else ""

    def repetitions(self, number: int) -> tuple[Repetition, ...]:
        """Return the repetitions of a field that hold something."""
        raws = self.raw(number).split(self.separators.repetition)
        return tuple(Repetition(raw, self.separators, self.charset) for raw in raws if raw)

    def first(self, number: int) -> Repetition:
        """Return the first repetition of a field, empty when absent."""
        raw = self.raw(number).split(self.separators.repetition)[0]
        return Repetition(raw, self.separators, self.charset)

    def text(self, number: int, component: int = 1, sub: int = 1) -> str:
        """Return one component of the first repetition of a field."""
        return self.first(number).text(component, sub)


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: MSH first."""

    segments: tuple[Segment, ...]

    @property
    def msh(self) -> Segment:
        """The header."""
        return self.segments[0]

    def all(self, name: str) -> tuple[Segment, ...]:
        """Return every segment of this name, in order."""
        return tuple(segment for segment in self.segments if segment.name == name)

    def segment(self, name: str) -> Segment:
        """Return the first segment of this name; one without fields when absent."""
        found = next((segment for segment in self.segments if segment.name == name), None)
        return found or Segment((name,))

    def __contains__(self, name: object) -> bool:
        return any(segment.name == name for segment in self.segments)

    def text(self) -> str:
        """Return the message as it was received, segments ended by CR."""
        return "".join(s.separators.field.join(s.fields) + "\r" for s in self.segments)


def segment(name: str, values: Mapping[int, str]) -> str:
    """Return one segment from already encoded fields by number (MSH: from 3)."""
    shift = name == "MSH"
    fields = [values.get(number, "") for number in range(3 if shift else 1, max(values) + 1)]
    return "|".join((name, STANDARD.msh2, *fields) if shift else (name, *fields))


def components(*values: str) -> str:
    """Return one repetition of escaped components; trailing empty ones are dropped."""
    return STANDARD.component.join(escape(value) for value in values).rstrip(STANDARD.component)


def escape(value: str) -> str:
    """Return *value* ready to be written between standard separators; `EMPTY` stays as it is.

    Control characters become spaces: one of them would end the MLLP frame.
    """
    return "".join(_MARKS.get(c, c if c >= " " and c != "\x7f" else " ") for c in value)


def unescape(value: str, separators: Separators, charset: str = "utf-8") -> str:
    """Return *value* without HL7 escapes (§2.7). What is no known escape is left as it stands.

    Call it on one component only, never before splitting.
    """
    if separators.escape not in value:
        return value
    return "".join(_unescaped(value, separators, charset))


def _unescaped(value: str, separators: Separators, charset: str) -> Iterator[str]:
    mark, position = separators.escape, 0
    while (start := value.find(mark, position)) >= 0:
        yield value[position:start]
        end = value.find(mark, start + 1)
        if end < 0 or not _ESCAPED.fullmatch(value, start + 1, end):
            yield mark
            position = start + 1
            continue
        meaning = _meaning(value[start + 1 : end], separators, charset)
        yield value[start : end + 1] if meaning is None else meaning
        position = end + 1
    yield value[position:]


def _meaning(code: str, separators: Separators, charset: str) -> str | None:
    plain = {
        "F": separators.field, "S": separators.component, "T": separators.sub,
        "R": separators.repetition, "E": separators.escape, ".br": "\n", ".sp": "\n",
        "H": "", "N": "",
    }  # fmt: skip
    if code in plain:
        return plain[code]
    if code[0] != "X":
        return None
    try:
        return bytes.fromhex(code[1:]).decode(charset)
    except ValueError:
        return None
