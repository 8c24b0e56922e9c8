"""Signing, deletion and announcement: the acts that schedule deliveries, one transaction each.

Above `reports`, so that `reports` never imports the engine (engineering.md §1.5). Freezing is the
reports' affair, planning is `plan`, writing rows is `schedule`.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.acting import authentication_of
from ris.auth.values import Professional
from ris.core import audit, clock
from ris.core.audit import Actor
from ris.core.errors import Unauthenticated
from ris.diffusion.begin import reconsider, stop
from ris.diffusion.model import Delivery
from ris.diffusion.plan import Plan, plan_deletion, plan_version
from ris.diffusion.schedule import cancel, earlier_of, release, write
from ris.diffusion.states import State
from ris.diffusion.wiring import Diffusion
from ris.rem import satisfies
from ris.reports.channels import ChannelName, SignedDocument


@satisfies("RIS.CRR.01", "RIS.DMP.01", "RIS.MSS.19")
@satisfies("RIS.MSS.22")
def sign(
    session: Session,
    diffusion: Diffusion,
    report_id: UUID,
    signer: Professional,
    actor: Actor,
    *,
    read_version: int | None = None,
) -> SignedDocument:
    """Freeze the report, store its artefacts and schedule every delivery, in one transaction.

    *signer* acts in his present structure on the report as he read it (*read_version*). Raises
    the reports' own errors; on any error nothing is stored: neither version, delivery nor job.
    """
    if actor.account_id is None:
        raise Unauthenticated
    document = diffusion.documents.freeze(
        session,
        report_id,
        signer,
        signed_by=actor.account_id,
        authentication=authentication_of(actor),
        at=clock.now(),
        read_version=read_version,
    )
    deliver(session, diffusion, document)
    audit.record(
        session,
        "report.signed",
        actor=actor,
        target=("document_version", document.version_id),
        patient_id=document.patient_id,
        detail={"report_id": str(report_id), "version": document.content.n1.version},
    )
    return document


def deliver(
    session: Session,
    diffusion: Diffusion,
    document: SignedDocument,
    *,
    quiet: Collection[ChannelName] = (),
) -> list[Delivery]:
    """Schedule the deliveries of a version just frozen (signed, renewed by an identity change)."""
    earlier = earlier_of(session, document.report_id)
    facts = diffusion.facts(session, document.version_id)
    plan = plan_version(document.content, tuple(diffusion.channels), earlier, facts, quiet=quiet)
    return write(session, diffusion, document, plan)


@satisfies("RIS.DMP.02", "RIS.MSS.16")
def withdraw(session: Session, diffusion: Diffusion, report_id: UUID) -> list[Delivery]:
    """Schedule the withdrawal of a deleted report from wherever it went."""
    earlier = earlier_of(session, report_id)
    plan = plan_deletion(earlier, notice=diffusion.settings.deletion_notice)
    return _write_all(session, diffusion, plan)


@satisfies("RIS.CRR.03")
def announce(session: Session, diffusion: Diffusion, report_id: UUID) -> list[Delivery]:
    """Act on an announcement just recorded: the DMP shows the report, the patient gets it.

    The DMP has no visibility change in indirect mode, so the same report is made anew without
    the restriction and replaces the hidden one (dmp.md §3 (b), ruling 35). Professionals who have
    it already get nothing.
    """
    document = diffusion.documents.renew(session, report_id)
    return deliver(session, diffusion, document, quiet=(ChannelName.MSS_PS,))


@satisfies("RIS.DMP.01", "RIS.MSS.22")
def reconsider_held(
    session: Session,
    diffusion: Diffusion,
    *,
    report_id: UUID | None = None,
    patient_id: UUID | None = None,
) -> int:
    """Decide again on the held deliveries of a report or a patient; return how many were released.

    Call it after anything that may lift a cause: identity qualified, announcement, opposition.
    """
    held = select(Delivery).where(Delivery.state == State.HELD).with_for_update()
    if report_id is not None:
        held = held.where(Delivery.report_id == report_id)
    if patient_id is not None:
        held = held.where(Delivery.patient_id == patient_id)
    released = 0
    for row in session.scalars(held.execution_options(populate_existing=True)).all():
        decision = reconsider(session, diffusion, row)
        if decision.state is not State.PENDING:
            stop(session, diffusion, row, decision)
        elif row.held_since is None:
            release(session, row)
            released += 1
    return released


def _write_all(session: Session, diffusion: Diffusion, plan: Plan) -> list[Delivery]:
    """Write a plan whose rows speak of versions already signed."""
    cancel(session, plan.cancelled, "SUPERSEDED")
    written: list[Delivery] = []
    for planned in plan.deliveries:
        if planned.document_id is not None:
            document = diffusion.documents.load(session, planned.document_id)
            written += write(session, diffusion, document, Plan((), (planned,)))
    return written
