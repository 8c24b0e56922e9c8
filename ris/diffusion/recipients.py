"""Completing a correspondent with the MSSanté address to use, before the document is frozen.

The candidates come from the local copy of the directory (no network inside a signature); the
choice is `ris.mss.address`. No address found is not an error: the sending decision says so.
"""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from ris.auth.directory import service as directory
from ris.auth.values import Professional
from ris.mss import whitelist
from ris.mss.address import choose_mailbox
from ris.mss.errors import AmbiguousAddress, NoAddress
from ris.mss.settings import MssSettings
from ris.rem import satisfies

Resolve = Callable[[Session, Professional], Professional]


@satisfies("RIS.ANN.05", "RIS.DOC.05")
def resolver(settings: MssSettings) -> Resolve:
    """Return the function that gives a professional his address, or leaves him without one."""

    def resolve(session: Session, person: Professional) -> Professional:
        if person.mss_address or not person.rpps:
            return person
        entry = directory.stored(session, person.rpps)
        if entry is None:
            return person
        listed = whitelist.load(settings.whitelist_file)
        try:
            chosen = choose_mailbox(
                person.rpps,
                entry.mailboxes,
                allowed=lambda domain: whitelist.permits(listed, settings.whitelist_policy, domain),
                ordering_structure=person.structure.struct_idnat if person.structure else None,
            )
        except (NoAddress, AmbiguousAddress):
            return person
        return replace(person, mss_address=chosen.address)

    return resolve
