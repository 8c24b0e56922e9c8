"""The transaction of one HTTP request: committed before the response leaves, or rolled back.

`scope="function"` matters: without it FastAPI commits after the response is sent, and a failed
commit would answer 2xx (engineering.md §2.2). What the route records in the journal is written at
the very end, so that no request holds the journal's lock while it waits for a thread.
"""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from ris.core import audit
from ris.core.db import Database
from ris.core.errors import Stale


def unit_of_work(request: Request) -> Iterator[Session]:
    """Yield the session of this request (`app.state.database`); a stale row becomes a 412."""
    database: Database = request.app.state.database
    try:
        with database.transaction() as session, audit.together(session, flushing=True):
            yield session
    except StaleDataError as error:
        raise Stale("Relisez-la, puis refaites votre modification.") from error


Db = Annotated[Session, Depends(unit_of_work, scope="function")]
