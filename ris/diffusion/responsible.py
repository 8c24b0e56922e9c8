"""Who answers for what leaves: signs a report in his name, and answers for each of its sendings.

Reads the report and asks `ris.auth.acting`; signing itself is `signing`, sending `schedule`.
"""

from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth import accounts, acting
from ris.auth.compartments.owner import refuse_foreign
from ris.auth.compartments.scope import Compartment
from ris.auth.delegation.values import Responsible
from ris.core.audit import Actor
from ris.core.errors import Unauthenticated
from ris.diffusion import signing
from ris.diffusion.model import Delivery
from ris.diffusion.wiring import Diffusion
from ris.orders import service as orders
from ris.orders.compartment import claim
from ris.rem import satisfies
from ris.reports import service as reports
from ris.reports.channels import SignedDocument
from ris.reports.model import DocumentVersion


@satisfies("RIS.AUTH.01")
def sign(
    session: Session,
    diffusion: Diffusion,
    report_id: UUID,
    actor: Actor,
    compartment: Compartment,
    *,
    read_version: int | None = None,
) -> SignedDocument:
    """Sign a report in the name of *actor*, under the situation that this report is his in.

    An exam that nobody owns becomes his practice's. It is locked first: nobody moves it to another
    practice meanwhile; so is the account: one suspended meanwhile signs before that or not at all.
    Raises what `acting.signer`, `refuse_foreign` and `signing.sign` raise.
    """
    if actor.account_id is None:
        raise Unauthenticated
    exam = orders.exam_record(session, reports.get(session, report_id).exam_id, lock=True)
    report = reports.get(session, report_id, lock=True)
    accounts.hold(session, actor.account_id)
    signer = acting.signer(
        session, actor.account_id, opened_under=report.situation_id, present=actor.situation_id
    )
    acted = replace(
        actor, situation_id=signer.situation_id, acting_struct_idnat=signer.struct_idnat
    )
    refuse_foreign(compartment, signer.struct_idnat, exam.acting_struct_idnat)
    claim(session, exam, signer.struct_idnat, actor=acted)
    document = signing.sign(
        session, diffusion, report_id, signer.professional, acted, read_version=read_version
    )
    report.situation_id = signer.situation_id  # a correction by the same leaves from there too
    return document


def of_report(session: Session, diffusion: Diffusion, report_id: UUID) -> Responsible:
    """Return who answers for the signed version in force; raises as `documents.current`."""
    document = diffusion.documents.current(session, report_id)
    author = document.content.author
    version = session.get_one(DocumentVersion, document.version_id)
    return Responsible(version.signed_by, author.structure.struct_idnat if author.structure else "")


def of_delivery(session: Session, row: Delivery) -> Responsible:
    """Return who answers for one delivery: the signer of the version it carries."""
    version = session.get_one(DocumentVersion, row.document_id)
    return Responsible(version.signed_by, row.struct_idnat or "")
