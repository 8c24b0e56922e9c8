"""The transaction of one HTTP request: committed before the response leaves, or rolled back.

`scope="function"` matters: without it FastAPI commits after the response is sent, and a failed
commit would answer 2xx (engineering.md §2.2). Between the end of a route and its commit FastAPI
asks for a thread, to write the answer: so only some requests may hold a transaction at once, and
none takes the journal's lock before the very end. Otherwise those who wait for a connection or a
lock could hold every thread, and who has it would never let go.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Final

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from ris.core import audit
from ris.core.db import Database
from ris.core.errors import Stale

_MOST: Final = 30  # below the threads of the server (anyio: 40)


async def turn(request: Request) -> AsyncIterator[None]:
    """Wait until this request may hold a transaction; two thirds of the connections at most."""
    state = request.app.state
    if not hasattr(state, "turns"):
        connections: int = state.database.engine.pool.size()
        state.turns = asyncio.Semaphore(min(_MOST, max(1, connections * 2 // 3)))
    async with state.turns:
        yield


def unit_of_work(
    request: Request, _turn: Annotated[None, Depends(turn, scope="function")]
) -> Iterator[Session]:
    """Yield the session of this request (`app.state.database`); a stale row becomes a 412."""
    database: Database = request.app.state.database
    try:
        with database.transaction() as session, audit.together(session, flushing=True):
            yield session
    except StaleDataError as error:
        raise Stale("Relisez-la, puis refaites votre modification.") from error


Db = Annotated[Session, Depends(unit_of_work, scope="function")]
