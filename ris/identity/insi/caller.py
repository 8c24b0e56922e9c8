"""In whose name INSi is called: act → professional → situation → Struct_IdNat (auth.md §8).

An SCM owns means and cares for nobody: it never calls. No certificate here (`auth/certificates`).
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.auth import situations, structures
from ris.auth.errors import StructureUnusable
from ris.auth.model import Account, AccountStatus, Situation
from ris.auth.rights import Role
from ris.auth.values import Professional
from ris.core import clock
from ris.identity.insi.errors import InsiCallerMissing, InsiCallerOther
from ris.identity.insi.values import Caller, CallMode
from ris.identity.settings import InsiSettings
from ris.rem import satisfies

_RESPONSIBLE: Final = (Role.RADIOLOGIST, Role.NUCLEAR_PHYSICIAN)


@dataclass(frozen=True, slots=True)
class Responsible:
    """The professional an act is done for, as the desk names him; *struct_idnat* when he has
    several practices."""

    ps_idnat: str
    struct_idnat: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The caller, and the account the call is made for when it is not the user's own."""

    caller: Caller
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Practice:
    """One practice that a desk may call INSi for, and whose it is."""

    ps_idnat: str
    family: str
    given: str
    struct_idnat: str
    name: str


def practices(session: Session) -> tuple[Practice, ...]:
    """Return the practices of the professionals who have an account here, SCM apart."""
    query = (
        select(Account, Situation)
        .join(Situation, Situation.account_id == Account.id)
        .where(Account.status == AccountStatus.ACTIVE, situations.live(clock.now()))
        .where(Situation.struct_valid, Account.role.in_(_RESPONSIBLE))
        .order_by(Account.family, Account.given, Account.ps_idnat, Situation.struct_idnat)
    )
    found = (
        Practice(one.ps_idnat, one.family, one.given, situation.struct_idnat, situation.name)
        for one, situation in session.execute(query)
        if one.ps_idnat and not structures.is_scm(session, situation.struct_idnat)
    )
    return tuple(dict.fromkeys(found))


@satisfies("RIS.AUTH.02")
def choose(
    session: Session,
    settings: InsiSettings,
    user: Professional | None,
    responsible: Responsible | None,
) -> Chosen:
    """Return who calls when *user* (his situation, if any) asks, for *responsible* if named.

    A professional calls for his own practice. Staff name the responsible professional; where no
    SCM is served they may leave it to the site's structure. Raises `InsiCallerMissing`,
    `InsiCallerOther`, `StructureUnusable`.
    """
    own = _practice(session, user)
    if own and responsible is not None and responsible.ps_idnat != (user.ps_idnat if user else ""):
        raise InsiCallerOther
    if responsible is not None and not own:
        account, structure = _practice_of(session, responsible)
        return Chosen(Caller(structure, settings.mode), account.id)
    return Chosen(Caller(own or _site(session, settings), settings.mode))


def automatic(session: Session, settings: InsiSettings, structure: str = "") -> Caller:
    """Return the caller of an unattended call, in the name of *structure* or of the site's.

    Raises `InsiCallerMissing`, `StructureUnusable`.
    """
    if not (named := structure or settings.structure):
        raise InsiCallerMissing("Aucune structure pour les appels INSi automatiques.")
    structures.require_acting(session, named)
    return Caller(named, CallMode.AUTOMATIC)


def _practice(session: Session, user: Professional | None) -> str:
    """Return the structure of the user's own situation, empty for staff of none or of an SCM."""
    if user is None or user.structure is None:
        return ""
    named = user.structure.struct_idnat
    return "" if structures.is_scm(session, named) else named


def _practice_of(session: Session, responsible: Responsible) -> tuple[Account, str]:
    wanted = select(Account).where(
        Account.ps_idnat == responsible.ps_idnat, Account.status == AccountStatus.ACTIVE
    )
    account = session.scalars(wanted).one_or_none()
    if account is None:
        raise InsiCallerMissing("Ce professionnel n'a pas de compte actif ici.")
    held = {
        one.struct_idnat
        for one in situations.current(session, account.id)
        if one.struct_valid and not structures.is_scm(session, one.struct_idnat)
    }
    if responsible.struct_idnat:
        held &= {responsible.struct_idnat}
    if len(held) != 1:
        raise InsiCallerMissing(
            "Précisez le cabinet du professionnel responsable."
            if held
            else "Ce professionnel n'a pas de situation d'exercice utilisable pour INSi."
        )
    return account, held.pop()


def _site(session: Session, settings: InsiSettings) -> str:
    if structures.any_scm(session):
        raise InsiCallerMissing("En SCM, indiquez le professionnel responsable du patient.")
    if not settings.structure:
        raise InsiCallerMissing("Aucune structure pour l'appel INSi.")
    try:
        structures.require_acting(session, settings.structure)
    except StructureUnusable as error:
        raise InsiCallerMissing(error.detail) from error
    return settings.structure
