"""A FHIR Patient received: what it asks of a record, and what it may not ask. Pure.

Nothing is dropped in silence: an element that a record cannot hold is refused. What only this
server writes may come back as it was given, and not otherwise. Entry rules of traits are those of
the JSON API (`ris.identity.schemas`, `ris.identity.traits`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from ris.identity.matricule import oid_problem, require_valid
from ris.identity.schemas import PatientEdit
from ris.identity.values import Ins
from ris.interop.fhir import vocabulary as fr
from ris.interop.fhir.errors import (
    InsNotAccepted,
    InsNotQualified,
    NotKept,
    ReadOnly,
    StatusComputed,
)
from ris.interop.fhir.vocabulary import Json

_KEPT: Final = frozenset(
    {"resourceType", "id", "meta", "text", "language", "extension", "identifier", "active", "name",
     "telecom", "gender", "birthDate", "address", "link"}
)  # fmt: skip
_KEPT_OF: Final = {
    "name": frozenset({"id", "extension", "use", "text", "family", "given"}),
    "telecom": frozenset({"id", "system", "value", "use", "rank"}),
    "address": frozenset(
        {"id", "use", "type", "text", "line", "city", "postalCode", "country"}
    ),
}  # fmt: skip
_EXTENSIONS: Final = frozenset({fr.RELIABILITY, fr.BIRTH_PLACE, fr.DATE_CORRECTED})
_MESSAGE: Final = "Le dossier ne conserve pas cet élément."
_ALONE: Final = "Le dossier n'en conserve qu'un."


def read(body: Json, current: Json, *, production: bool, reason: str = "") -> PatientEdit:
    """Return what *body* asks, as the JSON API would receive it: every trait, every contact.

    *current* is the resource as this caller sees it now, or what a creation starts from. Raises
    `NotKept`, `ReadOnly`, `StatusComputed`, the errors of a matricule, `InsNotQualified`,
    `InsNotAccepted`, `RequestValidationError` (lengths); traits are judged later.
    """
    if problems := list(_not_kept(body)):
        raise NotKept(errors=problems)
    _check_ins(body, current, production=production)
    _check_status(body, current)
    if problems := list(_read_only(body, current)):
        raise ReadOnly(errors=problems)
    fields = {**_traits(body), **_contact(body), "reason": reason}
    try:
        return PatientEdit.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False)) from None


def blank() -> Json:
    """Return what a creation starts from: an active, provisoire record that has no identifier."""
    status = {"url": "identityStatus", "valueCoding": {"system": fr.STATUS, "code": "PROV"}}
    return {"active": True, "extension": [{"url": fr.RELIABILITY, "extension": [status]}]}


def _not_kept(body: Json) -> Iterator[Json]:
    for name in sorted(body.keys() - _KEPT):
        yield _problem(f"Patient.{name}", _MESSAGE)
    for name, kept in _KEPT_OF.items():
        for at, one in enumerate(body.get(name, ())):
            for part in sorted(one.keys() - kept):
                yield _problem(f"Patient.{name}[{at}].{part}", _MESSAGE)
    for at, one in enumerate(body.get("extension", ())):
        if one.get("url") not in _EXTENSIONS:
            yield _problem(f"Patient.extension[{at}]", _MESSAGE)
    for at, one in enumerate(body.get("telecom", ())):
        if one.get("system") != "phone":
            yield _problem(f"Patient.telecom[{at}].system", "Seul un téléphone est conservé.")
    for name in ("telecom", "address"):
        if len(body.get(name, ())) > 1:
            yield _problem(f"Patient.{name}", _ALONE)
    yield from _not_kept_names(body.get("name", ()))


def _not_kept_names(names: Sequence[Json]) -> Iterator[Json]:
    uses = [name.get("use") for name in names]
    for at, name in enumerate(names):
        if uses[at] not in ("official", "usual"):
            message = "Nom de naissance : official ; nom utilisé : usual."
            yield _problem(f"Patient.name[{at}].use", message)
        elif uses.index(uses[at]) < at:
            yield _problem(f"Patient.name[{at}]", _ALONE)
        for position, extension in enumerate(name.get("extension", ())):
            if extension.get("url") != fr.BIRTH_LIST:
                yield _problem(f"Patient.name[{at}].extension[{position}]", _MESSAGE)


def _is_ins(identifier: Json) -> bool:
    """Say whether an identifier is given as an INS: by its type, else by its system (trap T1)."""
    codes = _codes(identifier.get("type"))
    if codes & {fr.BILLING, fr.IPP, "INS-C"}:
        return False
    return any(code.startswith("INS") for code in codes) or _oid(identifier) in fr.INS_SLICES


def _check_ins(body: Json, current: Json, *, production: bool) -> None:
    """Refuse every INS but the one that the caller was shown of this very record (R-MAT-04)."""
    shown = {_ins(one) for one in current.get("identifier", ()) if _is_ins(one)}
    for one in body.get("identifier", ()):
        ins = _ins(one)
        if not _is_ins(one) or ins in shown:
            continue
        if problem := oid_problem(ins.oid, production=production):
            raise problem
        require_valid(ins.matricule)
        if _claimed(body, with_ins=True) != "QUAL":
            raise InsNotQualified("Une INS n'accompagne qu'une identité qualifiée.")
        raise InsNotAccepted(
            "Il vient d'INSi, ou d'un flux HL7 PAM sous contrat de confiance : retirez-le."
        )


def _ins(identifier: Json) -> Ins:
    return Ins(str(identifier.get("value", "")).upper(), _oid(identifier))


def _check_status(body: Json, current: Json) -> None:
    """Refuse a status that is not the record's, in the words of either version of FR Core."""
    said, held = _status(body), _status(current)
    if said is None or said == held:
        return
    if held is None or _claimed(body, with_ins=bool(_shows_ins(body))) != _claimed(
        current, with_ins=bool(_shows_ins(current))
    ):
        raise StatusComputed("Enregistrez une pièce d'identité ou interrogez INSi.")


