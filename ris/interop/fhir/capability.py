"""The CapabilityStatement, generated from the routes that really answer and their parameters."""

from collections.abc import Iterator, Sequence
from typing import Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

import ris
from ris.core import clock
from ris.interop.fhir import vocabulary as fr
from ris.interop.fhir.mapping_patient import instant
from ris.interop.fhir.search import PARAMETERS
from ris.interop.fhir.vocabulary import Json

_GUIDES: Final = {"2.1": "2.1.0", "2.2": "2.2.0"}
_INTERACTIONS: Final = {
    ("GET", "/Patient/{patient_id}"): "read",
    ("GET", "/Patient"): "search-type",
    ("POST", "/Patient"): "create",
    ("PUT", "/Patient/{patient_id}"): "update",
}
_DOCUMENTATION: Final = (
    "Le statut d'identité est calculé et le matricule INS ne se saisit pas : il vient d'INSi ou "
    "d'un flux HL7 PAM de confiance, et ne sort que d'une identité qualifiée, pour qui a le droit "
    "de le voir. Un élément qu'un dossier ne conserve pas est refusé (422), jamais ignoré."
)
_SECURITY: Final = (
    "Session ouverte par Pro Santé Connect ; les écritures portent l'en-tête X-CSRF-Token."
)


def statement(routes: Sequence[BaseRoute], *, base: str, fr_core: str) -> Json:
    """Return what this server does at *base*, read from its *routes*."""
    mine = {
        (method, route.path): route
        for route in routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(clock.now()),
        "kind": "instance",
        "software": {"name": "Ségur RIS Core", "version": ris.__version__},
        "implementation": {"description": "Ségur RIS Core, façade FHIR R4", "url": base},
        "fhirVersion": fr.FHIR_VERSION,
        "format": ["json"],
        "implementationGuide": [f"{fr.GUIDE}|{_GUIDES[fr_core]}"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": _SECURITY},
                "resource": [_patient(mine)],
            }
        ],
    }


def _patient(routes: dict[tuple[str, str], APIRoute]) -> Json:
    done = {code: routes[place] for place, code in _INTERACTIONS.items() if place in routes}
    return {
        "type": "Patient",
        "profile": fr.PROFILE,
        "supportedProfile": [fr.PROFILE_INS],
        "documentation": _DOCUMENTATION,
        "interaction": [{"code": code} for code in done],
        "versioning": "versioned-update"
        if _takes(done.get("update"), "if-match")
        else "no-version",
        "readHistory": False,
        "updateCreate": False,
        "conditionalCreate": _takes(done.get("create"), "if-none-exist"),
        "conditionalRead": "not-match"
        if _takes(done.get("read"), "if-none-match")
        else "not-supported",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchParam": list(_parameters()) if "search-type" in done else [],
    }


def _parameters() -> Iterator[Json]:
    for name, (kind, documentation) in PARAMETERS.items():
        yield {"name": name, "type": kind, "documentation": documentation}


def _takes(route: APIRoute | None, header: str) -> bool:
    """Say whether a route, or what it depends on, reads this header."""
    return route is not None and _reads(route.dependant, header)


def _reads(dependant: Dependant, header: str) -> bool:
    named = {one.alias.lower() for one in dependant.header_params}
    return header in named or any(_reads(one, header) for one in dependant.dependencies)
