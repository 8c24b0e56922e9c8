"""INSi over HTTP: search, verification, decision, the calls of a record.

No transaction is open while INSi thinks: these handlers open their own.
"""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal
from ris.auth.rights import Permission
from ris.core.db import Database
from ris.core.errors import RisError
from ris.identity import journals, schemas, service
from ris.identity.compartment import visible
from ris.identity.duplicates import pairs as duplicates
from ris.identity.errors import InsAlreadyAttached
from ris.identity.feature import IdentityFeature
from ris.identity.insi import calls, retrieval, verification
from ris.identity.insi import schemas as insi_schemas
from ris.identity.insi.desk import Calling, CardCallIn, calling
from ris.identity.insi.values import Query as InsiQuery
from ris.identity.insi.values import Subject
from ris.identity.model import Patient
from ris.identity.route_inputs import Feature, InsiCaller, Version, etag, kept
from ris.identity.rules import ins_to_output
from ris.rem import satisfies
from ris.web.idempotency import OnceIn
from ris.web.pages import Page, Paging, link
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["identity"])


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


OwnTransactions = Annotated[Database, Depends(_database)]


@router.post(
    "/patients/{patient_id}/insi-search",
    status_code=201,
    response_model=insi_schemas.RetrievalOut,
    summary="Rechercher l'INS (téléservice INSi)",
    responses={502: {"description": "INSi refused the call, or its answer is incomplete."}},
)
@satisfies("RIS.INS.06", "RIS.INS.40", "RIS.INS.50")
def search_insi(
    patient_id: UUID,
    *,
    body: insi_schemas.InsiSearchIn,
    database: OwnTransactions,
    once_in: OnceIn,
    feature: Feature,
    principal: InsiCaller,
) -> Response:
    """Interroge INSi et donne la comparaison à confirmer ; ne change pas l'identité.

    Code 00 : `comparison` à montrer, puis `retrieval_id` à accepter ou rejeter
    (POST …/insi-acceptance), sauf si `blocked` dit pourquoi l'import est interdit. 01 : aucune
    identité ; 02 : plusieurs. Un incident est une erreur 502 ou 503, jamais un « non trouvé ».
    Identité douteuse ou fictive : 409 `INS_ATTRIBUTE_BLOCKS`. Référentiel externe : 403
    `RI_IS_EXTERNAL`.
    """

    def prepare(session: Session) -> verification.Prepared:
        subject = retrieval.prepare(session, feature, patient_id)
        return verification.Prepared(subject, body.query())

    def keep(
        session: Session, subject: Subject, asked: tuple[calls.Asked, ...], by: Calling
    ) -> insi_schemas.RetrievalOut:
        made = retrieval.keep(
            session, feature, patient_id, subject, asked, caller=by.caller, actor=by.actor
        )
        return insi_schemas.retrieval_shown(made)

    return _Act(database, once_in, feature, principal).run(prepare, body, keep)


@router.post(
    "/patients/{patient_id}/insi-verification",
    status_code=201,
    response_model=insi_schemas.VerificationOut,
    summary="Vérifier l'INS (téléservice INSi)",
    responses={502: {"description": "INSi refused the call, or its answer is incomplete."}},
)
@satisfies("RIS.INS.42", "RIS.INS.43")
def verify_insi(
    patient_id: UUID,
    *,
    database: OwnTransactions,
    once_in: OnceIn,
    feature: Feature,
    principal: InsiCaller,
    body: CardCallIn | None = None,
) -> Response:
    """Vérifie l'INS du dossier ; un KO retire le matricule et ramène à provisoire.

    Sans réponse claire (`UNCLEAR`), rien ne change. Référentiel externe : réservé aux identités
    reçues d'un autre domaine.
    """

    def prepare(session: Session) -> verification.Prepared:
        return verification.prepare(session, feature, patient_id)

    def keep(
        session: Session, subject: Subject, asked: tuple[calls.Asked, ...], by: Calling
    ) -> insi_schemas.VerificationOut:
        made = verification.keep(
            session, feature, patient_id, subject, asked, caller=by.caller, actor=by.actor
        )
        return insi_schemas.VerificationOut(
            result=made.verdict,
            calls=[insi_schemas.call_shown(call) for call in made.calls],
            patient=kept(session, made.patient, feature, principal, once_in(session).key),
        )

    return _Act(database, once_in, feature, principal).run(prepare, body or CardCallIn(), keep)