def _claimed(resource: Json, *, with_ins: bool) -> str:
    """Return the status told, in the four codes of the RNIV; VALI meant "with INS" before 2.2."""
    system, code = _status(resource) or ("", "")
    old = system != fr.STATUS
    return "QUAL" if old and code == "VALI" and with_ins else code


def _status(resource: Json) -> tuple[str, str] | None:
    for part in _reliability(resource):
        if part.get("url") == "identityStatus":
            said = part.get("valueCoding", {})
            return said.get("system", ""), said.get("code", "")
    return None


def _shows_ins(resource: Json) -> list[Json]:
    return [one for one in resource.get("identifier", ()) if _is_ins(one)]


def _read_only(body: Json, current: Json) -> Iterator[Json]:
    """Yield what *body* changes of the elements that this server alone writes."""
    ours = [_key(one) for one in current.get("identifier", ())]
    for at, one in enumerate(body.get("identifier", ())):
        dropped = _codes(one.get("type")) & {fr.BILLING, "INS-C"} or _is_ins(one)
        if not dropped and _key(one) not in ours:
            yield _problem(
                f"Patient.identifier[{at}]",
                "Identifiant non conservé : l'IPP est attribué par ce serveur.",
            )
    if body.get("active", current["active"]) != current["active"]:
        yield _problem("Patient.active", "Un dossier ne cesse d'être actif que par une fusion.")
    if body.get("link", []) and _linked(body) != _linked(current):
        yield _problem("Patient.link", "Les dossiers se lient par une fusion.")
    told = {code for code in _comments(body) if code}
    if told and told != set(_comments(current)):
        yield _problem("Patient.extension", "Un attribut d'identité se pose par son propre appel.")
    corrected = _corrected(body)
    if corrected is not None and corrected != (_corrected(current) or False):
        yield _problem("Patient.extension", "Une date interprétée ne se déclare pas.")


def _key(identifier: Json) -> tuple[str, str]:
    return identifier.get("system", ""), identifier.get("value", "")


def _linked(resource: Json) -> set[tuple[str, str]]:
    return {
        (one.get("other", {}).get("reference", ""), one.get("type", ""))
        for one in resource.get("link", ())
    }


def _comments(resource: Json) -> list[str]:
    return [
        code
        for part in _reliability(resource)
        if part.get("url") == "comment"
        for code in _codes(part.get("valueCodeableConcept"))
    ]


def _corrected(resource: Json) -> bool | None:
    found = _extension(resource, fr.DATE_CORRECTED)
    return found.get("valueBoolean") if found else None


def _traits(body: Json) -> dict[str, str]:
    """Return the eight traits as typed, empty where the resource has none."""
    names: dict[str, Json] = {name["use"]: name for name in body.get("name", ())}
    birth, used = names.get("official", {}), names.get("usual", {})
    given = birth.get("given") or [""]
    listed = _extension(birth, fr.BIRTH_LIST)
    place = _extension(body, fr.BIRTH_PLACE).get("valueAddress", {})
    gender = body.get("gender", "")
    return {
        "birth_family": birth.get("family", ""),
        "first_birth_given": given[0],
        "birth_given_names": listed.get("valueString", "") or " ".join(given).strip(),
        "birth_date": body.get("birthDate", ""),
        "sex": fr.SEXES.get(gender, gender),
        "birth_place": _extension(place, fr.INSEE_CODE).get("valueCoding", {}).get("code", ""),
        "used_family": used.get("family", ""),
        "used_given": " ".join(used.get("given", ())),
    }


def _contact(body: Json) -> dict[str, Any]:
    """Return phone, address and billing number; the two first are emptied where absent."""
    phones, homes = body.get("telecom", ()), body.get("address", ())
    home = homes[0] if homes else {}
    fields: dict[str, Any] = {
        "phone": phones[0].get("value", "") if phones else "",
        "address": {
            "lines": home.get("line", []),
            "postal_code": home.get("postalCode", ""),
            "city": home.get("city", ""),
            "country": home.get("country", ""),
        },
    }
    for one in body.get("identifier", ()):
        if fr.BILLING in _codes(one.get("type")):
            fields["billing_number"] = one.get("value", "")
    return fields


def _reliability(resource: Json) -> Sequence[Json]:
    parts: Sequence[Json] = _extension(resource, fr.RELIABILITY).get("extension", ())
    return parts


def _extension(element: Mapping[str, Any], url: str) -> Json:
    found: Json = next((one for one in element.get("extension", ()) if one["url"] == url), {})
    return found


def _codes(concept: Json | None) -> set[str]:
    return {one.get("code", "") for one in (concept or {}).get("coding", ())}


def _oid(identifier: Json) -> str:
    return fr.oid_of(identifier.get("system", ""))


def _problem(expression: str, message: str) -> Json:
    return {"pointer": expression, "code": "FHIR_ELEMENT", "message": message}
