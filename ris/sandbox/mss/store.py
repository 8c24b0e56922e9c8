"""The mailboxes on disk, were there a disk: folders of numbered messages, thread-safe."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

INBOX: Final = "INBOX"
SENT: Final = "Sent"
UIDVALIDITY: Final = 1


@dataclass
class Stored:
    """One message of a folder: its UID, its bytes, its flags."""

    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Submitted:
    """One accepted submission, as the envelope said it."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    certificate: str | None
    login: str | None
    envid: str
    notify: tuple[str, ...]


class Store:
    """Folders by (mailbox, name), and the list of every accepted submission."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[tuple[str, str], list[Stored]] = defaultdict(list)
        self.submitted: list[Submitted] = []

    def append(self, mailbox: str, folder: str, raw: bytes) -> int:
        """Add *raw* and return its UID."""
        with self._lock:
            content = self._folders[mailbox.lower(), folder]
            content.append(Stored(len(content) + 1, raw))
            return len(content)

    def folder(self, mailbox: str, name: str) -> list[Stored]:
        """Return the messages of a folder, oldest first."""
        with self._lock:
            wanted = INBOX if name.upper() == INBOX else name
            return list(self._folders[mailbox.lower(), wanted])

    def inbox(self, mailbox: str) -> list[bytes]:
        """Return the bytes of every message of an INBOX."""
        return [one.raw for one in self.folder(mailbox, INBOX)]

    def names(self, mailbox: str) -> Iterator[str]:
        """Yield the folder names of *mailbox*."""
        with self._lock:
            yield from sorted({INBOX, SENT} | {n for m, n in self._folders if m == mailbox.lower()})
