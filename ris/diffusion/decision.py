"""The one sending decision: rem.md §9.4, plus the gates of dmp.md §4 and mss.md §7.1.

Pure: plain facts in, a decision out; rulings 25-27. It runs at signature and again at the start
of each attempt. How a message is built or sent is the channel's affair.
"""

from dataclasses import dataclass
from typing import Final

from ris.diffusion.states import State
from ris.rem import satisfies
from ris.reports.channels import ChannelName
from ris.reports.content import Visibility


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one report and its patient at one instant.

    *validated*: this version is signed and neither replaced nor deleted. *qualified*: the identity
    may carry its INS (`ris.identity.rules.may_carry_ins`) and the document carries that very INS
    when it was built for it. *doubtful*: douteuse or fictive. *dmp_opposed*: feeding was blocked
    for this report (RIS.DMP.03) or opposed by the patient (ruling 27). *represented*: a minor, or
    someone whose Mon espace santé mailbox is read by representatives.
    """

    validated: bool = True
    qualified: bool = True
    doubtful: bool = False
    announcement_pending: bool = False
    dmp_opposed: bool = False
    refuses_pro: bool = False
    refuses_patient: bool = False
    represented: bool = False
    visibility: frozenset[Visibility] = frozenset()
    send_without_qualified_ins: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now: `pending` (send), `held` or `not_applicable`, why, and how visible."""

    state: State
    reason: str | None = None
    visibility: frozenset[Visibility] = frozenset()


NOT_VALIDATED: Final = Decision(State.NOT_APPLICABLE, "NOT_VALIDATED")


def _never(reason: str) -> Decision:
    return Decision(State.NOT_APPLICABLE, reason)


def _held(reason: str) -> Decision:
    return Decision(State.HELD, reason)


def decide(channel: ChannelName, facts: Facts, *, has_address: bool = True) -> Decision:
    """Return the decision for one channel; *has_address* speaks of the professional recipient."""
    if not facts.validated:
        return NOT_VALIDATED
    if channel is ChannelName.DMP:
        return decide_dmp(facts)
    if channel is ChannelName.MSS_PS:
        return decide_professional(facts, has_address=has_address)
    return decide_patient(facts)


@satisfies("RIS.DMP.01", "RIS.DMP.03", "RIS.DMP.06")
def decide_dmp(facts: Facts) -> Decision:
    """Send by default; everything that stops it may be lifted, so it waits (dmp.md §4, G1-G4)."""
    visibility = facts.visibility
    if facts.announcement_pending:
        visibility |= {Visibility.HIDDEN_FROM_PATIENT}
    return _first(
        (facts.doubtful or not facts.qualified, _held("BLOCKED_INS")),
        (facts.dmp_opposed, _held("OPPOSED")),
        otherwise=Decision(State.PENDING, None, visibility),
    )


@satisfies("RIS.MSS.19", "RIS.MSS.25")
def decide_professional(facts: Facts, *, has_address: bool) -> Decision:
    """Send to a professional unless refused or masked; an unqualified identity goes without INS."""
    masked = Visibility.HIDDEN_FROM_PROFESSIONALS in facts.visibility
    without_ins = not facts.qualified and not facts.send_without_qualified_ins
    return _first(
        (facts.refuses_pro, _never("REFUSED_BY_PATIENT_PRO")),
        (masked, _never("MASKED")),
        (not has_address, _never("NO_ADDRESS")),
        (facts.doubtful, _held("IDENTITY_DOUBTFUL")),
        (without_ins, _held("INS_NOT_QUALIFIED")),
        otherwise=Decision(State.PENDING, None, facts.visibility),
    )


@satisfies("RIS.MSS.12", "RIS.MSS.21", "RIS.CRR.02")
def decide_patient(facts: Facts) -> Decision:
    """Send to the patient only with a qualified INS, after the announcement, when not refused."""
    hidden = Visibility.HIDDEN_FROM_PATIENT in facts.visibility
    read_by_guardians = facts.represented and (Visibility.HIDDEN_FROM_GUARDIANS in facts.visibility)
    return _first(
        (facts.refuses_patient, _never("REFUSED_BY_PATIENT_MES")),
        (hidden, _never("INVISIBLE_PATIENT")),
        (read_by_guardians, _never("INVISIBLE_REPRESENTANTS_LEGAUX")),
        (facts.doubtful, _held("IDENTITY_DOUBTFUL")),
        (not facts.qualified, _held("INS_NOT_QUALIFIED")),
        (facts.announcement_pending, _held("HELD_ANNOUNCEMENT")),
        otherwise=Decision(State.PENDING, None, facts.visibility),
    )


def _first(*gates: tuple[bool, Decision], otherwise: Decision) -> Decision:
    """Return the decision of the first closed gate."""
    return next((decision for closed, decision in gates if closed), otherwise)
