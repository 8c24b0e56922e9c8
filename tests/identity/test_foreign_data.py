"""Held health data are named by the message they came in, however long its names are."""

import pytest
from sqlalchemy import select

from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.check import ForeignChecks
from ris.identity.foreign.data import reference_of
from ris.identity.foreign.model import ForeignData
from ris.sandbox.insi import result
from tests.identity.conftest import Insi
from tests.identity.test_foreign import SENDER, received


def test_a_message_is_named_by_its_number_and_its_sender() -> None:
    assert reference_of("2.25.99", "MSG1") == "MSG1@2.25.99"


def test_a_name_too_long_for_the_column_becomes_its_digest_and_stays_one_message_s() -> None:
    sender = "9" * 128
    first, second = reference_of(sender, "MSG1"), reference_of(sender, "MSG2")
    assert len(first) == len(second) == 64
    assert first != second
    assert first == reference_of(sender, "MSG1")


@pytest.mark.rem("RIS.INS.47", scenario="INS/va1.12.01")
@pytest.mark.parametrize("kind", ["ORU", "ORM"])
def test_data_that_come_with_an_ins_to_verify_are_held_without_anyone_asking(
    database: Database, feature: IdentityFeature, insi: Insi, kind: str
) -> None:
    done = received(database, feature, data=kind)
    assert (done.may_file, done.foreign_id is None) == (False, False)
    insi.state.scripted.extend([result("01")] * 6)
    ForeignChecks(database, feature).run()
    with database.transaction() as session:
        (held,) = session.scalars(select(ForeignData))
        assert (held.kind, held.state, held.foreign_id) == (kind, "held", done.foreign_id)
        assert held.reference == f"M001@{SENDER}"


def test_an_identity_that_came_alone_holds_nothing(
    database: Database, feature: IdentityFeature
) -> None:
    received(database, feature)
    with database.transaction() as session:
        assert session.scalars(select(ForeignData)).all() == []
