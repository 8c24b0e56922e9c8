"""HTTP of the life of accounts, under `/v1/accounts`: list, read, open, suspend, close; queues.

Giving a role is `POST /v1/accounts` (`ris/auth/routes.py`). Reading asks for its own right; every
change asks for a recent sign-in.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from ris.auth.administration import alerts, conflicts, service
from ris.auth.administration.schemas import (
    AccountDetail,
    AccountItem,
    Activation,
    AlertOut,
    ConflictOut,
    Ending,
    Resolution,
)
from ris.auth.administration.states import Act
from ris.auth.dependencies import Principal, require
from ris.auth.model import Account, AccountStatus
from ris.auth.rights import Permission, Role
from ris.rem import satisfies
from ris.web.etag import IfMatch, tag
from ris.web.pages import Page, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, prefix="/accounts", tags=["auth"])

Reader = Annotated[Principal, Depends(require(Permission.ACCOUNT_READ))]
Administrator = Annotated[Principal, Depends(require(Permission.ACCOUNT_ADMIN, fresh=True))]
Waiting = Annotated[bool, Query(alias="open", description="Seulement ce qui reste à traiter.")]


@router.get("", summary="Comptes")
@satisfies()
def list_accounts(
    *,
    session: Db,
    principal: Reader,  # noqa: ARG001
    page: Paging,
    request: Request,
    response: Response,
    status: AccountStatus | None = None,
    role: Role | None = None,
) -> Page[AccountItem]:
    """Donne les comptes, du plus ancien au plus récent."""
    rows, following = service.listed(session, page, status=status, role=role)
    link(request, response, following)
    return Page(items=[AccountItem.of(row) for row in rows], next=following)


@router.get("/conflicts", summary="Conflits d'identifiants")
@satisfies("SC.PSC.02")
def list_conflicts(
    *,
    session: Db,
    principal: Reader,  # noqa: ARG001
    page: Paging,
    request: Request,
    response: Response,
    waiting: Waiting = True,
) -> Page[ConflictOut]:
    """Donne les connexions refusées parce que les identifiants annoncés se contredisent."""
    rows, following = conflicts.listed(session, page, open_only=waiting)
    link(request, response, following)
    return Page(items=[ConflictOut.of(row) for row in rows], next=following)


@router.post("/conflicts/{conflict_id}/resolve", summary="Résoudre un conflit")
@satisfies("SC.PSC.02")
def resolve_conflict(
    conflict_id: UUID, session: Db, principal: Administrator, told: Resolution
) -> ConflictOut:
    """Dit quel compte garde les identifiants ; l'autre est fermé et ses sessions sont closes.

    Avec `keep` à null, rien ne change : la personne reste refusée.
    """
    return ConflictOut.of(
        conflicts.resolve(
            session, conflict_id, keep=told.keep, reason=told.reason, actor=principal.actor
        )
    )


@router.get("/alerts", summary="Alertes sur les comptes")
@satisfies()
def list_alerts(
    *,
    session: Db,
    principal: Reader,  # noqa: ARG001
    page: Paging,
    request: Request,
    response: Response,
    waiting: Waiting = True,
) -> Page[AlertOut]:
    """Donne les alertes, par ancienneté : profession, activité, annuaire, accès de secours."""
    rows, following = alerts.listed(session, page, open_only=waiting)
    link(request, response, following)
    return Page(items=[AlertOut.of(row) for row in rows], next=following)


@router.post("/alerts/{alert_id}/acknowledge", summary="Acquitter une alerte")
@satisfies()
def acknowledge_alert(alert_id: UUID, session: Db, principal: Administrator) -> AlertOut:
    """Note que l'administrateur a vu l'alerte ; la même cause en lèvera une nouvelle."""
    return AlertOut.of(alerts.acknowledge(session, alert_id, principal.actor))


@router.get("/{account_id}", summary="Lire un compte")
@satisfies("SC.SSI/IE.33")
def read_account(
    account_id: UUID,
    session: Db,
    principal: Reader,  # noqa: ARG001
    response: Response,
) -> AccountDetail:
    """Donne un compte, ses identifiants, ses situations d'exercice et ses alertes."""
    seen = service.read(session, account_id)
    response.headers["ETag"] = tag(seen.account.version)
    return AccountDetail.seen(seen)


@router.post("/{account_id}/activate", summary="Ouvrir un compte demandé")
@satisfies()
def activate_account(
    account_id: UUID,
    *,
    session: Db,
    principal: Administrator,
    told: Activation,
    response: Response,
    if_match: IfMatch = None,
) -> AccountItem:
    """Ouvre un compte en attente, avec un rôle."""
    row = service.activate(
        session,
        account_id,
        told.role,
        identity_habilitated=told.identity_habilitated,
        if_match=if_match,
        actor=principal.actor,
    )
    return _changed(row, response)


@router.post("/{account_id}/suspend", summary="Suspendre un compte")
@satisfies("SC.SSI/IAM.91")
def suspend_account(
    account_id: UUID,
    *,
    session: Db,
    principal: Administrator,
    told: Ending,
    response: Response,
    if_match: IfMatch = None,
) -> AccountItem:
    """Suspend un compte : ses sessions se ferment aussitôt, ses jetons ne valent plus rien ici."""
    row = service.change(
        session, account_id, Act.SUSPEND, reason=told.reason, if_match=if_match,
        actor=principal.actor,
    )  # fmt: skip
    return _changed(row, response)


@router.post("/{account_id}/reactivate", summary="Réactiver un compte")
@satisfies("SC.SSI/IAM.91")
def reactivate_account(
    account_id: UUID,
    *,
    session: Db,
    principal: Administrator,
    response: Response,
    if_match: IfMatch = None,
) -> AccountItem:
    """Rend un compte suspendu ou fermé à sa personne, avec le rôle qu'il avait."""
    row = service.change(
        session, account_id, Act.REACTIVATE, if_match=if_match, actor=principal.actor
    )
    return _changed(row, response)


@router.post("/{account_id}/close", summary="Fermer un compte")
@satisfies("SC.SSI/IAM.91")
def close_account(
    account_id: UUID,
    *,
    session: Db,
    principal: Administrator,
    told: Ending,
    response: Response,
    if_match: IfMatch = None,
) -> AccountItem:
    """Ferme un compte, ou refuse une demande. Rien n'est supprimé : les traces le citent."""
    row = service.change(
        session, account_id, Act.CLOSE, reason=told.reason, if_match=if_match,
        actor=principal.actor,
    )  # fmt: skip
    return _changed(row, response)


def _changed(row: Account, response: Response) -> AccountItem:
    response.headers["ETag"] = tag(row.version)
    return AccountItem.of(row)
