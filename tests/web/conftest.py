from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Body, FastAPI, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from ris.core import audit, ids
from ris.core.db import Database
from ris.core.errors import Conflict, Throttled
from ris.rem import satisfies
from ris.sandbox.server import serve
from ris.web import etag, health, middleware, pages, problems
from ris.web.idempotency import Once
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db


class Note(BaseModel):
    text: Annotated[str, Body(max_length=20)]


class Typed(BaseModel):
    day: date
    at: AwareDatetime
    count: int
    sure: bool
    who: UUID
    rpps: Annotated[str, Field(pattern=r"^[0-9]{11}$")]


class Written(BaseModel):
    id: UUID


router = APIRouter(route_class=TaggedRoute)


@router.post("/notes")
@satisfies("RIS.INS.01")
def write_note(note: Note, session: Db, once: Once) -> Response:
    """A POST with one effect: a line of the journal."""

    def effect() -> Written:
        made = Written(id=ids.new())
        audit.record(session, "note.written", target=("note", made.id))
        return made

    return once("someone", effect, headers=lambda _: {"ETag": etag.tag(1)})


@router.post("/typed")
def write_typed(typed: Typed) -> None:
    """Types whose refusals are explained."""


@router.put("/notes/{note_id}")
def change_note(note_id: UUID, if_match: etag.IfMatch = None) -> Note:
    etag.check(if_match, 3)
    return Note(text="ok")


@router.get("/numbers")
def numbers(request: Request, response: Response, paging: pages.Paging) -> pages.Page[int]:
    first = paging.after[0] + 1 if paging.after else 0
    rows = range(first, min(first + paging.limit + 1, 7))
    items, following = paging.cut(rows, lambda row: (row,))
    pages.link(request, response, following)
    return pages.Page(items=items, next=following)


@router.get("/conflict")
def conflict() -> None:
    raise Conflict("Déjà fait.", code="INS_NOT_QUALIFIED", rem=("RIS.INS.37",))


@router.get("/busy")
def busy() -> None:
    from datetime import timedelta

    from ris.core import clock

    raise Throttled(retry_at=clock.now() + timedelta(seconds=90))


@router.get("/bug")
def bug() -> None:
    raise ZeroDivisionError("DURAND 279035121518989")


@router.post("/fails-at-commit", status_code=201)
def fails_at_commit(session: Db) -> None:
    audit.record(session, "note.written")

    def boom(_: Session) -> None:
        raise RuntimeError("commit")

    event.listen(session, "before_commit", boom)


@pytest.fixture
def app(database: Database) -> FastAPI:
    made = FastAPI()
    made.state.database = database
    made.state.is_at_head = lambda: True
    made.state.collectors = (lambda _: [health.Sample("ris_up", 1, {"name": 'a"b'})],)
    made.include_router(router, prefix="/v1")
    made.include_router(health.router)
    middleware.install(made)
    problems.install(made)
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with serve(app) as running, httpx.Client(base_url=running.url) as made:
        yield made


@pytest.fixture
def written(database: Database) -> Callable[[], int]:
    def count() -> int:
        with database.transaction() as session:
            found: int = session.execute(text("select count(*) from audit_event")).scalar_one()
            return found

    return count
