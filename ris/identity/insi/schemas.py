"""The JSON of INSi: what is asked, what came back beside what we hold, the calls that were made."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from ris.identity.insi.comparison import Difference
from ris.identity.insi.desk import CardCallIn
from ris.identity.insi.retrieval import Retrieval
from ris.identity.insi.values import CallMode, VitaleQuery
from ris.identity.insi.verification import Verdict
from ris.identity.matricule import nature_of
from ris.identity.model import InsiCall
from ris.identity.schemas import Account, Body, InsOut, PatientOut, PsIdNat, Reason
from ris.identity.values import Ins

_NUMBER = r"^[0-9]{6}[0-9AB][0-9]{6}[0-9]{2}$"
Code = Annotated[
    str | None,
    Field(description="Code retour : 00 une identité, 01 aucune, 02 plusieurs ; null : incident"),
]


_LATIN = r"^[ -~\u00A0-\u024F]*$"  # what a card holds and a message can carry


class VitaleIn(Body):
    """Ce qu'un lecteur a pris d'une carte Vitale ; le lecteur est celui du poste."""

    matricule: str = Field(
        pattern=_NUMBER, description="Numéro du bénéficiaire, 15 caractères, clé comprise"
    )
    opener: str = Field(pattern=_NUMBER, description="Numéro de l'ouvrant droit, 15 caractères")
    birth_family: str = Field(
        max_length=100, pattern=_LATIN, description="Nom de naissance lu sur la carte"
    )
    birth_date: str = Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="Date de naissance, AAAA-MM-JJ"
    )
    birth_rank: str = Field("1", pattern=r"^[0-9]$", description="Rang gémellaire")


class InsiSearchIn(CardCallIn):
    """Comment chercher : par les traits du dossier, ou par une carte Vitale si elle est donnée."""

    vitale: VitaleIn | None = Field(None, description="Données lues d'une carte Vitale")

    def query(self) -> VitaleQuery | None:
        """Return the card query, or None for a search by traits."""
        return VitaleQuery(**self.vitale.model_dump()) if self.vitale else None


class InsiDecisionIn(Body):
    """La décision de l'utilisateur sur une réponse d'INSi."""

    retrieval_id: UUID = Field(description="`retrieval_id` de la recherche")
    decision: Literal["accept", "reject"] = Field(
        "accept", description="accept : importer l'INS et les traits ; reject : ne rien changer"
    )
    reason: Annotated[
        Reason, Field(description="Motif, obligatoire pour accepter une divergence majeure")
    ] = ""


class ComparisonOut(BaseModel):
    """Un trait, le nôtre et celui d'INSi ; dates au format JJ/MM/AAAA."""

    field: str = Field(description="Nom du champ")
    local: str = Field(description="Notre valeur")
    insi: str = Field(description="Valeur d'INSi")
    difference: Difference = Field(
        description="equal, minor (tolérée), major (motif demandé), absent (rien à comparer)"
    )


class InsiCallOut(BaseModel):
    """Un appel du journal INSi, sans le contenu de la réponse."""

    id: UUID = Field(description="Identifiant de l'appel")
    patient_id: UUID = Field(description="Dossier pour lequel l'appel a été fait")
    at: datetime = Field(description="Date et heure de l'appel")
    operation: str = Field(description="traits, vitale ou verify")
    mode: CallMode = Field(
        description="MANU : par une personne ; AUTO : par le logiciel ; CPX : avec la carte"
    )
    code: Code
    fault: str | None = Field(description="Code d'incident, quand INSi n'a pas répondu")
    decision: str = Field(description="none, pending, accepted ou rejected")
    account_id: Account
    ps_idnat: PsIdNat
    struct_idnat: str | None = Field(description="Struct_IdNat du cabinet au nom de qui")


class InsiTraitsOut(BaseModel):
    """Les traits renvoyés par INSi, tels quels."""

    birth_family: str = Field(description="Nom de naissance")
    given_names: str = Field(description="ListePrenom")
    sex: str = Field(description="Sexe")
    birth_date: str = Field(description="Date de naissance, telle que renvoyée")
    birth_place: str = Field(description="Code INSEE du lieu de naissance")


