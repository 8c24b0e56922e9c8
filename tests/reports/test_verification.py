"""The worker runs the official kit once on every signed version."""

from pathlib import Path

import pytest
from sqlalchemy import select

from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.orders.values import Code
from ris.reports import freeze, service
from ris.reports.content import Sections
from ris.reports.model import DocumentCheck
from ris.reports.settings import ReportSettings
from ris.reports.verification import verify_new_versions
from tests.reports.conftest import make_bench
from tests.reports.sample import AT, exam

pytestmark = pytest.mark.xdist_group("cda")


def signed(database: Database, location: Code) -> None:
    with database.transaction() as session:
        bench = make_bench(session)
        report = service.create_draft(
            session, bench.exam.id, title="Scanner", sections=Sections(conclusion="Normal."),
            actor=bench.actor,
        )  # fmt: skip
        freeze.freeze(
            session, report, bench.inputs(exams=(exam(location=location),)),
            signed_by=bench.account.id, authentication=None, at=AT, settings=ReportSettings(),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "valid"),
    [("302548004", True), ("22298006", False)],
    ids=["known site", "unknown site"],
)
def test_every_signed_version_is_checked_once(
    code: str, valid: bool, database: Database, conformance: Path
) -> None:
    settings = ReportSettings(kit_dir=conformance / "cda" / "kit", schematron="worker")
    signed(database, Code(code, "2.16.840.1.113883.6.96", "tête entière"))
    assert verify_new_versions(database, settings) == 1
    assert verify_new_versions(database, settings) == 0
    with database.transaction() as session:
        check = session.scalars(select(DocumentCheck)).one()
        refusals = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "report.document_invalid")
        ).all()
    assert check.valid is valid
    assert bool(check.findings) is not valid
    assert len(refusals) == (0 if valid else 1)


def test_nothing_runs_unless_the_site_asks(database: Database, conformance: Path) -> None:
    assert verify_new_versions(database, ReportSettings(kit_dir=conformance / "cda/kit")) == 0
    assert verify_new_versions(database, ReportSettings(schematron="worker")) == 0
