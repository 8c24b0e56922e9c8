"""HTTP of the certificate pool, under `/v1`: what is held, and adding or replacing."""

import base64
import binascii
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request

from ris.auth.certificates import offers, service
from ris.auth.certificates.errors import CertificateRefused
from ris.auth.certificates.schemas import CertificateIn, CertificateOut
from ris.auth.certificates.values import Refusal
from ris.auth.dependencies import Principal, desk_of, require
from ris.auth.rights import Permission
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["auth"])

Technician = Annotated[Principal, Depends(require(Permission.CONFIG_ADMIN))]
Confirmed = Annotated[Principal, Depends(require(Permission.CONFIG_ADMIN, fresh=True))]
_PEM: Final = "-----BEGIN "


@router.get("/certificates")
@satisfies("RIS.AUTH.01")
def list_certificates(
    request: Request,
    session: Db,
    principal: Technician,  # noqa: ARG001
) -> list[CertificateOut]:
    """List the certificates of every practice served: which serves, what is wrong, what ends soon.

    Newest first within a structure and usage.
    """
    held = service.inventory(session, desk_of(request).certificates)
    return [CertificateOut.model_validate(one, from_attributes=True) for one in held]


@router.post("/certificates", status_code=201)
@satisfies("RIS.AUTH.01", "RIS.AUTH.02")
def add_certificate(
    request: Request, session: Db, principal: Confirmed, brought: CertificateIn
) -> CertificateOut:
    """Add a certificate with its key, or the one that will replace it; sign-in must be recent.

    It serves as soon as it is valid, with no restart; the former stays as its spare. The key is
    stored encrypted. 422 `CERTIFICATE_REFUSED` (its `reason` says why), 409 `CERTIFICATE_KNOWN`,
    403 `structure_unusable` for an SCM.
    """
    offer = offers.read(
        _content(brought.certificate),
        brought.key.get_secret_value().encode(),
        brought.password.get_secret_value().encode(),
    )
    held = service.add(
        session, desk_of(request).certificates, brought.struct_idnat, brought.usage, offer,
        actor=principal.actor,
    )  # fmt: skip
    return CertificateOut.model_validate(held, from_attributes=True)


def _content(text: str) -> bytes:
    if _PEM in text:
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CertificateRefused(Refusal.UNREADABLE) from error
