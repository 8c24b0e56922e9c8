"""Which record a message is about: by its identifiers, then by the INS we hold. Never by traits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from ris.identity import service
from ris.identity.feature import IdentityFeature
from ris.identity.foreign.feed import Inbound, LocalId
from ris.identity.foreign.model import FeedIdentifier
from ris.identity.model import Patient
from ris.identity.values import Ins

_LOCK: Final = text(
    "select pg_advisory_xact_lock(key) from (select distinct hashtextextended(one, 0) as key"
    " from unnest(cast(:named as text[])) as one order by key) as sorted"
)


@dataclass(frozen=True, slots=True)
class Register:
    """What senders call our patients, for the messages it was looked up for and no others."""

    session: Session
    aliases: dict[LocalId, FeedIdentifier]
    ipps: dict[LocalId, UUID]

    def known(self, inbound: Inbound) -> Patient | None:
        """Return the record that *inbound* names, locked; the survivor of a merge."""
        return next(filter(None, map(self.by_local_id, inbound.local_ids)), None)

    def by_local_id(self, local_id: LocalId) -> Patient | None:
        """Return the record that *local_id* names, locked; the survivor when it was absorbed."""
        patient_id = self._patient_id(local_id)
        if patient_id is None:
            return None
        return survivor(self.session, service.locked(self.session, patient_id))

    def _patient_id(self, local_id: LocalId) -> UUID | None:
        alias = self.aliases.get(local_id)
        return alias.patient_id if alias else self.ipps.get(local_id)

    def lock_pair(self, inbound: Inbound) -> None:
        """Lock the records that a merge names, lowest id first, as the merge of a person does.

        Two merges that cross wait for each other: neither is a victim of a deadlock.
        """
        for one in sorted(filter(None, {self._patient_id(one) for one in _named(inbound)})):
            service.locked(self.session, one, against_filing=True)

    def outdated(self, inbound: Inbound) -> bool:
        """Say whether newer news of these identifiers were applied already (R-PAM-06)."""
        rows = [self.aliases[one] for one in inbound.local_ids if one in self.aliases]
        last = [row.last_event_at for row in rows if row.last_event_at]
        return inbound.occurred_at is not None and any(at > inbound.occurred_at for at in last)

    def remember(self, patient: Patient, ids: Iterable[LocalId], at: datetime | None) -> None:
        """Keep what the sender calls *patient*, and how fresh its news are."""
        for one in dict.fromkeys(ids):
            row = self.aliases.get(one)
            if row is None:
                row = FeedIdentifier(authority=one.authority, value=one.value)
                self.aliases[one] = row
                self.session.add(row)
            row.patient = patient
            row.last_event_at = at or row.last_event_at


def look_up(session: Session, feature: IdentityFeature, inbounds: Sequence[Inbound]) -> Register:
    """Return what is known of the identifiers of *inbounds*.

    Messages about the same identifiers wait for each other until the commit, always in one order.
    """
    named = sorted({one for inbound in inbounds for one in _named(inbound)}, key=str)
    session.execute(_LOCK, {"named": [f"{one.authority}|{one.value}" for one in named]})
    keys = [(one.authority, one.value) for one in named]
    given = tuple_(FeedIdentifier.authority, FeedIdentifier.value)
    rows = session.scalars(select(FeedIdentifier).where(given.in_(keys)))
    aliases = {LocalId(row.value, row.authority): row for row in rows}
    rest = {one.value: one for one in named if one.authority == feature.ipp_oid}
    ours = select(Patient.ipp, Patient.id).where(Patient.ipp.in_(rest)) if rest else None
    found = session.execute(ours).all() if ours is not None else []
    return Register(session, aliases, {rest[ipp]: patient_id for ipp, patient_id in found})


def apart(inbounds: Iterable[Inbound]) -> Iterator[Inbound]:
    """Yield the first *inbounds* as long as none names a patient, or an INS, of another. Pure."""
    seen: set[LocalId | Ins] = set()
    for inbound in inbounds:
        told: set[LocalId | Ins] = {*_named(inbound)}
        told |= {inbound.ins} if inbound.ins else set()
        if seen & told:
            return
        seen |= told
        yield inbound


def holder(session: Session, ins: Ins) -> Patient | None:
    """Return the record that holds *ins*, locked, if any."""
    query = select(Patient.id).where(
        Patient.ins_matricule == ins.matricule, Patient.ins_oid == ins.oid
    )
    patient_id = session.scalar(query)
    return service.locked(session, patient_id) if patient_id else None


def survivor(session: Session, patient: Patient) -> Patient:
    """Return the record that absorbed *patient* in the end, locked; itself when none did."""
    while patient.merged_into_id is not None:
        patient = service.locked(session, patient.merged_into_id)
    return patient


def _named(inbound: Inbound) -> tuple[LocalId, ...]:
    return (*inbound.local_ids, inbound.absorbed) if inbound.absorbed else inbound.local_ids
