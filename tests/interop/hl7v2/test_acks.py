"""What a sender is told of a message taken with a reserve: a code, and a sentence in French."""

import pytest

from ris.identity.foreign.feed import Alert
from ris.interop.hl7v2 import acks


@pytest.mark.parametrize("alert", Alert)
def test_every_reserve_is_said_in_words(alert: Alert) -> None:
    notice = acks.warning(alert.value)
    assert (notice.severity, notice.code) == ("W", alert.value)
    assert notice.text.endswith(".")
