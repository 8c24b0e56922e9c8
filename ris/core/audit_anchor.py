"""The head of the journal, written where the database's administrator cannot write.

A chain that its owner rewrites from end to end is sound; an anchored head says otherwise. One line
per anchor, added at the end of a file that the site mounts from elsewhere (auth.md §10).
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import structlog

from ris.core import audit
from ris.core.audit import Head
from ris.core.db import Database
from ris.core.errors import NotConfigured


def anchor(database: Database, file: Path) -> Head | None:
    """Add the present head to *file*, and to the logs, unless it is there already.

    Returns it, None when the journal is empty. Raises `NotConfigured` when *file* is out of reach.
    """
    with database.transaction() as session:
        head = audit.head(session)
    if head is None:
        return None
    try:
        if not file.exists() or head.line() not in file.read_text(encoding="ascii").splitlines():
            _append(file, head.line())
    except OSError as error:
        raise NotConfigured("Le fichier d'ancrage du journal n'est pas accessible.") from error
    structlog.get_logger().info("audit.anchored", seq=head.seq, hash=head.hash)
    return head


def broken_anchors(database: Database, file: Path) -> Iterator[int]:
    """Yield the number of every anchored head that the journal no longer holds unchanged.

    A line that is no anchor counts as broken too, under number 0.
    """
    for line in file.read_text(encoding="ascii", errors="replace").splitlines():
        head = _parsed(line)
        with database.transaction() as session:
            if head is None or not audit.still_holds(session, head):
                yield head.seq if head else 0


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="ascii") as stream:
        stream.write(line + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _parsed(line: str) -> Head | None:
    try:
        seq, at, digest = line.split()
        return Head(int(seq), datetime.fromisoformat(at), digest)
    except ValueError:
        return None
