"""HTTP door for DICOM files of one exam: headers are read, pixels are not kept."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, UploadFile

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.identity.service import identity_of
from ris.interop.dicom.headers import read_study
from ris.orders import service
from ris.orders.schemas import ExamOut
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["interop"])
Writer = Annotated[Principal, Depends(require(Permission.EXAM_WRITE))]


@router.post("/exams/{exam_id}/study", status_code=200)
@satisfies("SC.DB/RIS.07")
def attach_study(
    exam_id: UUID, session: Db, principal: Writer, files: Annotated[list[UploadFile], File()]
) -> ExamOut:
    """File the study of an exam: modality, device, study and series identifiers.

    Images that do not carry the identifiers issued for this exam are refused (STUDY_MISMATCH).
    """
    study = read_study([file.file.read() for file in files])
    exam = service.exam_record(session, exam_id, lock=True)
    ipp = identity_of(session, exam.patient_id).ipp
    service.attach_study(session, exam, study, ipp=ipp, actor=principal.actor)
    return ExamOut.of(exam)
