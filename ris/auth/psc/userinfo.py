"""What Pro Santé Connect says of a person, read from the userinfo claims (auth.md §3.5).

Pure and lenient: unknown fields are ignored, missing ones are empty, a malformed activity becomes
unusable. Only the absence of SubjectNameID is an error. No token check and no database here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ris.auth.errors import PscProtocolError
from ris.auth.identifiers import PersonKind, StructureId, StructureKind, is_rpps, person, structure
from ris.auth.values import Address

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Activity:
    """One situation d'exercice: an exercise (profession, savoir-faire) at one workplace."""

    profession: str
    category: str
    specialty: str
    title: str
    family: str
    given: str
    mode: str
    sector: str
    structure: StructureId
    technical_id: str
    name: str
    address: Address
    phone: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what makes two activities the same one (auth.md §3.5, last rule)."""
        place = self.structure.value or self.technical_id or self.name
        return self.profession, self.specialty, place, self.mode


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercice professionnel with its activities, in the order given."""

    profession: str
    category: str
    specialty: str
    activities: tuple[Activity, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """The person behind the claims; *other_ids* are `(origine, identifiant)` pairs."""

    subject_name_id: str
    rpps: str | None
    family: str
    given: str
    other_ids: tuple[tuple[str, str], ...]
    exercises: tuple[Exercise, ...]

    def situations(self) -> tuple[Activity, ...]:
        """Return the activities once each, in order of first appearance."""
        every = [activity for exercise in self.exercises for activity in exercise.activities]
        return tuple({activity.key: activity for activity in reversed(every)}.values())[::-1]


def parse(claims: Claims) -> Identity:
    """Return the identity told by *claims*; raises PscProtocolError without SubjectNameID."""
    subject = _text(claims, "SubjectNameID")
    if not subject or len(subject) > 64:
        raise PscProtocolError("userinfo_no_subject")
    others = tuple(
        (origin := _text(entry, "origine"), _identifier(origin, _text(entry, "identifiant")))
        for entry in _objects(claims.get("otherIds"))
    )
    reference = claims.get("SubjectRefPro")
    listed = reference.get("exercices") if isinstance(reference, Mapping) else None
    return Identity(
        subject_name_id=subject,
        rpps=_rpps(subject, others),
        family=_text(claims, "family_name"),
        given=_text(claims, "given_name"),
        other_ids=others,
        exercises=tuple(_exercise(entry) for entry in _objects(listed)),
    )


def resolve_structure(activity: Claims) -> StructureId:
    """Return the Struct_IdNat of one activity, first candidate with a right key (AUTH-20).

    The directory and the administrator's entry (steps 4 and 5) are not consulted here.
    """
    former = structure(_text(activity, "ancienIdentifiantDeLaStructure"))
    if former.valid:
        return former
    for prefix, field in (("1", "numeroFinessSite"), ("3", "numeroSiretSite")):
        raw = _text(activity, field)
        candidate = structure(prefix + raw if raw else "")
        if candidate.valid and not (prefix == "3" and raw.startswith("000000000")):
            return candidate
    return StructureId("", StructureKind.MISSING, "", valid=False)


def _rpps(subject: str, others: tuple[tuple[str, str], ...]) -> str | None:
    """Return the RPPS of the subject, else the one listed among the other identifiers."""
    for candidate in (subject, *(value for origin, value in others if origin == "RPPS")):
        kind, rpps = person(candidate)
        if kind is PersonKind.RPPS:
            return rpps
    return None


def _identifier(origin: str, value: str) -> str:
    """Return *value*; an RPPS told without its type character takes it (auth.md §2.1)."""
    return f"8{value}" if origin == "RPPS" and is_rpps(value) else value


def _exercise(entry: Claims) -> Exercise:
    return Exercise(
        profession=_text(entry, "codeProfession"),
        category=_text(entry, "codeCategorieProfessionnelle"),
        specialty=_text(entry, "codeSavoirFaire"),
        activities=tuple(_activity(entry, item) for item in _objects(entry.get("activities"))),
    )


def _activity(exercise: Claims, entry: Claims) -> Activity:
    return Activity(
        profession=_text(exercise, "codeProfession"),
        category=_text(exercise, "codeCategorieProfessionnelle"),
        specialty=_text(exercise, "codeSavoirFaire"),
        title=_text(exercise, "codeCiviliteDexercice"),
        family=_text(exercise, "nomDexercice"),
        given=_text(exercise, "prenomDexercice"),
        mode=_text(entry, "codeModeExercice"),
        sector=_text(entry, "codeSecteurDactivite"),
        structure=resolve_structure(entry),
        technical_id=_text(entry, "identifiantTechniqueDeLaStructure"),
        name=_text(entry, "raisonSocialeSite") or _text(entry, "enseigneCommercialeSite"),
        address=_address(entry),
        phone=_text(entry, "telephone"),
    )


def _address(entry: Claims) -> Address:
    parts = ("numeroVoie", "indiceRepetitionVoie", "codeTypeDeVoie", "libelleVoie")
    street = " ".join(filter(None, (_text(entry, part) for part in parts)))
    lines = tuple(filter(None, (_text(entry, "complementPointGeographique"), street)))
    code = _text(entry, "codePostal")
    city = _text(entry, "bureauCedex").removeprefix(code).strip()
    return Address(lines, code, city)


def _objects(value: object) -> Iterator[Claims]:
    listed = value if isinstance(value, list) else []
    return (item for item in listed if isinstance(item, Mapping))


def _text(source: Claims, name: str) -> str:
    value = source.get(name)
    return value.strip() if isinstance(value, str) else ""
