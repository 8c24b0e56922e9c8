"""Worker processes really killed inside a call: the report still arrives, once, truly told."""

import signal

import pytest

from ris.rem.evidence import Evidence
from ris.sandbox.faults import Fault
from tests.journeys.site import Row, Site

HANG_S = 6.0  # much longer than the kill takes to come


def assert_lost_then_ok(lines: list[Row], found: str | None) -> None:
    assert [(line["outcome"], line["error_code"]) for line in lines] == [
        ("lost", "WORKER_LOST"),
        ("ok", found),
    ]
    assert lines[0]["worker"] != lines[1]["worker"]
    assert lines[0]["started_at"] < lines[0]["ended_at"] <= lines[1]["started_at"]


@pytest.mark.kill
@pytest.mark.rem("LOC-MSS-02")
@pytest.mark.parametrize(
    ("smtp", "after", "found"),
    [
        ("smtp.data.begin", False, None),
        ("smtp.data", False, None),
        ("smtp.data", True, "PROBE_FOUND"),
    ],
    ids=["while-the-mail-is-read", "before-acceptance", "after-acceptance"],
)
def test_a_worker_killed_inside_the_dmp_call_and_inside_smtp_data_is_replaced_and_all_arrives_once(
    site: Site, evidence: Evidence, smtp: str, after: bool, found: str | None
) -> None:
    faults, dmp = site.sandbox.faults, site.sandbox.dmp
    faults.inject("dmp.td21", Fault("drop", seconds=HANG_S, after=after))
    faults.inject(smtp, Fault("drop", seconds=HANG_S, after=after, times=2))
    victim = site.worker("worker-1")
    story = site.visit()
    story.register()
    story.qualify()
    site.signed(story)
    site.until(lambda: sorted(faults.suffered) == ["dmp.td21", smtp, smtp])
    site.until(lambda: len(dmp.registry.reports()) == after)
    site.until(lambda: len(site.sandbox.operator.messages) == 2 * after)
    assert {row["worker"].rpartition(":")[2] for row in site.deliveries()} == {str(victim.pid)}
    victim.send_signal(signal.SIGKILL)
    site.worker("worker-2")
    site.until(site.arrived)
    for row in site.deliveries():
        assert_lost_then_ok(site.history(row["channel"]), found)
        evidence.add(
            "01", f"{row['channel']}.txt", "\n".join(map(str, site.history(row["channel"])))
        )
    assert len(dmp.registry.reports()) == len(dmp.submissions) == 1
    for (accepted,) in site.mails():
        assert site.sandbox.operator.store.inbox(accepted.recipients[0]) == [accepted.raw]


@pytest.mark.kill
def test_sigterm_under_load_loses_nothing_and_repeats_nothing(site: Site) -> None:
    story = site.visit()
    story.register()
    story.qualify()
    reports = [site.signed(story) for _ in range(3)]
    for operation in ("dmp.td21", "smtp.data"):
        site.sandbox.faults.inject(operation, Fault("delay", seconds=0.4, times=20))
    first = site.worker("worker-1")
    site.until(lambda: any(row["state"] == "running" for row in site.deliveries()))
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=20) == 0
    assert "running" not in {row["state"] for row in site.deliveries()}
    assert {"pending"} <= {row["state"] for row in site.deliveries()}
    site.worker("worker-2")
    site.until(site.arrived)
    professional, patient = site.mails()
    assert len(professional) == len(patient) == len(reports)
    assert len(site.sandbox.dmp.submissions) == len(reports)
    outcomes = site.sql("select distinct outcome from delivery_attempt")
    assert outcomes == [{"outcome": "ok"}]
    assert len(site.sql("select n from delivery_attempt")) == 3 * len(reports)
