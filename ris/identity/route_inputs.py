"""What the identity routes ask of a request, and how they answer with a record. No rule here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal, is_fresh, refuse_stale, require
from ris.auth.rights import Permission
from ris.identity import schemas, service
from ris.identity.errors import TraitsLocked
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.web.etag import IfMatch, read_version, tag


def _feature(request: Request) -> IdentityFeature:
    feature: IdentityFeature = request.app.state.identity
    return feature


def _version(if_match: IfMatch = None) -> int:
    """Return the version the caller read; raises PreconditionRequired."""
    return read_version(if_match)


Feature = Annotated[IdentityFeature, Depends(_feature)]
Version = Annotated[int, Depends(_version)]
Reader = Annotated[Principal, Depends(require(Permission.PATIENT_READ))]
Writer = Annotated[Principal, Depends(require(Permission.PATIENT_WRITE))]
InsReader = Annotated[Principal, Depends(require(Permission.INS_READ))]
InsiCaller = Annotated[Principal, Depends(require(Permission.INSI_CALL))]
Validator = Annotated[Principal, Depends(require(Permission.IDENTITY_VALIDATE))]
Superuser = Annotated[Principal, Depends(require(Permission.IDENTITY_SUPERUSER, fresh=True))]
Auditor = Annotated[Principal, Depends(require(Permission.AUDIT_READ))]


@contextmanager
def as_superuser(request: Request, principal: Principal) -> Iterator[bool]:
    """Give whether *principal* may change locked traits now: the right, and a recent sign-in.

    Where the block is refused only for want of the latter, StepUpRequired is raised instead.
    """
    right = Permission.IDENTITY_SUPERUSER in principal.permissions
    fresh = is_fresh(request, principal)
    try:
        yield right and fresh
    except TraitsLocked:
        if right:
            refuse_stale(request, principal)
        raise


def answered(
    patient: Patient, feature: IdentityFeature, principal: Principal, response: Response
) -> schemas.PatientOut:
    """Return *patient* as *principal* may see it, its version in the `ETag` of *response*."""
    response.headers["ETag"] = tag(patient.version)
    right = Permission.INS_READ in principal.permissions
    return schemas.shown(patient, feature.settings.banner, ins_right=right)


def changed(
    session: Session,
    patient: Patient,
    feature: IdentityFeature,
    principal: Principal,
    response: Response,
) -> schemas.PatientOut:
    """Return *patient* after an act; an INS that the answer shows is an access to it."""
    made = answered(patient, feature, principal, response)
    if made.ins is not None:
        service.note_ins_shown(session, patient, actor=principal.actor)
    return made


def kept(
    session: Session,
    patient: Patient,
    feature: IdentityFeature,
    principal: Principal,
    key: str | None,
) -> schemas.PatientOut:
    """Return *patient* as the answer to a POST; an answer kept under a *key* never holds an INS.

    Replayed a day later, it would show an INS that the identity may have lost meanwhile.
    """
    right = key is None and Permission.INS_READ in principal.permissions
    made = schemas.shown(patient, feature.settings.banner, ins_right=right)
    if made.ins is not None:
        service.note_ins_shown(session, patient, actor=principal.actor)
    return made


def etag(made: BaseModel) -> Mapping[str, str]:
    """Return the `ETag` of an answer: its own `version`, or that of the record it carries."""
    versioned: Any = getattr(made, "patient", made)
    return {"ETag": tag(versioned.version)}
