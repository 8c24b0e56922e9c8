"""Text folding: the vectors of engineering.md §2.6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris.core.text import ascii_fold, clean_text, fold

VECTORS = [
    ("d\u2019Été", "D ETE"),
    ("Jean-Pierre", "JEAN PIERRE"),
    ("Œuvrard", "OEUVRARD"),
    ("  L'Église ", "L EGLISE"),
    ("Muñoz\u2011Garçía", "MUNOZ GARCIA"),
    ("Strauß", "STRAUSS"),
    ("O\u00a0Brien", "O BRIEN"),
    ("Łukasz Đorđe Ærø", "LUKASZ DORDE AERO"),
    ("", ""),
]


@pytest.mark.parametrize(("value", "key"), VECTORS)
def test_a_name_folds_to_its_search_key(value: str, key: str) -> None:
    assert fold(value) == key


@given(st.text())
def test_folding_is_stable_and_made_of_capitals_digits_and_single_spaces(value: str) -> None:
    key = fold(value)
    assert fold(key) == key
    assert "  " not in key
    assert key == key.strip()
    assert all(
        char == " " or (char.isascii() and (char.isdigit() or char.isupper())) for char in key
    )


def test_a_character_that_xml_cannot_carry_is_replaced_and_never_dropped() -> None:
    assert clean_text("a\x0bb\x00c\ufffed\ud800e") == "a\ufffdb\ufffdc\ufffdd\ufffde"


def test_a_lawful_text_is_left_alone() -> None:
    lawful = "tab\t fin\r\n é œ \u00a0 ]]> & < 😀 \U0010fffd"
    assert clean_text(lawful) == lawful


@given(st.text())
def test_cleaning_keeps_the_length(value: str) -> None:
    assert len(clean_text(value)) == len(value)


@pytest.mark.parametrize(
    ("value", "ascii_form"),
    [
        ("Compte-rendu d\u2019imagerie", "Compte-rendu d'imagerie"),
        ("Œdème – «\u00a0été\u00a0»", 'OEdeme - " ete "'),
        ("Müller, Strauß (5 €)", "Muller, Strauss (5 EUR)"),
        ("漢", "?"),
    ],
)
def test_a_subject_becomes_ascii_and_keeps_case_and_punctuation(
    value: str, ascii_form: str
) -> None:
    assert ascii_fold(value) == ascii_form
