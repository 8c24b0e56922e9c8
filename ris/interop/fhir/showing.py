"""One record as the FHIR resource that this caller may see, at the address of this server."""

from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal
from ris.auth.rights import Permission
from ris.identity import service
from ris.identity.model import Patient
from ris.interop.fhir import mapping_patient
from ris.interop.fhir.record import facts_of
from ris.interop.fhir.settings import FhirSettings
from ris.interop.fhir.vocabulary import Json


def consulted(request: Request, session: Session, principal: Principal, patient_id: UUID) -> Json:
    """Return the resource for display; the access, and that of the INS, go on the journal."""
    right = Permission.INS_READ in principal.permissions
    patient = service.consult(session, patient_id, ins_right=right, actor=principal.actor)
    return shown(request, session, patient, ins_right=right)


def shown(request: Request, session: Session, patient: Patient, *, ins_right: bool) -> Json:
    """Return the resource of *patient*; its INS only with *ins_right*. Not journaled."""
    facts = facts_of(session, [patient])[patient.id]
    version = settings_of(request).fr_core
    return mapping_patient.patient(patient.identity, facts, ins_right=ins_right, fr_core=version)


def base(request: Request) -> str:
    """Return the address of the Patient endpoint, as the caller reached it."""
    return f"{str(request.base_url).rstrip('/')}/fhir/Patient"


def settings_of(request: Request) -> FhirSettings:
    """Return the settings of the façade (`app.state.fhir`)."""
    settings: FhirSettings = request.app.state.fhir
    return settings
