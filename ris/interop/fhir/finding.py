"""A FHIR search from its parameters to its answer: rights, journal and rules as in `/v1`."""

from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.identity import service
from ris.identity.compartment import visible
from ris.identity.feature import IdentityFeature
from ris.identity.model import Patient
from ris.identity.search import Found
from ris.interop.fhir import exchange, mapping_patient, search
from ris.interop.fhir.errors import BadParameter, SeveralMatches
from ris.interop.fhir.record import facts_of
from ris.interop.fhir.showing import base, settings_of

_reader: Final = require(Permission.PATIENT_READ)
_ins_reader: Final = require(Permission.INS_READ)


def searched(
    request: Request,
    session: Session,
    feature: IdentityFeature,
    principal: Principal,
    given: list[tuple[str, str]],
    *,
    address: bool,
) -> Response:
    """Return the Bundle that answers the parameters *given*; no resource in it shows an INS.

    *address*: an identifier among them stands in a URL. Raises what `search.read` raises,
    `RoleDenied` for a search by INS without the right to see it.
    """
    strict = exchange.preference(request, "handling") == "strict"
    wanted = _wanted(feature, given, strict=strict, address=address)
    found = _found(request, session, feature, principal, wanted)
    rows, following = search.page(found, wanted, limit=feature.settings.search_limit)
    facts = facts_of(session, rows)
    version = settings_of(request).fr_core
    resources = [
        mapping_patient.patient(row.identity, facts[row.id], ins_right=False, fr_core=version)
        for row in rows
    ]
    made = search.bundle(found, wanted, resources, following, base=base(request))
    return exchange.answer(made)


def only_match(
    request: Request,
    session: Session,
    feature: IdentityFeature,
    principal: Principal,
    criteria: str,
) -> Patient | None:
    """Return the one record that meets the criteria of a conditional create, None when none does.

    Raises `SeveralMatches`, `RoleDenied` for a caller who writes patients and may not read them.
    """
    _reader(request, principal)
    wanted = _wanted(feature, pairs(criteria), strict=True, address=False)
    found = _found(request, session, feature, principal, wanted)
    if len(found.patients) > 1:
        raise SeveralMatches
    return found.patients[0] if found.patients else None


def pairs(form: str) -> list[tuple[str, str]]:
    """Return the parameters of a form or of a criteria header; raises `BadParameter`."""
    try:
        return parse_qsl(form, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise BadParameter("Trop de paramètres.") from None


def _wanted(
    feature: IdentityFeature, given: list[tuple[str, str]], *, strict: bool, address: bool
) -> search.Wanted:
    return search.read(
        given, ipp_oid=feature.ipp_oid, production=feature.production, strict=strict,
        address=address,
    )  # fmt: skip


def _found(
    request: Request,
    session: Session,
    feature: IdentityFeature,
    principal: Principal,
    wanted: search.Wanted,
) -> Found:
    """Search and journal it; a search by INS asks for the right to see it, as in `/v1`."""
    if wanted.ins is not None:
        _ins_reader(request, principal)
    if wanted.nothing:
        return Found((), more=False)
    within = visible(feature, principal.compartment.patients)(Patient)
    found = service.find(
        session, wanted.criteria, feature.settings, within=within, actor=principal.actor
    )
    return search.kept(found, wanted)
