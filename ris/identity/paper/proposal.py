"""What a scanned datamatrix INS leads to: the records it may be about, side by side with it.

A proposal changes nothing: a status comes from INSi and a document, never from paper (R-DMX-03).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core.audit import Actor, record
from ris.identity import service
from ris.identity.compartment import Visible, everybody
from ris.identity.errors import DatamatrixNotFound, DatamatrixSeveral
from ris.identity.feature import IdentityFeature
from ris.identity.insi.comparison import TraitComparison, compare
from ris.identity.insi.values import InsiTraits
from ris.identity.model import Patient
from ris.identity.paper import datamatrix
from ris.identity.paper.datamatrix import Claim
from ris.identity.search import Criteria, Slice, search
from ris.identity.traits import Fault, trait_faults

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Match:
    """A record the paper may be about; *same_ins* when it holds the very INS of the paper."""

    patient: Patient
    same_ins: bool
    compared: tuple[TraitComparison, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the paper claims, what is wrong in it for a new record, and the records alike."""

    claim: Claim
    faults: tuple[Fault, ...]
    matches: tuple[Match, ...]


def propose(
    session: Session,
    feature: IdentityFeature,
    texts: Iterable[str],
    *,
    visible: Visible = everybody,
    actor: Actor,
) -> Proposal:
    """Return what the symbols of one paper lead to, among *visible* records; journal the reading.

    Symbols that are no datamatrix INS are passed over. Raises `DatamatrixNotFound`,
    `DatamatrixSeveral` (two persons on one paper), and what `datamatrix.read` raises.
    """
    claim = _the_one(tuple(texts), production=feature.production)
    typed = claim.given.typed
    matches = tuple(_matches(session, feature, claim, visible))
    detail = {
        "alerts": list(claim.alerts),
        "found": len(matches),
        "same_ins": any(match.same_ins for match in matches),
    }
    record(session, "identity.datamatrix_read", actor=actor, detail=detail)
    return Proposal(claim, tuple(trait_faults(typed, service.today())), matches)


def _the_one(texts: tuple[str, ...], *, production: bool) -> Claim:
    marked = [text for text in texts if text.lstrip().startswith("IS")] or list(texts[:1])
    if not marked:
        raise DatamatrixNotFound
    claims = {datamatrix.read(text, production=production) for text in marked}
    if len(claims) > 1:
        raise DatamatrixSeveral
    return claims.pop()


def _matches(
    session: Session, feature: IdentityFeature, claim: Claim, visible: Visible
) -> Iterable[Match]:
    told = claim.given.typed
    claimed = InsiTraits(
        told.birth_family, told.birth_given_names, told.sex, told.birth_date, told.birth_place
    )
    for patient in _records(session, feature, claim, visible):
        same = claim.ins is not None and patient.identity.ins == claim.ins
        yield Match(patient, same, compare(patient.traits, claimed))


def _records(
    session: Session, feature: IdentityFeature, claim: Claim, visible: Visible
) -> list[Patient]:
    """Return the record that holds the INS, then those of that birth date and birth name."""
    holder = []
    if claim.ins is not None:
        query = select(Patient).where(
            Patient.ins_matricule == claim.ins.matricule,
            Patient.ins_oid == claim.ins.oid,
            visible(Patient),
        )
        holder = list(session.scalars(query))
    told = claim.given.typed
    try:
        born = date.fromisoformat(told.birth_date)
    except ValueError:
        return holder
    wanted = Criteria(birth_date=born, name=_letters(feature, told.birth_family))
    part, within = Slice(_SHOWN), visible(Patient)
    alike = search(session, wanted, feature.settings, part, within=within).patients
    return [*holder, *(one for one in alike if one not in holder)]


def _letters(feature: IdentityFeature, name: str) -> str:
    """Return as many first letters of *name* as this site searches with."""
    most = feature.settings.search_max_letters
    return name[:most] if most else name