@router.post(
    "/patients/{patient_id}/insi-acceptance",
    status_code=201,
    response_model=schemas.PatientOut,
    summary="Accepter ou rejeter la réponse d'INSi",
)
@satisfies("RIS.INS.13", "RIS.INS.23", "RIS.INS.25")
def decide_insi(
    patient_id: UUID,
    *,
    body: insi_schemas.InsiDecisionIn,
    database: OwnTransactions,
    once_in: OnceIn,
    feature: Feature,
    principal: InsiCaller,
    version: Version,
) -> Response:
    """Accepte ou rejette l'identité renvoyée par INSi, que l'utilisateur a comparée.

    Accepter importe matricule, OID et traits stricts : provisoire devient récupérée, validée
    devient qualifiée. L'INS déjà portée par un autre dossier (409 `INS_ALREADY_ATTACHED`, `ipp` le
    nomme s'il est visible de l'appelant) met la paire dans la liste des doublons à traiter.
    """

    def effect(session: Session) -> schemas.PatientOut:
        if body.decision == "reject":
            patient = retrieval.reject(
                session,
                patient_id,
                body.retrieval_id,
                version=version,
                reason=body.reason,
                actor=principal.actor,
            )
        else:
            patient = retrieval.accept(
                session,
                feature,
                patient_id,
                body.retrieval_id,
                version=version,
                validation_right=Permission.IDENTITY_VALIDATE in principal.permissions,
                reason=body.reason,
                actor=principal.actor,
            )
        return kept(session, patient, feature, principal, once_in(session).key)

    try:
        with database.transaction() as session:
            return once_in(session)(principal.account_id, lambda: effect(session), headers=etag)
    except InsAlreadyAttached as refusal:
        with database.transaction() as session:
            duplicates.note_same_ins(session, patient_id, refusal.extensions["ipp"])
            shown = _shows(session, feature, principal, refusal.extensions["ipp"])
        if not shown:  # the identity officer is told; the desk hears of no record it may not see
            raise InsAlreadyAttached from None
        raise


@router.get("/patients/{patient_id}/insi-calls", summary="Appels INSi d'un dossier")
@satisfies("RIS.INS.04", "RIS.INS.40")
def list_insi_calls(
    *,
    request: Request,
    response: Response,
    patient_id: UUID,
    session: Db,
    principal: InsiCaller,
    paging: Paging,
) -> Page[insi_schemas.InsiCallOut]:
    """Donne le journal des appels INSi du dossier : qui, quand, comment, quel code retour."""
    window = journals.Window(patient_id=patient_id)
    rows, following = journals.insi_calls(session, window, paging, actor=principal.actor)
    link(request, response, following)
    return Page(items=[insi_schemas.call_shown(call) for call in rows], next=following)


@router.get("/insi-calls/{call_id}", summary="Tout ce qu'INSi a répondu à un appel")
@satisfies("RIS.INS.41")
def read_insi_call(call_id: UUID, session: Db, principal: InsiCaller) -> insi_schemas.InsiAnswerOut:
    """Donne un appel et la réponse complète d'INSi : code, traits, INS, INS antérieures.

    Matricules masqués tant que l'identité n'est pas qualifiée avec cette INS, ou sans le droit de
    voir l'INS. La lecture est elle-même au journal.
    """
    call, patient = journals.insi_call(session, call_id, actor=principal.actor)
    right = Permission.INS_READ in principal.permissions
    showable = ins_to_output(patient.identity) if right else None
    made = insi_schemas.answer_shown(call, showable)
    if made.ins is not None:
        service.note_ins_shown(session, patient, actor=principal.actor)
    return made


def _shows(session: Session, feature: IdentityFeature, principal: Principal, ipp: str) -> bool:
    seen = visible(feature, principal.compartment.patients)(Patient)
    return session.scalar(select(Patient.id).where(Patient.ipp == ipp, seen)) is not None


class _Act:
    """One act around a call of INSi: prepared and kept in transactions, asked between them."""

    def __init__(
        self, database: Database, once_in: OnceIn, feature: IdentityFeature, principal: Principal
    ) -> None:
        self._database, self._once_in = database, once_in
        self._feature, self._principal = feature, principal

    def run(
        self,
        prepare: Callable[[Session], verification.Prepared],
        told: CardCallIn,
        keep: Callable[[Session, Subject, tuple[calls.Asked, ...], Calling], BaseModel],
    ) -> Response:
        """Return the answer, or the one kept for this key; raises INSi's failure once written."""
        who = self._principal.account_id
        with self._database.transaction() as session:
            if (replayed := self._once_in(session).earlier(who)) is not None:
                return replayed
            ready = prepare(session)
            by = calling(session, self._feature, self._principal, told, told.card)
        subject = ready.subject
        asked = self._asked(subject, ready.plain, by)
        outcome: Response | RisError | None = asked[-1].error
        with self._database.transaction() as session:
            once = self._once_in(session)
            try:
                outcome = outcome or once.earlier(who)
            except RisError as twin:
                outcome = twin
            if outcome is None:
                return once(who, lambda: keep(session, subject, asked, by))
            keep(session, subject, asked, by)  # failed, or answered by a twin: the calls were made
        if isinstance(outcome, RisError):
            raise outcome
        return outcome

    def _asked(
        self, subject: Subject, plain: InsiQuery | None, by: Calling
    ) -> tuple[calls.Asked, ...]:
        """Call INSi in the name of the caller's structure."""
        limit = self._feature.settings.insi.max_calls
        insi = self._feature.require_insi()
        return calls.ask(insi, subject, plain, caller=by.caller, limit=limit)
