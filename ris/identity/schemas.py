"""The JSON of a patient record. The INS leaves by `shown` only, through the single gate."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from ris.auth.values import Address
from ris.core.text import SEVERAL_LINES
from ris.identity.banner import BannerField, banner
from ris.identity.entry import Contact
from ris.identity.matricule import nature_of
from ris.identity.model import IdentityDocument, IdentityHistory, Patient
from ris.identity.review.reasons import LABELS, ReviewReason
from ris.identity.rules import ins_to_output, locked_fields
from ris.identity.states import Event
from ris.identity.traits import TypedTraits
from ris.identity.values import Attribute, Status
from ris.web.moments import Day

_LOCK_REASON: Final = "Trait issu d'INSi : modification réservée aux personnes habilitées."
_NEVER_TYPED: Final = "Champ jamais saisi : rempli par INSi."
_NAME_RULE: Final = "majuscules sans accent, trait d'union, apostrophe, espace ; 100 caractères"
Account = Annotated[UUID | None, Field(description="Compte de la personne ; null : le logiciel")]
PsIdNat = Annotated[
    str | None, Field(description="Identifiant national du professionnel (PS_IdNat)")
]
Instant = Annotated[datetime, Field(description="Date et heure, avec fuseau")]
Reason = Annotated[
    str, Field(max_length=500, pattern=SEVERAL_LINES, description="Motif, porté à l'historique")
]


class Body(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class AddressIn(Body):
    """Une adresse postale."""

    lines: list[str] = Field(
        default_factory=list, description="Lignes d'adresse, 5 au plus", examples=[["1 RUE HAUTE"]]
    )
    postal_code: str = Field("", description="Code postal", examples=["69003"])
    city: str = Field("", description="Commune", examples=["LYON"])
    country: str = Field("", description="Pays, vide pour la France")

    def value(self) -> Address:
        """Return the plain value."""
        return Address(tuple(self.lines), self.postal_code, self.city, self.country)


class _TraitsIn(Body):
    """The traits and contact details a user may type; faults are reported by the entry rules."""

    birth_family: str = Field(
        "", description=f"Nom de naissance : {_NAME_RULE}", examples=["EXEMPLE"]
    )
    first_birth_given: str = Field(
        "", description=f"Premier prénom de naissance : {_NAME_RULE}", examples=["CAMILLE"]
    )
    birth_date: str = Field(
        "", description="Date de naissance réelle, AAAA-MM-JJ", examples=["1990-01-31"]
    )
    sex: str = Field("", description="Sexe : F, M, ou I si indéterminé", examples=["F"])
    birth_place: str = Field(
        "",
        description="Code INSEE (COG) du lieu de naissance : commune, 99 + pays, ou 99999 si "
        "inconnu. Ce n'est pas un code postal.",
        examples=["69383"],
    )
    birth_given_names: str = Field(
        "",
        description="Liste des prénoms de naissance séparés par des espaces ; commence par le "
        "premier prénom, qui en tient lieu si elle est absente",
        examples=["CAMILLE ANNE"],
    )
    used_family: str = Field("", description="Nom utilisé, s'il diffère", examples=["MODELE"])
    used_given: str = Field("", description="Prénom utilisé, s'il diffère", examples=["CAM"])
    address: AddressIn | None = Field(None, description="Adresse ; absente : inchangée")
    phone: str | None = Field(
        None, description="Téléphone, 30 caractères au plus", examples=["+33 1 99 00 12 34"]
    )
    billing_number: str | None = Field(
        None,
        description="Numéro de sécurité sociale de facturation, 15 caractères au plus ; "
        "vide pour l'effacer",
    )

    def typed(self) -> TypedTraits:
        """Return the traits as typed."""
        return TypedTraits(**self.model_dump(include=set(TypedTraits.__dataclass_fields__)))

    def contact(self) -> Contact:
        """Return what is not a trait."""
        address = self.address.value() if self.address else None
        return Contact(address, self.phone, self.billing_number)


class PatientIn(_TraitsIn):
    """Un dossier à créer : cinq traits obligatoires, le reste facultatif."""

    degraded: StrictBool = Field(
        False,
        description="Création locale d'urgence, quand le référentiel d'identités est externe et "
        "injoignable ; à rapprocher ensuite par une fusion. Refusée sur un site référentiel.",
    )


class PatientEdit(_TraitsIn):
    """Les champs à modifier : ceux qui sont absents restent en l'état."""

    reason: Reason = ""

    def changed(self) -> dict[str, str]:
        """Return the traits named in the request."""
        return self.model_dump(include=set(TypedTraits.__dataclass_fields__), exclude_unset=True)


class SearchIn(Body):
    """Un critère qui ne doit pas figurer dans une adresse : le matricule INS complet."""

    matricule: str = Field(
        description="Matricule INS complet : 15 caractères, clé comprise et contrôlée avant toute "
        "recherche",
        examples=["290016938300197"],
    )


class DocumentIn(Body):
    """Le titre présenté : son type dans la liste du site. Ni numéro ni image."""

    type: str = Field(
        max_length=8, description="Code du titre (GET /v1/identity-documents)", examples=["PA"]
    )
    validate_identity: StrictBool = Field(
        False, description="Vrai : valide l'identité, si le titre est de haut niveau de confiance"
    )
    expires_on: Day | None = Field(
        None, description="Fin de validité ; un titre expiré est enregistré sans rien valider"
    )
    companion: str | None = Field(
        None, max_length=8, description="Titre du parent, pour certains titres de mineur"
    )


class AttributeIn(Body):
    """Pourquoi un attribut est posé."""

    reason: Reason = ""


