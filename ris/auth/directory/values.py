"""A correspondent of the Annuaire Santé and his mailboxes, as plain values. No wire, no choice."""

from dataclasses import dataclass
from datetime import datetime

from ris.auth.values import Professional


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One MSSanté mailbox.

    *kind* is a TRE_R257 code (`PER`, `ORG`, `APP`, `CAB`) or None when the directory does not say;
    *rpps* the owner (None for a structure's), *struct_idnat* the structure it hangs on, *rank* 1
    the preferred one. A *red_list* mailbox is never displayed.
    """

    address: str
    kind: str | None = None
    rpps: str | None = None
    struct_idnat: str | None = None
    rank: int | None = None
    red_list: bool = False


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A professional as last read, with every mailbox candidate. *fetched_at* tells the age."""

    professional: Professional
    mailboxes: tuple[Mailbox, ...]
    active: bool
    fetched_at: datetime
