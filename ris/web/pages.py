"""Pages by keyset: `?limit=50&after=<opaque>`; never an offset, rows shift while staff work."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from ris.core.errors import Invalid

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page; `next` is the `after` of the following one, null on the last."""

    items: list[T]
    next: str | None = None


class PageQuery(BaseModel):
    """What page is asked for: *limit* rows *after* the key of the last row seen."""

    limit: int
    after: tuple[Any, ...] | None

    def cut(
        self, rows: Sequence[T], key: Callable[[T], tuple[Any, ...]]
    ) -> tuple[list[T], str | None]:
        """Return the rows of the page and its `next`; *rows* holds one more than `limit` if any."""
        shown = list(rows[: self.limit])
        more = len(rows) > self.limit
        return shown, encode(key(shown[-1])) if more else None

    def instant_and_id(self) -> tuple[datetime, UUID]:
        """Return `after` as the usual key, an instant and an identifier. Raises `BadCursor`."""
        try:
            at, last = self.after or ()
            return datetime.fromisoformat(at), UUID(last)
        except (TypeError, ValueError, AttributeError) as error:
            raise BadCursor from error


class BadCursor(Invalid):
    """The `after` value was not made by this API."""

    code = "BAD_CURSOR"
    title = "Page demandée introuvable"


def page_query(
    limit: Annotated[int, Query(ge=1, le=200)] = 50, after: str | None = None
) -> PageQuery:
    """Return the page asked for. Raises `BadCursor` (422)."""
    return PageQuery(limit=limit, after=decode(after) if after else None)


Paging = Annotated[PageQuery, Depends(page_query)]


def link(request: Request, response: Response, next_page: str | None) -> None:
    """Put the `Link: <…>; rel="next"` header (RFC 8288) of a page that is not the last."""
    if next_page is not None:
        url = request.url.include_query_params(after=next_page)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def encode(key: tuple[Any, ...]) -> str:
    """Return the opaque form of a key of strings and numbers."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[Any, ...]:
    """Return the key of an opaque form. Raises `BadCursor`."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        json.dumps(found, ensure_ascii=False).encode()  # half a character is no text
    except (ValueError, RecursionError) as error:
        raise BadCursor from error
    if not isinstance(found, list) or any(type(part) not in (str, int, float) for part in found):
        raise BadCursor
    return tuple(found)
