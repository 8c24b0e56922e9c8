"""What Pro Santé Connect says of a person, read from the userinfo claims (auth.md §3.5).

Pure and lenient: unknown fields are ignored, missing ones are empty, a malformed activity becomes
unusable, a text is cut where it is only shown. Only the absence of SubjectNameID and lists beyond
reason are errors. No token check and no database here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ris.auth.errors import PscProtocolError
from ris.auth.identifiers import PersonKind, StructureId, StructureKind, is_rpps, person, structure
from ris.auth.values import Address

Claims = Mapping[str, Any]
_MOST: Final = 200  # identifiers, exercises or activities of one person


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
    """Return the identity told by *claims*.

    Raises PscProtocolError `userinfo_no_subject`, or `userinfo_too_many` on more identifiers or
    activities than a person has.
    """
    subject = _exact(claims, "SubjectNameID")
    if not subject or len(subject) > 64:
        raise PscProtocolError("userinfo_no_subject")
    others = tuple(
        (origin := _code(entry, "origine", 64), _identifier(origin, _exact(entry, "identifiant")))
        for entry in _objects(claims.get("otherIds"))
    )
    reference = claims.get("SubjectRefPro")
    listed = reference.get("exercices") if isinstance(reference, Mapping) else None
    exercises = tuple(_exercise(entry) for entry in _objects(listed))
    activities = sum(len(one.activities) for one in exercises)
    if max(len(others), len(exercises), activities) > _MOST:
        raise PscProtocolError("userinfo_too_many")
    return Identity(
        subject_name_id=subject,
        rpps=_rpps(subject, others),
        family=_text(claims, "family_name"),
        given=_text(claims, "given_name"),
        other_ids=others,
        exercises=exercises,
    )


def resolve_structure(activity: Claims) -> StructureId:
    """Return the Struct_IdNat of one activity, first candidate with a right key (AUTH-20).

    The directory and the administrator's entry (steps 4 and 5) are not consulted here.
    """
    former = structure(_exact(activity, "ancienIdentifiantDeLaStructure"))
    if former.valid:
        return former
    for prefix, field in (("1", "numeroFinessSite"), ("3", "numeroSiretSite")):
        raw = _exact(activity, field)
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
        profession=_code(entry, "codeProfession", 8),
        category=_code(entry, "codeCategorieProfessionnelle", 8),
        specialty=_code(entry, "codeSavoirFaire", 16),
        activities=tuple(_activity(entry, item) for item in _objects(entry.get("activities"))),
    )


def _activity(exercise: Claims, entry: Claims) -> Activity:
    return Activity(
        profession=_code(exercise, "codeProfession", 8),
        category=_code(exercise, "codeCategorieProfessionnelle", 8),
        specialty=_code(exercise, "codeSavoirFaire", 16),
        title=_code(exercise, "codeCiviliteDexercice", 16),
        family=_text(exercise, "nomDexercice"),
        given=_text(exercise, "prenomDexercice"),
        mode=_code(entry, "codeModeExercice", 8),
        sector=_code(entry, "codeSecteurDactivite", 8),
        structure=resolve_structure(entry),
        technical_id=_code(entry, "identifiantTechniqueDeLaStructure", 64),
        name=_text(entry, "raisonSocialeSite", 200) or _text(entry, "enseigneCommercialeSite", 200),
        address=_address(entry),
        phone=_text(entry, "telephone", 32),
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


def _text(source: Claims, name: str, most: int = 100) -> str:
    """Return a text to show, cut at *most* characters, without what cannot be printed."""
    value = source.get(name)
    kept = "".join(filter(str.isprintable, value)) if isinstance(value, str) else ""
    return kept.strip()[:most]


def _exact(source: Claims, name: str) -> str:
    """Return an identifier as it is, empty when it holds what cannot be printed: never mended."""
    value = source.get(name)
    return value.strip() if isinstance(value, str) and value.strip().isprintable() else ""


def _code(source: Claims, name: str, most: int) -> str:
    """Return a code as it is, empty when longer than any code."""
    value = _exact(source, name)
    return value if len(value) <= most else ""
