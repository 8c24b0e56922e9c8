"""The dashboard of the core services: what went, with or without a qualified INS, what failed.

Counts are pure, over plain lines; one query reads the lines (rem.md §9.5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.compartments.scope import WHOLE, Scope
from ris.core.clock import PARIS
from ris.diffusion.compartment import within as in_scope
from ris.diffusion.model import Delivery
from ris.diffusion.plan import CARRIES
from ris.diffusion.states import ACCEPTED, FAILURES, State
from ris.rem import satisfies
from ris.reports.channels import ChannelName

CHANNELS: Final = (ChannelName.DMP, ChannelName.MSS_PS, ChannelName.MSS_PATIENT)


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery that carries a report, as far as counting goes. *at*: when it was ordered."""

    report_id: UUID
    document_id: UUID
    channel: str
    state: str
    with_ins: bool
    at: datetime
    struct_idnat: str | None = None
    ps_idnat: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A span of civil time, Paris; *until* excluded."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """Documents of one channel: *total* ordered, *sent*, of which with or without a qualified INS.

    *failures* counts sendings refused, given up or bounced; *waiting* those under way or held.
    """

    total: int
    sent: int
    with_ins: int
    without_ins: int
    failures: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What one period and one group hold; *files* are reports with at least one sending."""

    channels: dict[str, ChannelCounts]
    files: dict[str, int]
    files_all_three: int


def periods(now: datetime) -> tuple[Period, ...]:
    """Return the current month, the current year and the previous year at *now* (RIS.TBB.01)."""
    local = now.astimezone(PARIS)
    month = datetime(local.year, local.month, 1, tzinfo=PARIS)
    following = (
        datetime(local.year + 1, 1, 1, tzinfo=PARIS)
        if local.month == 12
        else datetime(local.year, local.month + 1, 1, tzinfo=PARIS)
    )
    years = [datetime(local.year + offset, 1, 1, tzinfo=PARIS) for offset in (-1, 0, 1)]
    return (
        Period("current_month", month, following),
        Period("current_year", years[1], years[2]),
        Period("previous_year", years[0], years[1]),
    )


@satisfies("RIS.TBB.01", "RIS.TBB.03")
def count(lines: Iterable[Line]) -> Counts:
    """Count *lines*, already chosen for a period and a group."""
    listed = list(lines)
    by_channel = {name: [line for line in listed if line.channel == name] for name in CHANNELS}
    sent = {name: _sent(found) for name, found in by_channel.items()}
    files = {name: {line.report_id for line in found} for name, found in sent.items()}
    return Counts(
        {str(name): _channel(by_channel[name], sent[name]) for name in CHANNELS},
        {str(name): len(found) for name, found in files.items()},
        len(set.intersection(*files.values())),
    )


def within(lines: Iterable[Line], period: Period) -> list[Line]:
    """Return the lines ordered in *period*."""
    return [line for line in lines if period.since <= line.at < period.until]


@satisfies("RIS.TBB.01")
def read_lines(
    session: Session,
    since: datetime,
    until: datetime,
    *,
    struct_idnat: str | None = None,
    ps_idnat: str | None = None,
    scope: Scope = WHOLE,
) -> Sequence[Line]:
    """Return the lines of [*since*, *until*[, of one structure or one radiologist if given.

    Only those whose exam belongs to a practice in *scope*.
    """
    query = select(
        Delivery.report_id,
        Delivery.document_id,
        Delivery.channel,
        Delivery.state,
        Delivery.with_ins,
        Delivery.created_at,
        Delivery.struct_idnat,
        Delivery.ps_idnat,
    ).where(
        Delivery.created_at >= since,
        Delivery.created_at < until,
        Delivery.operation.in_(CARRIES),
        Delivery.state.not_in((State.NOT_APPLICABLE, State.CANCELLED)),
        in_scope(scope),
    )
    if struct_idnat is not None:
        query = query.where(Delivery.struct_idnat == struct_idnat)
    if ps_idnat is not None:
        query = query.where(Delivery.ps_idnat == ps_idnat)
    return [Line(*row) for row in session.execute(query)]


def _sent(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.state in ACCEPTED]


def _channel(lines: Sequence[Line], sent: Sequence[Line]) -> ChannelCounts:
    qualified = {line.document_id for line in sent if line.with_ins}
    documents = {line.document_id for line in sent}
    failures = sum(line.state in FAILURES for line in lines)
    return ChannelCounts(
        total=len({line.document_id for line in lines}),
        sent=len(documents),
        with_ins=len(qualified),
        without_ins=len(documents - qualified),
        failures=failures,
        waiting=len(lines) - len(sent) - failures,
    )
