"""Counting, pure, on the data set of rem.md §11.6: 240 reports over 24 months."""

from dataclasses import asdict
from datetime import UTC, datetime
from itertools import product

import pytest

from ris.core import ids
from ris.core.clock import PARIS
from ris.diffusion.dashboard import CHANNELS, Line, count, periods, within
from ris.rem.evidence import Evidence

NOW = datetime(2026, 12, 15, 10, 0, tzinfo=UTC)


def two_years() -> list[Line]:
    lines = []
    for year, month, number in product((2025, 2026), range(1, 13), range(10)):
        report, document = ids.new(), ids.new()
        at = datetime(year, month, 1 + number, 0, 30, tzinfo=PARIS)
        lines += [Line(report, document, name, "delivered", True, at) for name in CHANNELS]
    return lines


def with_one_failure_each(lines: list[Line]) -> list[Line]:
    for rank, name in enumerate(CHANNELS):
        where = 3 * rank + CHANNELS.index(name)
        line = lines[where]
        lines[where] = Line(line.report_id, line.document_id, name, "failed", True, line.at)
    return lines


@pytest.mark.rem("RIS.TBB.01", scenario="TBB/va1.03.01")
@pytest.mark.rem("RIS.TBB.03", scenario="TBB/va1.05.01")
def test_two_years_of_reports_with_one_failure_of_each_kind(evidence: Evidence) -> None:
    counts = count(with_one_failure_each(two_years()))
    for name in CHANNELS:
        found = counts.channels[name]
        assert (found.total, found.sent, found.failures) == (240, 239, 1)
        assert (found.with_ins, found.without_ins, found.waiting) == (239, 0, 0)
    assert counts.files == dict.fromkeys(CHANNELS, 239)
    assert counts.files_all_three == 237
    evidence.add("01", "counts-240-reports.json", asdict(counts))


@pytest.mark.rem("RIS.TBB.01", scenario="TBB/va1.03.01")
def test_the_periods_cut_at_midnight_in_paris(evidence: Evidence) -> None:
    lines = two_years()
    totals = [count(within(lines, one)).channels["dmp"].total for one in periods(NOW)]
    assert totals == [10, 120, 120]
    counts = {one.name: asdict(count(within(lines, one))) for one in periods(NOW)}
    evidence.add("02", "periods-240-reports.json", counts)
    eve = Line(
        ids.new(), ids.new(), "dmp", "delivered", True, datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    )
    month, year, previous = (within([eve], one) for one in periods(NOW))
    assert (month, year, previous) == ([], [eve], [])


def test_one_report_to_several_professionals_counts_once() -> None:
    report, document = ids.new(), ids.new()
    lines = [
        Line(report, document, "mss_ps", state, False, NOW) for state in ("delivered", "failed")
    ]
    found = count(lines).channels["mss_ps"]
    assert (found.total, found.sent, found.without_ins, found.failures) == (1, 1, 1, 1)
