"""The parser: accessors, escapes, charsets, caps, and what it refuses to guess."""

from pathlib import Path

import pytest

from ris.interop.hl7v2 import parser
from ris.interop.hl7v2.errors import Refused, Unframed
from ris.interop.hl7v2.message import EMPTY, Separators, components, escape, unescape
from tests.interop.hl7v2.sample import message


def test_fields_components_and_subcomponents_are_read_by_their_hl7_numbers() -> None:
    read = parser.parse(message(ins="279035121518989^^^N&1.2.250.1.213.1.4.10&ISO^INS"))
    assert read.msh.text(9, 2) == "A28"
    assert read.msh.text(10) == "C1"
    pid = read.segment("PID")
    assert [cx.text(5) for cx in pid.repetitions(3)] == ["PI", "INS"]
    assert pid.repetitions(3)[1].text(4, 2) == "1.2.250.1.213.1.4.10"
    assert pid.text(40) == ""
    assert "ZFA" not in read
    assert read.segment("ZFA").text(1) == ""


def test_null_is_not_absence() -> None:
    pid = parser.parse(b'MSH|^~\\&|A|B|C|D||\rPID|1||""|\r').segment("PID")
    assert pid.text(3) == EMPTY
    assert pid.text(4) == ""


def test_the_senders_own_separators_are_read() -> None:
    read = parser.parse(b"MSH$*@!%$A$B$C$D$$$ADT*A28$1\rPID$$$X*Y%Z@W\r")
    assert read.msh.text(9, 2) == "A28"
    assert read.segment("PID").repetitions(3)[0].text(2, 2) == "Z"
    assert read.segment("PID").repetitions(3)[1].text() == "W"


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_any_line_end_is_read_and_cr_is_written(ending: str) -> None:
    text = message().decode()
    assert parser.parse(text.replace("\r", ending).encode()).text() == text


def test_every_official_message_comes_back_byte_for_byte(conformance: Path) -> None:
    files = sorted((conformance / "ins" / "hl7v2").iterdir())
    assert len(files) == 10
    for file in files:
        data = file.read_bytes()
        lines = [line for line in data.replace(b"\n", b"\r").split(b"\r") if line]
        assert parser.parse(data).text().encode() == b"".join(line + b"\r" for line in lines)


def test_escapes_are_read_per_component_and_unknown_ones_are_left() -> None:
    standard = Separators()
    assert unescape("A\\S\\B\\T\\C\\F\\D\\R\\E\\E\\F", standard) == "A^B&C|D~E\\F"
    assert unescape("\\X0D\\\\.br\\", standard) == "\r\n"
    assert unescape("\\XC3A9\\", standard) == "é"
    assert unescape("\\XZZ\\ \\Cxxyy\\ \\", standard) == "\\XZZ\\ \\Cxxyy\\ \\"
    read = parser.parse(message(names="DU\\S\\PONT^ANNE^^^^^L")).segment("PID")
    assert read.text(5) == "DU^PONT"
    assert read.text(5, 2) == "ANNE"


def test_what_is_escaped_reads_back() -> None:
    nasty = "A|B^C~D\\E&F\\S\\G"
    assert unescape(escape(nasty), Separators()) == nasty
    assert components("A^", "", "B", "") == "A\\S\\^^B"


@pytest.mark.parametrize("charset", ["UNICODE UTF-8", "8859/15", "8859/1"])
def test_the_announced_charset_is_read(charset: str) -> None:
    data = message(names="LE GÂTEAU-ÉTIENNE^HÉLOÏSE^^^^^L", charset=charset)
    assert parser.parse(data).segment("PID").text(5) == "LE GÂTEAU-ÉTIENNE"


def test_without_a_charset_utf8_is_tried_then_latin9() -> None:
    text = message(names="Œdipe^Hélène^^^^^L").decode().replace("UNICODE UTF-8", "")
    assert parser.parse(text.encode()).segment("PID").text(5) == "Œdipe"
    assert parser.parse(text.encode("iso-8859-15")).segment("PID").text(5) == "Œdipe"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (message().replace(b"UNICODE UTF-8", b"KLINGON"), "MSH^1^18"),
        (message(charset="8859/1", names="É^A^^^^^L").replace(b"8859/1", b"UTF-8"), "MSH^1^18"),
        (message() + b"pid|1\r", ""),
        (message() + b"ZZZ|a\x00b\r", "MSH^1"),
        (message() + b"ZZZ" + b"|" * 400 + b"\r", "ZZZ"),
        (message() + b"ZZZ|" + b"~" * 400 + b"\r", "ZZZ"),
        (message() + b"ZZZ|1\r" * 3000, "MSH^1"),
        (message() + b"ZZZ|" + b"\\" * 70_000 + b"\r", "ZZZ"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(data: bytes, place: str) -> None:
    with pytest.raises(Refused) as refused:
        parser.parse(data)
    assert refused.value.place == place


def test_a_document_in_an_observation_may_be_large() -> None:
    data = message() + b"OBX|1|ED|||^^^Base64^" + b"A" * 600_000 + b"\r"
    assert len(parser.parse(data).segment("OBX").text(5, 5)) == 600_000


def test_a_message_over_the_cap_is_refused_for_now() -> None:
    with pytest.raises(Refused) as refused:
        parser.parse(message(), parser.Caps(size=100))
    assert refused.value.ack == "AR"


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\r", b"PID|1", b"MSH", b"MSH|^~\\&", b"MSH|||||||", b"MSH|^~\\^|A", b"MSHA^~\\&A"],
)
def test_without_a_header_nobody_is_answered(data: bytes) -> None:
    with pytest.raises(Unframed):
        parser.parse(data)


def test_a_message_without_control_id_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        parser.control_of(parser.header(message(control="")))
    assert (refused.value.condition, refused.value.place) == ("101", "MSH^1^10")
