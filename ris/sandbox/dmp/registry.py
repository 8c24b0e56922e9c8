"""What this DMP holds: patients and their documents, with the statuses of the real one.

Thread-safe state only; whether a request may change it is judged elsewhere.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

APPROVED: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
DELETED: Final = "urn:asip:ci-sis:2010:StatusType:Deleted"


@dataclass(frozen=True, slots=True)
class DmpPatient:
    """A patient known to the DMP; *status* `active` or anything else (closed)."""

    oid: str
    matricule: str
    status: str = "active"
    attached: bool = True

    @property
    def cx(self) -> str:
        """Return the identifier as it travels in metadata."""
        return f"{self.matricule}^^^&{self.oid}&ISO^NH"


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered document: its metadata of interest, its bytes, its current status."""

    unique_id: str
    patient: str
    structure: str
    author: str
    hash: str
    size: int
    confidentiality: tuple[str, ...]
    format_code: str
    content: bytes
    set_unique_id: str
    status: str = APPROVED
    entry_uuid: str = field(default_factory=lambda: f"urn:uuid:{uuid4()}")


class Registry:
    """Patients and entries."""

    def __init__(self, patients: Iterable[DmpPatient] = ()) -> None:
        self._lock = threading.RLock()
        self._patients = {patient.cx: patient for patient in patients}
        self._entries: dict[str, Entry] = {}
        self._sets: set[str] = set()

    def add_patient(self, patient: DmpPatient) -> None:
        """Open (or change) the DMP of *patient*."""
        with self._lock:
            self._patients[patient.cx] = patient

    def patient(self, cx: str) -> DmpPatient | None:
        """Return the patient of this CX, or None."""
        with self._lock:
            return self._patients.get(cx)

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry ever registered, oldest first."""
        with self._lock:
            return tuple(self._entries.values())

    def reports(self, cx: str | None = None) -> tuple[Entry, ...]:
        """Return the current documents (signatures and deleted ones left out), of one patient."""
        return tuple(
            each
            for each in self.entries()
            if each.status == APPROVED
            and cx in (None, each.patient)
            and not each.format_code.startswith("http://www.w3.org/2000/09/xmldsig")
        )

    def by_unique_id(self, unique_id: str) -> Entry | None:
        """Return the entry of a uniqueId, whatever its status."""
        return next((each for each in self.entries() if each.unique_id == unique_id), None)

    def by_entry_uuid(self, entry_uuid: str) -> Entry | None:
        """Return the entry of an entryUUID, whatever its status."""
        with self._lock:
            return self._entries.get(entry_uuid)

    def has_set(self, unique_id: str) -> bool:
        """Say whether a set of this uniqueId was accepted."""
        with self._lock:
            return unique_id in self._sets

    def register(self, set_unique_id: str, entries: Iterable[Entry], replaced: str | None) -> None:
        """Take a lot in, and deprecate the entry it replaces."""
        with self._lock:
            self._sets.add(set_unique_id)
            self._entries.update({each.entry_uuid: each for each in entries})
            if replaced:
                self.set_status(replaced, DEPRECATED)

    def set_status(self, entry_uuid: str, status: str) -> None:
        """Change the status of an entry."""
        with self._lock:
            self._entries[entry_uuid] = replace(self._entries[entry_uuid], status=status)
