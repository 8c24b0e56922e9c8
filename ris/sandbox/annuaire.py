"""A strict stand-in of the Annuaire Santé FHIR API v2 (mss.md §15.2): a fictitious directory.

A key is required; an unknown search parameter is a 400, as on the real gateway (which refuses
`mailbox-mss-type`). Only the searches a correspondent needs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from ris.sandbox.psc_people import PEOPLE, REQUESTER, Person, Workplace

BASE: Final = "/fhir/v2"
_RPPS: Final = "https://rpps.esante.gouv.fr"
_NOS: Final = "https://mos.esante.gouv.fr/NOS"
_CORE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition"
_ANNUAIRE: Final = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition"
_PARAMETERS: Final = {
    "Practitioner": {"identifier", "family", "given", "active", "_count", "_page"},
    "PractitionerRole": {"practitioner", "active", "_include", "_count", "_page"},
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A professional of the fictitious directory; *mailboxes* are `(address, type, rank)`."""

    person: Person
    mailboxes: tuple[tuple[str, str, int | None], ...] = ()
    active: bool = True


WITHOUT_MAILBOX: Final = Person(
    "899700993050", "SANSBALFICTIVE", "IRIS", "10", "SM26", "DR",
    (Workplace("CABINET DR SANSBALFICTIVE", "499700993050001"),),
)  # fmt: skip
REQUESTER_ADDRESS: Final = "eloi.demandefictive@medecin.test.mssante.fr"
REQUESTER_CABINET: Final = "cabinet.demandefictive@medecin.test.mssante.fr"
LISTED: Final = (
    *(Listed(one) for one in PEOPLE if one.profession and one is not REQUESTER),
    Listed(
        REQUESTER,
        (
            (REQUESTER_ADDRESS, "PER", 1),
            (REQUESTER_CABINET, "CAB", None),
        ),
    ),
    Listed(WITHOUT_MAILBOX),
)


class Annuaire:
    """The directory: `app` to serve under any base; *key* is the only one accepted."""

    def __init__(self, key: str, listed: Iterable[Listed] = LISTED, *, page_size: int = 50) -> None:
        self.calls: list[str] = []
        self.down = False
        self.app = FastAPI(openapi_url=None)
        self._key = key
        self._listed = {one.person.ps_idnat: one for one in listed}
        self._page_size = page_size
        self.app.add_api_route(BASE + "/{kind}", self.search, methods=["GET"], response_model=None)

    def search(self, kind: str, request: Request) -> Response:
        """Answer one search as a Bundle; 401 without the key, 400 on what is not served."""
        self.calls.append(f"{kind}?{request.url.query}")
        asked = dict(request.query_params)
        if self.down:
            return _outcome(503, "unavailable")
        if request.headers.get("esante-api-key") != self._key:
            return _outcome(401, "API key missing or unknown")
        if kind not in _PARAMETERS:
            return _outcome(404, "Unknown resource")
        if unknown := sorted(set(asked) - _PARAMETERS[kind]):
            return _outcome(400, f"Parameter {unknown[0]} not found")
        found = self._practitioners(asked) if kind == "Practitioner" else self._roles(asked)
        return JSONResponse(self._bundle(found, asked, request), media_type="application/fhir+json")

    def _practitioners(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        system, _, value = asked.get("identifier", "").rpartition("|")
        return [
            _practitioner(one)
            for one in self._listed.values()
            if ("identifier" not in asked or (system in ("", _RPPS) and _rpps(one) == value))
            and one.person.family.startswith(asked.get("family", "").upper())
            and one.person.given.startswith(asked.get("given", "").upper())
            and ("active" not in asked or asked["active"] == str(one.active).lower())
        ]

    def _roles(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        one = self._listed.get("8" + asked.get("practitioner", "").removeprefix("p"))
        if one is None:
            return []
        places = one.person.workplaces
        roles = [_role(one, place) for place in places]
        included = asked.get("_include") == "PractitionerRole:organization"
        return roles + ([_organisation(place) for place in places] if included else [])

    def _bundle(
        self, found: list[dict[str, Any]], asked: Mapping[str, str], request: Request
    ) -> dict[str, Any]:
        page, size = int(asked.get("_page", 1)), int(asked.get("_count", self._page_size))
        links = [{"relation": "self", "url": str(request.url)}]
        if page * size < len(found):
            following = request.url.include_query_params(_page=page + 1)
            links.append({"relation": "next", "url": str(following)})
        shown = found[(page - 1) * size : page * size]
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "link": links,
            "entry": [{"resource": item, "search": {"mode": "match"}} for item in shown],
        }


def _rpps(one: Listed) -> str:
    return one.person.ps_idnat[1:]


def _practitioner(one: Listed) -> dict[str, Any]:
    person = one.person
    codes = [("TRE_G15-ProfessionSante", "TRE-G15-ProfessionSante", person.profession)]
    if person.specialty:
        codes.append(("TRE_R38-SpecialiteOrdinale", "TRE-R38-SpecialiteOrdinale", person.specialty))
    return {
        "resourceType": "Practitioner",
        "id": f"p{_rpps(one)}",
        "active": one.active,
        "identifier": [
            {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": person.ps_idnat},
            {"system": _RPPS, "value": _rpps(one)},
        ],
        "name": [{"family": person.family, "given": [person.given], "suffix": [person.title]}],
        "qualification": [
            {"code": {"coding": [{"system": f"{_NOS}/{table}/FHIR/{name}", "code": code}]}}
            for table, name, code in codes
        ],
        "telecom": [_mailbox(*box) for box in one.mailboxes if box[1] == "PER"],
    }


def _role(one: Listed, place: Workplace) -> dict[str, Any]:
    return {
        "resourceType": "PractitionerRole",
        "id": f"r{place.struct_idnat}",
        "active": True,
        "practitioner": {"reference": f"Practitioner/p{_rpps(one)}"},
        "organization": {"reference": f"Organization/o{place.struct_idnat}"},
        "telecom": [_mailbox(*box) for box in one.mailboxes if box[1] == "CAB"],
    }


def _organisation(place: Workplace) -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "id": f"o{place.struct_idnat}",
        "active": True,
        "name": place.name,
        "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": place.struct_idnat}],
        "telecom": [{"system": "email", "value": "contact@cabinet.test"}],
    }


def _mailbox(address: str, kind: str, rank: int | None) -> dict[str, Any]:
    secure = {
        "system": f"{_NOS}/TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie",
        "code": "MSSANTE",
    }
    typed = {"coding": [{"system": f"{_NOS}/TRE_R257-TypeBAL/FHIR/TRE-R257-TypeBAL", "code": kind}]}
    return {
        "system": "email",
        "value": address,
        **({"rank": rank} if rank else {}),
        "extension": [
            {"url": f"{_CORE}/fr-core-contact-point-email-type", "valueCoding": secure},
            {
                "url": f"{_ANNUAIRE}/as-ext-mailbox-mss-metadata",
                "extension": [{"url": "type", "valueCodeableConcept": typed}],
            },
        ],
    }


def _outcome(status: int, diagnostics: str) -> JSONResponse:
    issue = {"severity": "error", "code": "processing", "diagnostics": diagnostics}
    return JSONResponse({"resourceType": "OperationOutcome", "issue": [issue]}, status)
