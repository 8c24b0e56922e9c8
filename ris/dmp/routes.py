"""HTTP of the DMP feature: the patient's opposition to feeding. Sending itself has no route here.

`request.app.state.dmp` is a `DmpDesk`, whose hook tells the deliveries that a fact has changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session

from ris.auth.break_glass.service import reach
from ris.auth.dependencies import Principal, inside, require
from ris.auth.rights import Permission
from ris.dmp import opposition
from ris.dmp.schemas import OppositionIn, OppositionOut
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["dmp"])
Reader = Annotated[Principal, Depends(require(Permission.PATIENT_READ))]
Controller = Annotated[Principal, Depends(require(Permission.DMP_CONTROL))]
Lifter = Annotated[Principal, Depends(require(Permission.DMP_CONTROL, fresh=True))]


@dataclass(frozen=True, slots=True)
class DmpDesk:
    """What the routes need: *opposition_changed*(session, patient id) runs in the same work."""

    opposition_changed: Callable[[Session, UUID], None]


@router.get("/patients/{patient_id}/dmp-opposition")
@satisfies("RIS.DMP.03")
def list_dmp_oppositions(patient_id: UUID, session: Db, principal: Reader) -> list[OppositionOut]:
    """List the oppositions of a patient, newest first."""
    rows = opposition.listed(session, patient_id, reach(session, principal, patient_id))
    return [OppositionOut.model_validate(row) for row in rows]


@router.post("/patients/{patient_id}/dmp-opposition", status_code=201)
@satisfies("RIS.DMP.03")
def record_dmp_opposition(
    patient_id: UUID, body: OppositionIn, session: Db, principal: Controller, request: Request
) -> OppositionOut:
    """Block DMP feeding of one report or of the patient's every report."""
    inside(request, principal, report_id=body.report_id)
    opposition.check_subject(session, patient_id, body.report_id)
    row = opposition.record(
        session,
        patient_id,
        scope=body.scope,
        report_id=body.report_id,
        reason=body.reason,
        actor=principal.actor,
    )
    request.app.state.dmp.opposition_changed(session, patient_id)
    return OppositionOut.model_validate(row)


@router.delete("/patients/{patient_id}/dmp-opposition/{opposition_id}")
@satisfies("RIS.DMP.03")
def lift_dmp_opposition(
    patient_id: UUID, opposition_id: UUID, session: Db, principal: Lifter, request: Request
) -> OppositionOut:
    """Lift an opposition; what was held may leave again."""
    row = opposition.lift(session, patient_id, opposition_id, actor=principal.actor)
    request.app.state.dmp.opposition_changed(session, patient_id)
    return OppositionOut.model_validate(row)
