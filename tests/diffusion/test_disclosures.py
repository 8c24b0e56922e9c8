"""Who received the INS with a report: noted when the partner has it, never before."""

from dataclasses import replace
from pathlib import Path

import pytest

from ris.core.db import Database
from ris.rem.evidence import Evidence
from ris.reports.channels import ChannelName
from tests.diffusion.bench import Bench


@pytest.mark.rem("RIS.INS.51", scenario="INS/va1.46.01")
def test_a_report_delivered_with_the_ins_names_the_partner(
    bench: Bench, evidence: Evidence
) -> None:
    bench.sign(bench.report())
    (row,) = bench.deliveries()
    listed = "select partner, channel, reference, at from ins_disclosure"
    bench.remote.script("lost_before")
    bench.attempt(row.id)
    assert bench.sql(listed) == []
    bench.due_now()
    bench.attempt(row.id)
    (told,) = bench.sql(listed)
    assert told[:3] == (row.recipient or row.channel, row.channel, str(row.id))
    evidence.add("01", "disclosure.json", {"partner": told[0], "channel": told[1]})


def test_a_report_sent_without_the_ins_discloses_nothing(
    database: Database, tmp_path: Path
) -> None:
    bench = Bench(database, tmp_path, names=(ChannelName.MSS_PS,))
    bench.facts = replace(bench.facts, qualified=False)
    bench.account()
    bench.sign(bench.report())
    for row in bench.deliveries():
        bench.attempt(row.id)
    assert {row.state for row in bench.deliveries()} == {"delivered"}
    assert bench.sql("select partner from ins_disclosure") == []
