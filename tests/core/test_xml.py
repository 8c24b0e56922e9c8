"""The hardened parser: what it refuses, what it keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ris.core.text import clean_text
from ris.core.xml import MEGABYTE, UnsafeXml, canonical, parse, serialise, text_of

BOMB = b"""<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">
<!ENTITY z "&y;&y;&y;&y;&y;&y;&y;&y;&y;&y;">]><a>&z;&z;&z;&z;</a>"""


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>',
        BOMB,
        b"<a>",
        b"",
        b"not xml",
        b"<a>&undefined;</a>",
        b"<a>\x0b</a>",
        b"<s:a xmlns:x:y='u'/>",
    ],
    ids=["doctype", "external subset", "external entity", "parameter entity", "bomb", "unclosed",
         "empty", "text", "undefined entity", "control character", "bad namespace"],
)  # fmt: skip
def test_dangerous_or_broken_xml_is_refused(data: bytes) -> None:
    with pytest.raises(UnsafeXml):
        parse(data)


def test_an_external_entity_never_shows_in_the_error() -> None:
    with pytest.raises(UnsafeXml) as refused:
        parse(b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>')
    assert "root" not in str(refused.value)


def test_a_document_too_large_is_refused_before_it_is_parsed() -> None:
    large = b"<a>" + b"x" * 6 * MEGABYTE + b"</a>"
    with pytest.raises(UnsafeXml, match="volumineux"):
        parse(large)
    assert parse(large, limit=7 * MEGABYTE).tag == "a"


def test_a_clinical_document_may_carry_a_text_node_above_the_usual_limit() -> None:
    large = b"<a>" + b"x" * 12 * MEGABYTE + b"</a>"
    assert len(parse(large, document=True).text or "") == 12 * MEGABYTE
    with pytest.raises(UnsafeXml):
        parse(b"<a>" + b"x" * 51 * MEGABYTE + b"</a>", document=True)


@given(st.text())
def test_any_cleaned_text_comes_back_as_written(value: str) -> None:
    root = etree.Element("a")
    root.text = clean_text(value).replace("\r", " ")  # XML §2.11 makes \r a \n
    assert (parse(serialise(root)).text or "") == root.text


def test_the_serialised_form_is_utf_8_and_not_reshaped() -> None:
    root = parse("<a><b>é</b> <b/></a>".encode())
    assert (
        serialise(root) == "<?xml version='1.0' encoding='UTF-8'?>\n<a><b>é</b> <b/></a>".encode()
    )


def test_the_canonical_form_is_exclusive_and_without_comments() -> None:
    root = parse(b'<x:a xmlns:x="urn:x" xmlns:y="urn:y"><!-- c --><x:b z="1" a="2"/></x:a>')
    assert canonical(root[1]) == b'<x:b xmlns:x="urn:x" a="2" z="1"></x:b>'
    assert b"<!--" not in canonical(root)
    assert b'xmlns:y="urn:y"' in canonical(root, inclusive_prefixes=("y",))


def test_text_of_reads_elements_and_attributes() -> None:
    root = parse(b'<a xmlns="urn:a"><b c=" 1 "> t </b></a>')
    names = {"n": "urn:a"}
    assert text_of(root, "n:b", names) == "t"
    assert text_of(root, "n:b/@c", names) == "1"
    assert text_of(root, "n:z", names) == ""
