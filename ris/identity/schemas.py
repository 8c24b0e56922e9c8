"""The JSON of the identity routes. The INS leaves by `shown` only, through the single gate."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.auth.values import Address
from ris.identity.banner import BannerField, banner
from ris.identity.comparison import Difference
from ris.identity.insi_desk import CardCallIn
from ris.identity.insi_values import CallMode, VitaleQuery
from ris.identity.matricule import nature_of
from ris.identity.model import IdentityDocument, IdentityHistory, InsiCall, Patient
from ris.identity.retrieval import Retrieval
from ris.identity.rules import ins_to_output, locked_fields
from ris.identity.service import Contact
from ris.identity.states import Event
from ris.identity.traits import TypedTraits
from ris.identity.values import Attribute, Status
from ris.identity.verification import Verdict

_LOCK_REASON = "Trait issu d'INSi : modification réservée aux personnes habilitées."
_NEVER_TYPED = "Champ jamais saisi : rempli par INSi."


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AddressIn(_In):
    """A postal address."""

    lines: list[str] = Field(default_factory=list, max_length=5)
    postal_code: str = Field("", max_length=10)
    city: str = Field("", max_length=100)
    country: str = Field("", max_length=100)

    def value(self) -> Address:
        """Return the plain value."""
        return Address(tuple(self.lines), self.postal_code, self.city, self.country)


class PatientIn(_In):
    """A record to create: the five traits without which it is refused, then optional fields."""

    birth_family: str = Field("", description="Nom de naissance")
    first_birth_given: str = Field("", description="Premier prénom de naissance")
    birth_date: str = Field("", description="Date de naissance, AAAA-MM-JJ")
    sex: str = Field("", description="Sexe : F, M ou I")
    birth_place: str = Field("", description="Code INSEE du lieu de naissance, 99999 si inconnu")
    birth_given_names: str = Field("", description="Liste des prénoms de naissance")
    used_family: str = Field("", description="Nom utilisé")
    used_given: str = Field("", description="Prénom utilisé")
    address: AddressIn | None = None
    phone: str | None = Field(None, max_length=30)
    billing_number: str | None = Field(
        None, max_length=15, description="Numéro de sécurité sociale de facturation"
    )

    def typed(self) -> TypedTraits:
        """Return the traits as typed."""
        return TypedTraits(**self.model_dump(include=set(TypedTraits.__dataclass_fields__)))

    def contact(self) -> Contact:
        """Return what is not a trait."""
        address = self.address.value() if self.address else None
        return Contact(address, self.phone, self.billing_number)


class PatientEdit(PatientIn):
    """Fields to change: those absent stay as they are."""

    reason: str = Field(
        "", max_length=500, description="Motif, obligatoire sur un trait verrouillé"
    )

    def changed(self) -> dict[str, str]:
        """Return the traits named in the request."""
        return self.model_dump(include=set(TypedTraits.__dataclass_fields__), exclude_unset=True)


class SearchIn(_In):
    """Criteria that must not stand in an address: the whole matricule INS."""

    matricule: str = Field(description="Matricule INS, 15 caractères, clé comprise")


class VitaleIn(_In):
    """What a reader took from a Vitale card; numbers of 15 characters."""

    matricule: str = Field(pattern=r"^[0-9]{6}[0-9AB][0-9]{6}[0-9]{2}$")
    opener: str = Field(pattern=r"^[0-9]{6}[0-9AB][0-9]{6}[0-9]{2}$")
    birth_family: str = Field(max_length=100)
    birth_date: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    birth_rank: str = Field("1", pattern=r"^[0-9]$")


class InsiSearchIn(CardCallIn):
    """How to search: by the traits of the record, or by a Vitale card when given."""

    vitale: VitaleIn | None = None

    def query(self) -> VitaleQuery | None:
        """Return the card query, or None for a search by traits."""
        return VitaleQuery(**self.vitale.model_dump()) if self.vitale else None


class InsiDecisionIn(_In):
    """The user's decision on an INSi answer; *reason* for a rejection or a major difference."""

    retrieval_id: UUID
    decision: Literal["accept", "reject"] = "accept"
    reason: str = Field("", max_length=500)


class DocumentIn(_In):
    """The document shown: a code of the site's list. Never a number, never an image."""

    type: str = Field(max_length=8)
    validate_identity: bool = False
    expires_on: date | None = None
    companion: str | None = Field(None, max_length=8)


class AttributeIn(_In):
    """Why an attribute is set."""

    reason: str = Field("", max_length=500)


class InsOut(BaseModel):
    """An INS that may be shown, with its nature in clear."""

    matricule: str
    oid: str
    nature: str


class LockedField(BaseModel):
    """A field that the screen must show as locked, and why (RIS.INS.30)."""

    field: str
    reason: str


class BannerOut(BaseModel):
    """One labelled trait of the banner, to show as it is."""

    field: str
    label: str
    value: str


