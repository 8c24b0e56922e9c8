"""What a route asks before an act done in a physician's name: may the caller, and as whom.

HTTP plumbing only: a refusal is traced in its own transaction, the refused request's is undone.
"""

from fastapi import Request
from sqlalchemy.orm import Session

from ris.auth.delegation.errors import DelegationMissing
from ris.auth.delegation.service import authorise
from ris.auth.delegation.values import DelegatedAction, Responsible
from ris.auth.dependencies import Principal, desk_of
from ris.core import audit
from ris.core.audit import Actor


def acting_for(
    request: Request,
    session: Session,
    principal: Principal,
    action: DelegatedAction,
    responsible: Responsible,
) -> Actor:
    """Return the actor to record for *action* on what *responsible* signed.

    Call it before anything is recorded in *session*. Raises DelegationMissing, traced as
    `auth.access_denied` with the physician it concerns.
    """
    desk = desk_of(request)
    try:
        return authorise(
            session,
            action,
            responsible,
            actor=principal.actor,
            role=principal.role,
            required=desk.settings.delegation_required,
        )
    except DelegationMissing as error:
        with desk.database.transaction() as own:
            audit.record(
                own,
                "auth.access_denied",
                actor=principal.actor,
                outcome="failure",
                reason=error.code,
                target=("account", responsible.account_id),
                detail={"action": action},
            )
        raise
