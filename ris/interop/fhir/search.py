"""Search of Patients in FHIR words: parameters to criteria, what is found to a searchset Bundle.

The rules of the search (birth date first, whole matricule, site's limit) are those of
`ris.identity.search`; here is only what FHIR asks more: unknown parameters, links, pages.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from ris.core import clock, ids
from ris.identity.errors import SearchTooBroad
from ris.identity.matricule import oid_problem, require_valid
from ris.identity.model import Patient
from ris.identity.search import Criteria, Found
from ris.identity.values import Ins
from ris.interop.fhir import vocabulary as fr
from ris.interop.fhir.errors import BadParameter, InsInAddress
from ris.interop.fhir.mapping_patient import instant
from ris.interop.fhir.outcome import issue, outcome
from ris.interop.fhir.vocabulary import Json

# name: type and documentation of each parameter; the CapabilityStatement and OpenAPI say the same
PARAMETERS: Final = {
    "birthdate": ("date", "Date de naissance entière (AAAA-MM-JJ), égale ; à donner en premier."),
    "family": (
        "string",
        "Premières lettres du nom de naissance ou utilisé, avec la date de naissance ; accents, "
        "apostrophes et traits d'union ne comptent pas.",
    ),
    "given": ("string", "Premières lettres d'un prénom, avec la date de naissance."),
    "identifier": (
        "token",
        "Seul, sous la forme système|valeur : l'IPP (un IPP fusionné mène au dossier conservé), ou "
        "le matricule INS entier, clé contrôlée, par POST _search uniquement et avec le droit de "
        "voir l'INS.",
    ),
}
CONTROLS: Final = {
    "_count": "Dossiers par page ; 0 ne donne que le nombre.",
    "_cursor": "Suite d'une recherche : reprendre le lien `next`.",
    "_format": "json, ou application/fhir+json.",
}
_MUTE: Final = frozenset({"_format", "_pretty"})
_DATE: Final = re.compile(r"(?:eq)?([0-9]{4}-[0-9]{2}-[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search as read. *nothing*: no record can answer it (a system that is not ours).

    *ins* is the INS looked for; *ignored* the parameters left aside; *said* those used, for links.
    """

    criteria: Criteria = field(default_factory=Criteria)
    ins: Ins | None = None
    nothing: bool = False
    count: int | None = None
    cursor: UUID | None = None
    ignored: tuple[str, ...] = ()
    said: tuple[tuple[str, str], ...] = ()


def read(
    given: Iterable[tuple[str, str]], *, ipp_oid: str, production: bool, strict: bool, address: bool
) -> Wanted:
    """Return the search that the parameters *given* ask; *address* when they stand in a URL.

    Raises `BadParameter` (unknown ones too when *strict*), `SearchTooBroad`, `InsInAddress`,
    `InsKeyInvalid`, `InsTestOid`.
    """
    told, ignored = _sorted_out(given, strict=strict)
    named = {name: told[name] for name in told if name in PARAMETERS}
    if "identifier" in named and len(named) > 1:
        raise BadParameter("Cherchez par identifiant seul, ou par date de naissance et nom.")
    count, cursor = _count(told.get("_count")), _cursor(told.get("_cursor"))
    said = tuple(named.items()) + tuple((n, told[n]) for n in ("_count",) if n in told)
    if "identifier" in named:
        wanted = _by_identifier(named["identifier"], ipp_oid, production=production)
        if wanted.ins is not None and address:
            raise InsInAddress("Cherchez par POST /fhir/Patient/_search.")
        safe = () if wanted.ins else said
        return Wanted(wanted.criteria, wanted.ins, wanted.nothing, count, cursor, ignored, safe)
    criteria = Criteria(
        birth_date=_birth_date(named.get("birthdate")),
        name=named.get("family", ""),
        given=named.get("given", ""),
    )
    return Wanted(criteria, count=count, cursor=cursor, ignored=ignored, said=said)


def kept(found: Found, wanted: Wanted) -> Found:
    """Return *found* without a record that bears the number looked for under another authority."""
    if wanted.ins is None:
        return found
    same = tuple(one for one in found.patients if one.ins_oid == wanted.ins.oid)
    return Found(same, more=found.more)


