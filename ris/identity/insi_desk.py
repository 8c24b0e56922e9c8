"""A call of INSi as a desk asks for it: who calls for whom, over HTTP. Glue; no rule here."""

from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal
from ris.core.audit import Actor
from ris.identity.feature import IdentityFeature
from ris.identity.insi_caller import Responsible, choose
from ris.identity.insi_values import Caller


class ResponsibleIn(BaseModel):
    """The professional responsible for the patient: his national id, and his practice if many."""

    model_config = ConfigDict(extra="forbid")

    ps_idnat: Annotated[str, Field(max_length=64)]
    struct_idnat: Annotated[str, Field(max_length=64)] = ""


class CallIn(BaseModel):
    """In whose name INSi is called, when it is not the user's own practice."""

    model_config = ConfigDict(extra="forbid")

    responsible: ResponsibleIn | None = None


@dataclass(frozen=True, slots=True)
class Calling:
    """Who calls, and the actor to journal: the user, on behalf of the responsible if any."""

    caller: Caller
    actor: Actor


def calling(
    session: Session, feature: IdentityFeature, principal: Principal, asked: CallIn
) -> Calling:
    """Return who calls INSi for *principal*. Raises as `insi_caller.choose`."""
    named = asked.responsible
    responsible = Responsible(named.ps_idnat, named.struct_idnat) if named else None
    insi = feature.settings.insi
    chosen = choose(session, insi, principal.professional, responsible)
    return Calling(chosen.caller, _actor(principal, chosen.caller, chosen.account_id))


def _actor(principal: Principal, caller: Caller, account_id: UUID | None) -> Actor:
    actor = replace(principal.actor, acting_struct_idnat=caller.structure)
    return replace(actor, on_behalf_of_id=account_id) if account_id else actor