class InsiAnswerOut(InsiCallOut):
    """Un appel et tout ce qu'INSi a renvoyé.

    Matricule et historique ne sont montrés que si l'identité est qualifiée, avec cette INS, et
    que l'appelant a le droit de voir l'INS.
    """

    message_id: str = Field(description="Identifiant du message envoyé")
    duration_ms: int = Field(description="Durée de l'appel, en millisecondes")
    label: str = Field(description="Libellé du code retour")
    returned: dict[str, Any] = Field(
        description="Toute la réponse, élément par élément ; vide si elle ne peut être montrée"
    )
    traits: InsiTraitsOut | None = Field(description="Traits renvoyés, avec le code 00")
    ins: InsOut | None = Field(description="INS renvoyée ; null si elle ne peut être montrée")
    history: list[InsOut] = Field(description="INS antérieures ; vide si non montrables")
    ins_returned: bool = Field(description="INSi a renvoyé une INS, montrable ou non")
    decision_reason: str = Field(description="Motif de la décision")
    decided_at: datetime | None = Field(description="Date et heure de la décision")


class BlockedOut(BaseModel):
    """Pourquoi une réponse ne peut être importée."""

    code: str = Field(description="Code stable, pour le logiciel appelant")
    title: str = Field(description="Titre à afficher")
    detail: str = Field(description="Explication à afficher")
    rem: list[str] = Field(description="Exigences en cause")


class RetrievalOut(BaseModel):
    """La réponse d'INSi, à côté de ce que porte le dossier : l'écran à confirmer."""

    code: Code
    retrieval_id: UUID | None = Field(description="À accepter ou rejeter ; null : rien à décider")
    comparison: list[ComparisonOut] = Field(description="Trait par trait, dans l'ordre d'affichage")
    first_given_alert: bool = Field(
        description="Le premier prénom du dossier ne commence pas la liste d'INSi : alerter"
    )
    blocked: BlockedOut | None = Field(description="Ce qui interdit l'import, le cas échéant")
    calls: list[InsiCallOut] = Field(description="Les appels faits pour cette recherche")


class VerificationOut(BaseModel):
    """Ce que dit la vérification, et le dossier qui en résulte."""

    result: Verdict = Field(description="OK, KO (INS retirée) ou UNCLEAR (rien ne change)")
    calls: list[InsiCallOut] = Field(description="Les appels faits")
    patient: PatientOut = Field(description="Le dossier après la vérification")


def call_shown(call: InsiCall) -> InsiCallOut:
    """Return one call for JSON: no trait, no number."""
    return InsiCallOut.model_validate(call, from_attributes=True)


def answer_shown(call: InsiCall, showable: Ins | None) -> InsiAnswerOut:
    """Return one call with all that came back.

    *showable* is the INS of the patient once through the output gate: the numbers of the answer
    are shown when it is the one that INSi gave.
    """
    told: dict[str, Any] = call.answer
    given = Ins(told.get("matricule", ""), told.get("oid", ""))
    open_ = showable is not None and showable == given
    former = [Ins(**one) for one in told.get("history", ())] if open_ else []
    returned: dict[str, Any] = told.get("returned", {})
    # a refused answer (no code) was never read: whatever number it holds passed no gate
    nobody = call.code is not None and not given.matricule and "INDIVIDU" not in returned
    return InsiAnswerOut(
        **call_shown(call).model_dump(),
        message_id=call.message_id,
        duration_ms=call.duration_ms,
        label=told.get("label", ""),
        returned=returned if open_ or nobody else {},
        traits=InsiTraitsOut.model_validate(told) if "birth_family" in told else None,
        ins=_ins(given) if open_ else None,
        history=[_ins(one) for one in former],
        ins_returned=bool(given.matricule),
        decision_reason=call.decision_reason,
        decided_at=call.decided_at,
    )


def retrieval_shown(retrieval: Retrieval) -> RetrievalOut:
    """Return the comparison dialog for JSON: no matricule in it."""
    last, blocked = retrieval.last, retrieval.blocked
    return RetrievalOut(
        code=last.code,
        retrieval_id=last.id if retrieval.comparison and not blocked else None,
        comparison=[
            ComparisonOut.model_validate(row, from_attributes=True) for row in retrieval.comparison
        ],
        first_given_alert=retrieval.first_given_alert,
        blocked=BlockedOut(
            code=blocked.code, title=blocked.title, detail=blocked.detail, rem=list(blocked.rem)
        )
        if blocked
        else None,
        calls=[call_shown(call) for call in retrieval.calls],
    )


def _ins(ins: Ins) -> InsOut:
    return InsOut(matricule=ins.matricule, oid=ins.oid, nature=nature_of(ins))
