"""The table of correspondents, kept in step with the Annuaire Santé (mss.md §15.3).

Gives mailbox candidates; which one to use is chosen in `ris/mss/address.py`. It owns short
transactions, so that none stays open during a call to the Annuaire.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth.directory.annuaire import AnnuaireClient
from ris.auth.directory.values import DirectoryEntry, Mailbox
from ris.auth.identifiers import PersonKind, is_rpps, person
from ris.auth.model import Account, DirectoryRecord
from ris.auth.settings import AnnuaireSettings
from ris.auth.values import Address, Professional, Structure
from ris.core import clock, ids
from ris.core.db import Database
from ris.core.errors import Invalid, NotConfigured, RemoteError, Transient
from ris.core.text import fold
from ris.rem import satisfies


class Directory:
    """Correspondents by RPPS, read locally while fresh and from the Annuaire otherwise."""

    def __init__(self, database: Database, annuaire: AnnuaireClient, *, fresh_days: int) -> None:
        self._database = database
        self._annuaire = annuaire
        self._fresh = timedelta(days=fresh_days)

    @classmethod
    def build(cls, settings: AnnuaireSettings, *, database: Database) -> "Directory":
        """Return the directory of one subscription to the Annuaire."""
        return cls(database, AnnuaireClient(settings), fresh_days=settings.fresh_days)

    def close(self) -> None:
        """Close the connections to the Annuaire."""
        self._annuaire.close()

    @satisfies("RIS.ANN.03", "RIS.ANN.05")
    def find(self, rpps: str, *, renew: bool = False) -> list[DirectoryEntry]:
        """Return the correspondent of *rpps* (at most one) with his mailboxes, [] when unknown.

        *renew* ignores the local copy (a bounced address). The old copy serves while the Annuaire
        is down. Raises Invalid (`RPPS_INVALID`), Transient, Permanent or NotConfigured.
        """
        if not is_rpps(rpps):
            raise Invalid("Numéro RPPS invalide.", code="RPPS_INVALID")
        with self._database.transaction() as session:
            known = stored(session, rpps)
        if known is not None and not renew and clock.now() - known.fetched_at < self._fresh:
            return [known]
        try:
            found = self._annuaire.by_rpps(rpps)
        except Transient:
            if known is None:
                raise
            return [known]
        with self._database.transaction() as session:
            for entry in found:
                store(session, entry)
        return found

    @satisfies("RIS.ANN.02", "SC.SSI/IE.30")
    def learn(self, ps_idnat: str) -> None:
        """Renew the local copy of a future user; an Annuaire that does not answer stops nothing."""
        kind, rpps = person(ps_idnat)
        if kind is PersonKind.RPPS and rpps and is_rpps(rpps):
            with suppress(RemoteError, NotConfigured):
                self.find(rpps, renew=True)

    def search(self, family: str, given: str = "") -> list[DirectoryEntry]:
        """Return the active professionals of a name, from the Annuaire (RIS.ANN.05 by name)."""
        return self._annuaire.by_name(family, given)


@satisfies("RIS.ANN.02")
def store(session: Session, entry: DirectoryEntry) -> None:
    """Create or update the correspondent, and the account of the same RPPS.

    One who left the directory is not noted as checked: the next renewal must see him, and tell.
    """
    person, rpps = entry.professional, entry.professional.rpps
    values = {
        "ps_idnat": person.ps_idnat,
        "rpps": rpps,
        "family": person.family,
        "given": person.given,
        "search_key": fold(f"{person.family} {person.given}"),
        "profession": person.profession,
        "specialty": person.specialty,
        "title": person.title,
        "active": entry.active,
        "structure": asdict(person.structure) if person.structure else None,
        "mailboxes": [asdict(box) for box in entry.mailboxes],
        "source": "ANNUAIRE",
        "fetched_at": entry.fetched_at,
    }
    statement = insert(DirectoryRecord).values(id=ids.new(), **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=["ps_idnat"], set_=values),
    )
    if rpps is not None:
        told = {"family": person.family, "given": person.given}
        checked = {"directory_checked_at": entry.fetched_at} if entry.active else {}
        session.execute(update(Account).where(Account.rpps == rpps).values(**told, **checked))


@satisfies("RIS.ANN.02")
def name_account(session: Session, account: Account) -> None:
    """Give *account* the names that the local copy of the directory has for its RPPS, if any.

    As in `store`, only who is still in the directory counts as checked.
    """
    known = stored(session, account.rpps) if account.rpps else None
    if known is not None:
        account.family = known.professional.family
        account.given = known.professional.given
        if known.active:
            account.directory_checked_at = known.fetched_at


def stored(session: Session, rpps: str) -> DirectoryEntry | None:
    """Return the local copy of a correspondent, without asking the Annuaire; None when unknown."""
    query = select(DirectoryRecord).where(DirectoryRecord.rpps == rpps)
    row = session.scalars(query).first()
    if row is None:
        return None
    return DirectoryEntry(
        professional=Professional(
            ps_idnat=row.ps_idnat,
            family=row.family,
            given=row.given,
            profession=row.profession,
            specialty=row.specialty,
            title=row.title,
            structure=_structure(row.structure),
        ),
        mailboxes=tuple(Mailbox(**box) for box in row.mailboxes),
        active=row.active,
        fetched_at=row.fetched_at,
    )


def _structure(stored: Mapping[str, Any] | None) -> Structure | None:
    if stored is None:
        return None
    address = stored["address"]
    return Structure(
        **{**stored, "address": Address(**{**address, "lines": tuple(address["lines"])})}
    )
