"""Held health data are named by the message they came in, however long its names are."""

from ris.identity.foreign.data import reference_of


def test_a_message_is_named_by_its_number_and_its_sender() -> None:
    assert reference_of("2.25.99", "MSG1") == "MSG1@2.25.99"


def test_a_name_too_long_for_the_column_becomes_its_digest_and_stays_one_message_s() -> None:
    sender = "9" * 128
    first, second = reference_of(sender, "MSG1"), reference_of(sender, "MSG2")
    assert len(first) == len(second) == 64
    assert first != second
    assert first == reference_of(sender, "MSG1")