def page(found: Found, wanted: Wanted, *, limit: int) -> tuple[Sequence[Patient], UUID | None]:
    """Return the records of the page asked for, and the cursor of the next one if any.

    Raises `BadParameter` when the record that the cursor names is no longer among those found.
    """
    rows = list(found.patients)
    if wanted.cursor is not None:
        places = [at for at, one in enumerate(rows) if one.id == wanted.cursor]
        if not places:
            raise BadParameter("Cette page n'existe plus : refaites la recherche.")
        rows = rows[places[0] + 1 :]
    size = limit if wanted.count is None else min(wanted.count, limit)
    more = 0 < size < len(rows)
    return rows[:size], rows[size - 1].id if more else None


def bundle(
    found: Found, wanted: Wanted, resources: Sequence[Json], following: UUID | None, *, base: str
) -> Json:
    """Return the searchset of one page; *base* is the address of the Patient endpoint.

    `total` is left out where the site's limit cut the list. What was ignored, or cut, is said.
    """
    after = (("_cursor", str(wanted.cursor)),) if wanted.cursor else ()
    links = [{"relation": "self", "url": _url(base, (*wanted.said, *after))}]
    if following is not None:
        url = _url(base, (*wanted.said, ("_cursor", str(following))))
        links.append({"relation": "next", "url": url})
    entries = [
        {"fullUrl": f"{base}/{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in resources
    ]
    if warnings := list(_warnings(found, wanted)):
        entries.append({"resource": outcome(warnings), "search": {"mode": "outcome"}})
    made: Json = {
        "resourceType": "Bundle",
        "id": str(ids.new()),
        "meta": {"lastUpdated": instant(clock.now())},
        "type": "searchset",
    }
    if not found.more:
        made["total"] = len(found.patients)
    return made | {"link": links} | ({"entry": entries} if entries else {})


def _warnings(found: Found, wanted: Wanted) -> Iterable[Json]:
    for name in wanted.ignored:
        text = f"Paramètre ignoré : {name}"
        yield issue(
            "warning", "not-supported", "FHIR_PARAMETER", "Paramètre ignoré", diagnostics=text
        )
    if found.more:
        text = "D'autres dossiers répondent : précisez la recherche."
        yield issue("warning", "incomplete", "SEARCH_CUT", "Liste incomplète", diagnostics=text)


def _sorted_out(
    given: Iterable[tuple[str, str]], *, strict: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the parameters we have, each once, and the names of the others."""
    told: dict[str, str] = {}
    ignored = []
    for name, value in given:
        plain, _, modifier = name.partition(":")
        if plain in PARAMETERS and modifier:
            raise BadParameter(f"Modificateur non pris en charge sur {plain}.")
        if name in _MUTE or not value:
            continue
        if name not in PARAMETERS and name not in CONTROLS:
            ignored.append(_safe(name))
        elif name in told or (name in PARAMETERS and "," in value):
            raise BadParameter(f"Une seule valeur pour {name}.")
        else:
            told[name] = value
    if ignored and strict:
        raise BadParameter("Paramètre inconnu : " + ", ".join(ignored))
    return told, tuple(ignored)


def _safe(name: str) -> str:
    """Return the name of an unknown parameter without what it might hold of a patient."""
    return name if re.fullmatch(r"_?[a-z-]{1,32}", name) else "(nom non reconnu)"


def _by_identifier(value: str, ipp_oid: str, *, production: bool) -> Wanted:
    system, bar, wanted = value.partition("|")
    if not bar or not system:
        raise BadParameter("Précisez le système : identifier=système|valeur.")
    if not wanted:
        raise SearchTooBroad
    oid = fr.oid_of(system)
    if oid in fr.INS_SLICES:
        if problem := oid_problem(oid, production=production):
            raise problem
        matricule = require_valid(wanted.strip().upper())
        return Wanted(Criteria(matricule=matricule), Ins(matricule, oid))
    return Wanted(Criteria(ipp=wanted[:64]), nothing=oid != ipp_oid)


def _birth_date(value: str | None) -> date | None:
    if value is None:
        return None
    found = _DATE.fullmatch(value)
    try:
        return date.fromisoformat(found[1] if found else "")
    except ValueError:
        raise BadParameter("birthdate : une date entière (AAAA-MM-JJ), sans préfixe.") from None


def _count(value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise BadParameter("_count : un nombre entier.")
    return int(value)


def _cursor(value: str | None) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError:
        raise BadParameter("_cursor : reprenez le lien next tel quel.") from None


def _url(base: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{base}?{urlencode(parameters)}" if parameters else base