class AddressOut(BaseModel):
    """L'adresse du patient."""

    model_config = ConfigDict(from_attributes=True)

    lines: list[str] = Field(description="Lignes d'adresse")
    postal_code: str = Field(description="Code postal")
    city: str = Field(description="Commune")
    country: str = Field(description="Pays, vide pour la France")


class InsOut(BaseModel):
    """Une INS qui peut être montrée, sa nature en clair."""

    matricule: str = Field(description="Matricule INS, 15 caractères", examples=["290016938300197"])
    oid: str = Field(description="Autorité d'affectation", examples=["1.2.250.1.213.1.4.10"])
    nature: str = Field(description="NIR ou NIA, à afficher après le matricule")


class LockedField(BaseModel):
    """Un champ que l'écran doit montrer verrouillé, et pourquoi."""

    field: str = Field(description="Nom du champ")
    reason: str = Field(description="Explication à afficher")


class BannerOut(BaseModel):
    """Une ligne du bandeau d'identité, à afficher telle quelle."""

    field: str = Field(description="Nom du champ")
    label: str = Field(description="Libellé", examples=["Nom de naissance"])
    value: str = Field(description="Valeur prête à lire", examples=["EXEMPLE"])


class ReviewOut(BaseModel):
    """Pourquoi l'identité est à revoir."""

    reason: ReviewReason = Field(description="Code du motif")
    label: str = Field(description="Motif, à afficher tel quel")
    since: Instant


class PatientOut(BaseModel):
    """Le dossier tel que l'appelant peut le voir."""

    id: UUID = Field(description="Identifiant technique du dossier")
    ipp: str = Field(description="Identifiant permanent du patient (IPP)", examples=["0000000042"])
    ipp_oid: str = Field(description="Domaine d'identification de l'IPP (OID)")
    version: int = Field(description="Version lue, à renvoyer dans If-Match")
    status: Status = Field(description="Statut calculé, jamais posé par un appel")
    attributes: list[Attribute] = Field(description="homonyme, douteuse, fictive")
    birth_family: str = Field(description="Nom de naissance")
    birth_given_names: list[str] = Field(description="Prénoms de naissance, dans l'ordre")
    first_birth_given: str = Field(description="Premier prénom de naissance")
    birth_date: date = Field(description="Date de naissance")
    sex: str = Field(description="F, M ou I")
    birth_place: str = Field(description="Code INSEE du lieu de naissance")
    used_family: str = Field(description="Nom utilisé, vide s'il n'y en a pas")
    used_given: str = Field(description="Prénom utilisé, vide s'il n'y en a pas")
    ins: InsOut | None = Field(
        description="Identité qualifiée et droit de voir l'INS ; null dans tout autre cas, dans "
        "toute liste, et dans toute réponse gardée sous une Idempotency-Key"
    )
    locked_fields: list[LockedField] = Field(description="Champs verrouillés, et pourquoi")
    address: AddressOut = Field(description="Adresse")
    phone: str = Field(description="Téléphone")
    billing_number_recorded: bool = Field(
        description="Un numéro de facturation est enregistré ; il n'est jamais redonné"
    )
    to_review: bool = Field(description="Dans la liste des identités à revoir")
    review: list[ReviewOut] = Field(description="Motifs de revue, du plus ancien au plus récent")
    banner: list[BannerOut] = Field(description="Bandeau à afficher sur chaque écran patient")
    merged_into_id: UUID | None = Field(description="Dossier qui a absorbé celui-ci")
    created_at: Instant
    updated_at: Instant


class DocumentTypeOut(BaseModel):
    """Un titre accepté par le site, et la confiance qu'on lui accorde."""

    code: str = Field(description="Code du titre", examples=["PA"])
    label: str = Field(description="Libellé", examples=["Passeport"])
    trust: str = Field(description="high : peut valider une identité ; low : ne le peut pas")
    minors_only: bool = Field(
        description="N'est admis que pour un mineur, avec le titre d'un parent"
    )


class DocumentOut(BaseModel):
    """Un titre enregistré, et le dossier qui en résulte."""

    id: UUID = Field(description="Identifiant de l'enregistrement")
    type: str = Field(description="Code du titre")
    trust: str = Field(description="Confiance accordée alors : high ou low")
    validated: bool = Field(description="A validé l'identité")
    expires_on: date | None = Field(description="Fin de validité")
    recorded_at: Instant
    patient: PatientOut = Field(description="Le dossier après l'acte")


class HistoryOut(BaseModel):
    """Un événement de l'identité."""

    at: Instant
    event: Event = Field(description="Ce qui s'est passé")
    from_status: Status | None = Field(description="Statut précédent ; null à la création")
    to_status: Status = Field(description="Statut qui en résulte")
    reason: str = Field(description="Motif donné")
    account_id: Account
    ps_idnat: PsIdNat
    evidence: dict[str, str] = Field(description="Pièces : codes et identifiants d'actes")
    changed_fields: list[str] = Field(description="Champs modifiés, sans leurs valeurs")


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
        address=AddressOut.model_validate(patient.identity.address),
        phone=patient.phone,
        billing_number_recorded=patient.billing_number is not None,
        to_review=bool(patient.review),
        review=[
            ReviewOut(reason=reason, label=LABELS[reason], since=since)
            for reason, since in _reviewed(patient)
        ],
        banner=[
            BannerOut.model_validate(line, from_attributes=True)
            for line in banner(traits, ins, extra)
        ],
        merged_into_id=patient.merged_into_id,
        created_at=patient.created_at,
        updated_at=patient.updated_at,
    )


def _reviewed(patient: Patient) -> list[tuple[ReviewReason, datetime]]:
    told = [(ReviewReason(r), datetime.fromisoformat(at)) for r, at in patient.review.items()]
    return sorted(told, key=lambda one: one[1])


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
