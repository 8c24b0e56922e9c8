"""A patient record as a FHIR R4 Patient of FR Core: outbound only, pure (ins.md §9).

The INS passes by `rules.ins_to_output` alone; the INS profile is claimed only where it is shown.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from ris.auth.values import Address
from ris.core import clock
from ris.identity.rules import ins_to_output
from ris.identity.values import Ins, PatientIdentity, Status, Traits
from ris.interop.fhir import vocabulary as fr
from ris.interop.fhir.record import Facts
from ris.interop.fhir.vocabulary import Json
from ris.rem import satisfies

_FROM_INSI: Final = (Status.RECUPEREE, Status.QUALIFIEE)
_CHECKED: Final = (Status.VALIDEE, Status.QUALIFIEE)


@satisfies("RIS.INS.37")
def patient(
    identity: PatientIdentity, facts: Facts, *, ins_right: bool, fr_core: str = "2.2"
) -> Json:
    """Return the Patient resource that a caller may see; its INS only with *ins_right*.

    A resource whose INS is held back says so (`meta.tag` SUBSETTED).
    """
    may = ins_to_output(identity)
    ins = may if ins_right else None
    made: Json = {
        "resourceType": "Patient",
        "id": str(identity.id),
        "meta": _meta(facts, shown=ins is not None, held_back=may is not None and ins is None),
        "extension": list(_extensions(identity, facts, fr_core)),
        "identifier": list(_identifiers(identity, facts, ins)),
        "active": facts.survivor is None,
        "name": list(_names(identity.traits)),
        "telecom": [{"system": "phone", "value": identity.phone}] if identity.phone else [],
        "gender": fr.GENDERS[identity.traits.sex],
        "birthDate": identity.traits.birth_date.isoformat(),
        "address": _address(identity.address),
        "link": list(_links(facts)),
    }
    return {name: value for name, value in made.items() if value != []}


def _meta(facts: Facts, *, shown: bool, held_back: bool) -> Json:
    profile = [fr.PROFILE_INS] if shown else [fr.PROFILE]
    meta: Json = {
        "versionId": str(facts.version),
        "lastUpdated": instant(facts.updated_at),
        "profile": profile,
    }
    return meta | {"tag": [dict(fr.SUBSETTED)]} if held_back else meta


def _extensions(identity: PatientIdentity, facts: Facts, fr_core: str) -> Iterator[Json]:
    yield {"url": fr.RELIABILITY, "extension": list(_reliability(identity, facts, fr_core))}
    place = {"url": fr.INSEE_CODE, "valueCoding": coding(fr.COG, identity.traits.birth_place)}
    yield {"url": fr.BIRTH_PLACE, "valueAddress": {"extension": [place]}}
    if facts.interpreted:
        yield {"url": fr.DATE_CORRECTED, "valueBoolean": True}


def _reliability(identity: PatientIdentity, facts: Facts, fr_core: str) -> Iterator[Json]:
    recent = fr_core != "2.1"
    if recent:
        yield {"url": "lastUpdated", "valueDateTime": instant(facts.since)}
    if facts.method:
        yield {"url": "methodCollection", "valueCoding": coding(fr.METHOD, facts.method)}
    if recent and facts.queried_on and identity.status in _FROM_INSI:
        yield {"url": "dateInterrogationINSi", "valueDate": facts.queried_on.isoformat()}
    yield {"url": "identityStatus", "valueCoding": status_coding(identity.status, fr_core)}
    for code in comments(identity, facts):
        concept = {"coding": [coding(fr.COMMENT if recent else fr.TABLE_0445, code)]}
        yield {"url": "comment", "valueCodeableConcept": concept}
    if facts.checked and identity.status in _CHECKED:
        document, day = facts.checked
        yield {"url": "validationDate", "valueDate": day.isoformat()}
        if document in fr.VALIDATION_MODES:
            yield {"url": "validationMode", "valueCoding": coding(fr.VALIDATION, document)}


def status_coding(status: Status, fr_core: str) -> Json:
    """Return the status in the words of *fr_core*.

    Before 2.2, VALI means "with INS" and the rest is PROV (invariant fr-core-1, trap T2).
    """
    if fr_core == "2.1":
        return coding(fr.TABLE_0445, "VALI" if status is Status.QUALIFIEE else "PROV")
    return coding(fr.STATUS, fr.STATUS_CODES[status])


def comments(identity: PatientIdentity, facts: Facts) -> tuple[str, ...]:
    """Return the codes beside the status: RNIV attributes; an absorbed record is deactivated."""
    held = tuple(fr.ATTRIBUTE_CODES[one] for one in sorted(identity.attributes))
    return (*held, *fr.ABSORBED_CODES) if facts.survivor else held


def _identifiers(identity: PatientIdentity, facts: Facts, ins: Ins | None) -> Iterator[Json]:
    yield _identifier("usual", fr.V2_0203, fr.IPP, identity.ipp_oid, identity.ipp)
    for _, ipp in facts.absorbed:
        yield _identifier("old", fr.V2_0203, fr.IPP, identity.ipp_oid, ipp)
    if ins is not None:
        code, use = fr.INS_SLICES[ins.oid]
        yield _identifier(use, fr.FR_0203, code, ins.oid, ins.matricule)


def _identifier(use: str, types: str, code: str, oid: str, value: str) -> Json:
    kind = {"coding": [coding(types, code)]}
    return {"use": use, "type": kind, "system": fr.urn(oid), "value": value}


def _names(traits: Traits) -> Iterator[Json]:
    listed = {"url": fr.BIRTH_LIST, "valueString": " ".join(traits.birth_given_names)}
    yield {
        "extension": [listed],
        "use": "official",
        "family": traits.birth_family,
        "given": [traits.first_birth_given],
    }
    if traits.used_family or traits.used_given:
        used: Json = {"use": "usual"}
        if traits.used_family:
            used["family"] = traits.used_family
        if traits.used_given:
            used["given"] = [traits.used_given]
        yield used


def _address(address: Address) -> list[Json]:
    told = {
        "line": [line for line in address.lines if line],
        "city": address.city,
        "postalCode": address.postal_code,
        "country": address.country,
    }
    kept = {name: value for name, value in told.items() if value}
    return [{"use": "home", **kept}] if kept else []


def _links(facts: Facts) -> Iterator[Json]:
    if facts.survivor is not None:
        yield _link(facts.survivor, "replaced-by")
    for absorbed, _ in facts.absorbed:
        yield _link(absorbed, "replaces")


def _link(other: UUID, kind: str) -> Json:
    return {"other": {"reference": f"Patient/{other}"}, "type": kind}


def coding(system: str, code: str) -> Json:
    """Return a FHIR Coding."""
    return {"system": system, "code": code}


def instant(at: datetime) -> str:
    """Return a FHIR instant or dateTime, with the offset of French legal time."""
    return at.astimezone(clock.PARIS).isoformat(timespec="milliseconds")
