"""Which deliveries a signed version or a deletion calls for. Pure.

The rules of versions N and N+1 are here (engineering.md §1.4, mss.md §11, workflow.md §4.2);
whether each may leave is in `decision`; writing the rows is in `schedule`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from ris.auth.values import Professional
from ris.diffusion.decision import Decision, Facts, decide
from ris.diffusion.states import ACCEPTED, IN_FLIGHT, NEVER_LEFT, State
from ris.rem import satisfies
from ris.reports.channels import ChannelName, Operation
from ris.reports.content import ReportContent

PATIENT: Final = "patient"
CARRIES: Final = frozenset({Operation.SUBMIT, Operation.SEND, Operation.REPLACE})
ALWAYS: Final = frozenset({Operation.DELETE, Operation.ANNOUNCE_DELETION})


@dataclass(frozen=True, slots=True)
class Target:
    """One lane of a report: a channel and its recipient (`''`, `patient` or a PS_IdNat)."""

    channel: ChannelName
    recipient: str = ""
    professional: Professional | None = None

    @property
    def key(self) -> tuple[ChannelName, str]:
        """Return what tells lanes of one report apart."""
        return self.channel, self.recipient


@dataclass(frozen=True, slots=True)
class Earlier:
    """A delivery already known for the report, oldest first in a sequence."""

    id: UUID
    document_id: UUID
    target: Target
    operation: Operation
    state: State


@dataclass(frozen=True, slots=True)
class Planned:
    """One delivery to write. *document_id* is set when it is not the version just signed."""

    target: Target
    operation: Operation
    decision: Decision
    replaces: UUID | None = None
    blocked_by: UUID | None = None
    document_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows to cancel because they never left, and rows to write."""

    cancelled: tuple[UUID, ...] = ()
    deliveries: tuple[Planned, ...] = field(default=())


def initial(channel: ChannelName) -> Operation:
    """Return the first operation of a channel."""
    return Operation.SUBMIT if channel is ChannelName.DMP else Operation.SEND


def targets(
    content: ReportContent, channels: Collection[ChannelName], earlier: Iterable[Earlier]
) -> tuple[Target, ...]:
    """Return the lanes of a version: DMP, patient, requester, copies, every earlier recipient."""
    wanted = [Target(ChannelName.DMP), Target(ChannelName.MSS_PATIENT, PATIENT)]
    wanted += [Target(ChannelName.MSS_PS, person.ps_idnat, person) for person in content.addressees]
    wanted += [row.target for row in earlier if row.state in ACCEPTED | IN_FLIGHT]
    unique = {target.key: target for target in reversed(wanted) if target.channel in channels}
    return tuple(reversed(unique.values()))


@satisfies("RIS.DMP.02", "RIS.MSS.15")
def plan_version(
    content: ReportContent,
    channels: Collection[ChannelName],
    earlier: Sequence[Earlier],
    facts: Facts,
    *,
    quiet: Collection[ChannelName] = (),
) -> Plan:
    """Plan a version just signed: a first sending, or a replacement of what was accepted.

    On a *quiet* channel nobody who already has the report gets it again: the new version differs
    by its visibility only (an announcement, ruling 35).
    """
    planned = []
    for target in targets(content, channels, earlier):
        person = target.professional
        decision = decide(target.channel, facts, has_address=bool(person and person.mss_address))
        replaced, flying = _before(target, earlier)
        known = flying or replaced
        if target.channel in quiet and replaced and not flying:
            continue
        operation = Operation.REPLACE if known else initial(target.channel)
        planned.append(
            Planned(
                target,
                operation,
                decision,
                replaces=known.id if known else None,
                blocked_by=flying.id if flying else None,
            )
        )
    return Plan(_never_left(earlier), tuple(planned))


@satisfies("RIS.DMP.02", "RIS.MSS.16")
def plan_deletion(earlier: Sequence[Earlier], *, notice: bool) -> Plan:
    """Plan the withdrawal of a report from wherever it went; *notice* also warns by MSSanté."""
    send = Decision(State.PENDING)
    planned = []
    for target in {row.target.key: row.target for row in earlier}.values():
        replaced, flying = _before(target, earlier)
        known = flying or replaced
        is_dmp = target.channel is ChannelName.DMP
        if known is None or not (is_dmp or notice):
            continue
        operation = Operation.DELETE if is_dmp else Operation.ANNOUNCE_DELETION
        blocker = flying.id if flying else None
        planned.append(Planned(target, operation, send, known.id, blocker, known.document_id))
    return Plan(_never_left(earlier), tuple(planned))


def _before(target: Target, earlier: Iterable[Earlier]) -> tuple[Earlier | None, Earlier | None]:
    """Return the last accepted and the last in-flight content-bearing rows of a lane."""
    lane = [row for row in earlier if row.target.key == target.key and row.operation in CARRIES]
    accepted = [row for row in lane if row.state in ACCEPTED]
    flying = [row for row in lane if row.state in IN_FLIGHT]
    return (accepted[-1] if accepted else None, flying[-1] if flying else None)


def _never_left(earlier: Iterable[Earlier]) -> tuple[UUID, ...]:
    return tuple(row.id for row in earlier if row.state in NEVER_LEFT)
