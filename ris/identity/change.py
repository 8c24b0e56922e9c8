"""The one place that writes a status: applies a transition, keeps its history, tells the others."""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from ris.core import ids
from ris.core.audit import Actor
from ris.identity.feature import Change, IdentityFeature
from ris.identity.model import IdentityHistory, Patient
from ris.identity.propagation.queue import enqueue
from ris.identity.review import marks
from ris.identity.states import Event, InsEffect, transition
from ris.identity.values import Ins, Status
from ris.rem import satisfies


@satisfies("RIS.INS.26", "RIS.INS.32", "RIS.INS.35")
@satisfies("RIS.INS.34", "RIS.INS.36")
def apply(
    session: Session,
    feature: IdentityFeature,
    patient: Patient,
    event: Event,
    *,
    actor: Actor,
    reason: str = "",
    evidence: dict[str, Any] | None = None,
    changes: dict[str, list[str]] | None = None,
    ins: Ins | None = None,
    absorbed_ipp: str = "",
) -> Change:
    """Apply *event* to *patient*, write history and what must leave, and return the change.

    A *patient* that is not in the session yet is created by it.

    *ins* is the INS received, for the events that bring one; *evidence* holds ids and codes,
    *changes* the traits before and after, *absorbed_ipp* whom a merge retires.
    Raises what `transition` raises.
    """
    before = Status(patient.status) if inspect(patient).persistent else None
    shown = patient.identity.ins if before is Status.QUALIFIEE else None
    step = transition(before, patient.identity.attributes, event)
    patient.status = step.to.value
    marks.follow(patient, event, queued=step.worklist)
    if step.ins is InsEffect.REMOVE:
        patient.ins_matricule = patient.ins_oid = None
    elif step.ins is not InsEffect.NONE and ins is not None:
        patient.ins_matricule, patient.ins_oid = ins.matricule, ins.oid
    patient.id = patient.id or ids.new()
    session.add(patient)
    session.add(
        IdentityHistory(
            patient=patient,
            event=event.value,
            from_status=before.value if before else None,
            to_status=step.to.value,
            reason=reason,
            account_id=actor.account_id,
            ps_idnat=actor.ps_idnat,
            evidence=evidence or {},
            changes=changes or {},
            worklist=step.worklist,
            propagate=step.propagate,
        )
    )
    if before is not None or feature.partners:
        session.flush()  # a record that is new is written with the other rows of its transaction
    change = Change(patient.id, event, before, step.to, step.propagate, step.worklist)
    lost = shown.oid if shown and patient.ins_matricule is None else ""
    enqueue(session, feature.partners, change, withdrawn_oid=lost, absorbed_ipp=absorbed_ipp)
    for tell in feature.subscribers:
        tell(session, change)
    return change