class PatientOut(BaseModel):
    """A record as the caller may see it. `ins` is null outside qualifiée, or without the right."""

    id: UUID
    ipp: str
    ipp_oid: str
    version: int
    status: Status
    attributes: list[Attribute]
    birth_family: str
    birth_given_names: list[str]
    first_birth_given: str
    birth_date: date
    sex: str
    birth_place: str
    used_family: str
    used_given: str
    ins: InsOut | None
    locked_fields: list[LockedField]
    address: Address
    phone: str
    billing_number_recorded: bool
    to_review: bool
    banner: list[BannerOut]
    created_at: datetime
    updated_at: datetime


class PatientList(BaseModel):
    """Records found; *more* when the list was cut: refine the search."""

    items: list[PatientOut]
    more: bool


class ComparisonOut(BaseModel):
    """One trait, ours and INSi's."""

    field: str
    local: str
    insi: str
    difference: Difference


class InsiCallOut(BaseModel):
    """One call of the journal, without the answer's content."""

    id: UUID
    at: datetime
    operation: str
    mode: CallMode
    code: str | None
    fault: str | None
    decision: str
    account_id: UUID | None
    ps_idnat: str | None
    struct_idnat: str | None


class BlockedOut(BaseModel):
    """Why an answer may not be imported."""

    code: str
    title: str
    detail: str
    rem: list[str]


class RetrievalOut(BaseModel):
    """What INSi answered, beside what we hold. `retrieval_id` is null when nothing is to accept."""

    code: str | None
    retrieval_id: UUID | None
    comparison: list[ComparisonOut]
    first_given_alert: bool
    blocked: BlockedOut | None
    calls: list[InsiCallOut]


class VerificationOut(BaseModel):
    """What the verification says, and the record after it."""

    result: Verdict
    calls: list[InsiCallOut]
    patient: PatientOut


class DocumentTypeOut(BaseModel):
    """One document the site accepts, and how far it is trusted."""

    code: str
    label: str
    trust: str
    minors_only: bool


class DocumentOut(BaseModel):
    """A document on record."""

    id: UUID
    type: str
    trust: str
    validated: bool
    expires_on: date | None
    recorded_at: datetime
    patient: PatientOut


class HistoryOut(BaseModel):
    """One event of an identity."""

    at: datetime
    event: Event
    from_status: Status | None
    to_status: Status
    reason: str
    account_id: UUID | None
    ps_idnat: str | None
    evidence: dict[str, str]
    changed_fields: list[str]


def shown(patient: Patient, extra: Collection[BannerField], *, ins_right: bool) -> PatientOut:
    """Return *patient* for JSON; the INS only through the gate and with the right to see it.

    *extra* are the fields the site adds to the banner.
    """
    ins = ins_to_output(patient.identity) if ins_right else None
    traits = patient.traits
    return PatientOut(
        id=patient.id,
        ipp=patient.ipp,
        ipp_oid=patient.ipp_oid,
        version=patient.version,
        status=Status(patient.status),
        attributes=[Attribute(one) for one in patient.attributes],
        birth_family=traits.birth_family,
        birth_given_names=list(traits.birth_given_names),
        first_birth_given=traits.first_birth_given,
        birth_date=traits.birth_date,
        sex=traits.sex.value,
        birth_place=traits.birth_place,
        used_family=traits.used_family,
        used_given=traits.used_given,
        ins=InsOut(matricule=ins.matricule, oid=ins.oid, nature=nature_of(ins)) if ins else None,
        locked_fields=[
            LockedField(
                field=field, reason=_NEVER_TYPED if field.startswith("ins_") else _LOCK_REASON
            )
            for field in locked_fields(Status(patient.status))
        ],
        address=patient.identity.address,
        phone=patient.phone,
        billing_number_recorded=patient.billing_number is not None,
        to_review=patient.to_review,
        banner=[
            BannerOut.model_validate(line, from_attributes=True)
            for line in banner(traits, ins, extra)
        ],
        created_at=patient.created_at,
        updated_at=patient.updated_at,
    )


def call_shown(call: InsiCall) -> InsiCallOut:
    """Return one call for JSON: no trait, no number."""
    return InsiCallOut.model_validate(call, from_attributes=True)


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


def document_shown(document: IdentityDocument, patient: PatientOut) -> DocumentOut:
    """Return one document and the record it leads to."""
    return DocumentOut(
        id=document.id,
        type=document.type,
        trust=document.trust,
        validated=document.validated,
        expires_on=document.expires_on,
        recorded_at=document.recorded_at,
        patient=patient,
    )


def history_shown(row: IdentityHistory) -> HistoryOut:
    """Return one event for JSON: the names of changed fields, not their values."""
    return HistoryOut(
        at=row.at,
        event=Event(row.event),
        from_status=Status(row.from_status) if row.from_status else None,
        to_status=Status(row.to_status),
        reason=row.reason,
        account_id=row.account_id,
        ps_idnat=row.ps_idnat,
        evidence=row.evidence,
        changed_fields=sorted(row.changes),
    )
