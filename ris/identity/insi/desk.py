"""A call of INSi as a desk asks for it: who calls, for whom, with what card. Glue; no rule here."""

import base64
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from ris.auth.compartments.errors import StructureDenied
from ris.auth.dependencies import Principal
from ris.core import clock, ids
from ris.core.audit import Actor
from ris.core.text import ONE_LINE
from ris.identity.feature import IdentityFeature
from ris.identity.insi import cpx as insi_cpx
from ris.identity.insi.caller import Responsible, choose
from ris.identity.insi.cpx import Card, Statement
from ris.identity.insi.errors import InsiCardOff
from ris.identity.insi.values import Caller, CallMode
from ris.rem import satisfies
from ris.web.moments import Instant


class ResponsibleIn(BaseModel):
    """Le professionnel responsable du patient : son identifiant national, et son cabinet s'il en
    a plusieurs.
    """

    model_config = ConfigDict(extra="forbid")

    ps_idnat: str = Field(
        max_length=64,
        pattern=ONE_LINE,
        description="Identifiant national du professionnel (PS_IdNat)",
    )
    struct_idnat: str = Field(
        default="",
        max_length=64,
        pattern=ONE_LINE,
        description="Son cabinet (Struct_IdNat), s'il en a plusieurs",
    )


class CardIn(BaseModel):
    """Ce que le connecteur du poste a lu sur la carte CPx : certificat (PEM ou base64), numéro de
    facturation, secteur d'activité.
    """

    model_config = ConfigDict(extra="forbid")

    certificate: str = Field(
        max_length=8192, description="Certificat d'authentification de la carte, PEM ou base64"
    )
    billing_id: str = Field(
        pattern=r"^[0-9A-Za-z]{1,20}$", description="Numéro de facturation lu sur la carte"
    )
    sector: str = Field(
        pattern=r"^SA[0-9]{2}$", description="Secteur d'activité lu sur la carte, par exemple SA07"
    )

    def card(self) -> Card:
        """Return the card; raises `InsiCardRefused`."""
        certificate = insi_cpx.read_certificate(self.certificate)
        return Card(certificate, self.billing_id, self.sector)


class SignedCardIn(CardIn):
    """La carte, et sa signature de l'assertion donnée par `POST /insi/card-assertions`."""

    assertion_id: UUID = Field(description="Identifiant de l'assertion signée")
    issued_at: Instant = Field(description="Instant d'émission, tel que donné avec l'assertion")
    signature: str = Field(
        max_length=2048, description="Signature de to_sign par la carte, en base64"
    )


class CardToSignOut(BaseModel):
    """Ce que la carte doit signer : `to_sign` (base64), par l'algorithme dit ; `assertion_id` et
    `issued_at` sont à rendre avec la signature, avant `expires_at`.
    """

    assertion_id: UUID = Field(description="Identifiant de l'assertion, à rendre avec la signature")
    issued_at: datetime = Field(description="Instant d'émission, à rendre avec la signature")
    expires_at: datetime = Field(description="Fin de validité de la signature")
    algorithm: str = Field(description="Algorithme de signature attendu")
    to_sign: str = Field(description="Octets à faire signer par la carte, en base64")


class CallIn(BaseModel):
    """Au nom de qui INSi est appelé, si ce n'est le cabinet de l'utilisateur."""

    model_config = ConfigDict(extra="forbid")

    responsible: ResponsibleIn | None = Field(
        default=None, description="Professionnel responsable du patient, si ce n'est l'utilisateur"
    )


class CardCallIn(CallIn):
    """Au nom de qui INSi est appelé ; avec `card`, par la carte CPx de l'utilisateur."""

    card: SignedCardIn | None = Field(
        default=None,
        description="Carte CPx de l'utilisateur et sa signature, pour un appel par carte",
    )


@dataclass(frozen=True, slots=True)
class Calling:
    """Who calls, and the actor to journal: the user, on behalf of the responsible if any."""

    caller: Caller
    actor: Actor


def calling(
    session: Session,
    feature: IdentityFeature,
    principal: Principal,
    asked: CallIn,
    card: SignedCardIn | None = None,
) -> Calling:
    """Return who calls INSi for *principal*: a practice, or his own *card* where he used it.

    Raises as `insi_caller.choose`, `InsiCardOff`, `InsiCardRefused`, and `StructureDenied` when the
    responsible's practice is one that *principal* does not work for.
    """
    named = asked.responsible
    responsible = Responsible(named.ps_idnat, named.struct_idnat) if named else None
    insi = feature.settings.insi
    chosen = choose(session, insi, principal.professional, responsible)
    if responsible and not principal.compartment.exams.sees(chosen.caller.structure):
        raise StructureDenied("Vous ne travaillez pas pour le cabinet de ce professionnel.")
    caller = _with_card(chosen.caller, feature, principal, card) if card else chosen.caller
    actor = replace(principal.actor, acting_struct_idnat=caller.structure)
    if chosen.account_id:
        actor = replace(actor, on_behalf_of_id=chosen.account_id)
    return Calling(caller, actor)


@satisfies("RIS.INS.49")
def to_sign(feature: IdentityFeature, principal: Principal, read: CardIn) -> CardToSignOut:
    """Return what the card of *principal* must sign. Raises `InsiCardOff`, `InsiCardRefused`."""
    insi, card, now = feature.settings.insi, read.card(), clock.now().replace(microsecond=0)
    insi_cpx.check_card(card, _holder(principal), _trusted(feature))
    statement = Statement(ids.new(), now, insi.cpx_life_s)
    content = base64.b64encode(insi_cpx.to_sign(card, statement)).decode()
    return CardToSignOut(
        assertion_id=statement.id,
        issued_at=statement.at,
        expires_at=statement.until,
        algorithm=insi_cpx.ALGORITHM,
        to_sign=content,
    )


def _with_card(
    caller: Caller, feature: IdentityFeature, principal: Principal, read: SignedCardIn
) -> Caller:
    insi, card, now = feature.settings.insi, read.card(), clock.now()
    insi_cpx.check_card(card, _holder(principal), _trusted(feature))
    statement = Statement(read.assertion_id, read.issued_at, insi.cpx_life_s)
    assertion = insi_cpx.signed(card, statement, read.signature, now)
    return replace(caller, mode=CallMode.CARD, assertion=assertion, holder=card.holder)


def _holder(principal: Principal) -> str:
    return principal.actor.ps_idnat or ""


def _trusted(feature: IdentityFeature) -> insi_cpx.Trusted:
    """Return who judges cards; raises `InsiCardOff`."""
    if not feature.settings.insi.cpx_endpoint or feature.card_trust is None:
        raise InsiCardOff
    return feature.card_trust
