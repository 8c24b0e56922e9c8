"""`python -m tests.identity.dying URL merge|undo CHANGES ID [ID]`: an act on records that stops.

It merges two records (survivor, absorbed), or undoes a merge, and stands still inside the
transaction once CHANGES identities have changed, for its parent to kill it there.
"""

import sys
import time
from uuid import UUID

from sqlalchemy.orm import Session

from ris.core.audit import SYSTEM
from ris.core.db import Database
from ris.identity.duplicates import merge
from ris.identity.feature import Change, IdentityFeature
from ris.identity.model import Patient
from ris.identity.settings import IdentitySettings
from tests.plugin_database import SEALER

THERE = "there"


def main(url: str, act: str, changes: int, ids: list[UUID]) -> None:
    """Do *act* up to its last but one line."""
    seen: list[Change] = []

    def stand_still(_session: Session, change: Change) -> None:
        seen.append(change)
        if len(seen) == changes:
            sys.stdout.write(THERE + "\n")
            sys.stdout.flush()
            time.sleep(600)

    feature = IdentityFeature(
        IdentitySettings(), "2.25.1", production=False, subscribers=[stand_still], partners=("X",)
    )
    with Database(url, sealer=SEALER).transaction() as session:
        if act == "undo":
            merge.undo(session, feature, ids[0], reason="essai", actor=SYSTEM)
            return
        survivor, absorbed = (session.get_one(Patient, one) for one in ids)
        versions = (survivor.version, absorbed.version)
        merge.merge(session, feature, *ids, versions=versions, reason="essai", actor=SYSTEM)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), [UUID(one) for one in sys.argv[4:]])
