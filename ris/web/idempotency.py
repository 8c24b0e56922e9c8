"""`Idempotency-Key`: the same POST, sent twice, has one effect and one answer.

The answer is stored in the transaction of the effect, so neither exists without the other
(engineering.md §3.1). A handler asks for `Once` and hands it the effect; one whose act holds a
remote call asks for `OnceIn`, and gives it the session of each of its transactions.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.errors import Conflict, Invalid
from ris.web.model import IdempotencyRecord
from ris.web.unit_of_work import Db

_KEEP: Final = timedelta(days=1)
_JSON: Final = "application/json"


class KeyReused(Invalid):
    """The key was already used with another request."""

    code = "IDEMPOTENCY_MISMATCH"
    title = "Clé d'idempotence déjà utilisée"


class InFlight(Conflict):
    """The same request is being dealt with at this moment."""

    code = "IDEMPOTENCY_IN_FLIGHT"
    title = "Demande déjà en cours de traitement"


@dataclass(frozen=True, slots=True)
class OnceOnly:
    """One POST: its key (None when the caller gave none), what it asks, its transaction."""

    session: Session
    key: str | None
    method_path: str
    body_sha256: bytes

    def __call__(
        self,
        actor: object,
        effect: Callable[[], BaseModel],
        *,
        status: int = 201,
        headers: Callable[[BaseModel], Mapping[str, str]] = lambda _: {},
    ) -> Response:
        """Return the kept answer of *actor*'s earlier request, or run *effect* and keep its own.

        Raises `KeyReused` (422) for another request under the key, `InFlight` (409).
        """
        if self.key is None:
            made = effect()
            return _answer(status, dict(headers(made)), made.model_dump_json().encode())
        if (replayed := self.earlier(actor)) is not None:
            return replayed
        made = effect()
        record = IdempotencyRecord(
            actor=str(actor),
            key=self.key,
            method_path=self.method_path,
            body_sha256=self.body_sha256,
            status=status,
            headers=dict(headers(made)),
            body=made.model_dump_json().encode(),
        )
        self.session.add(record)
        self.session.flush()
        return _answer(record.status, record.headers, record.body)

    def earlier(self, actor: object) -> Response | None:
        """Take the key for this transaction and return the answer kept under it, if any.

        Raises as a call does. For an act whose remote call has no transaction around it.
        """
        kept = self._kept(str(actor)) if self.key is not None else None
        if kept is None:
            return None
        if (kept.method_path, kept.body_sha256) != (self.method_path, self.body_sha256):
            raise KeyReused
        return _answer(kept.status, {**kept.headers, "Idempotency-Replayed": "true"}, kept.body)

    def _kept(self, actor: str) -> IdempotencyRecord | None:
        lock = text("select pg_try_advisory_xact_lock(hashtextextended(:key, 0))")
        taken = self.session.execute(lock, {"key": f"idempotency:{actor}:{self.key}"})
        if not taken.scalar_one():
            raise InFlight
        return self.session.get(IdempotencyRecord, (actor, self.key))


async def _keyed(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=200,
            description="Clé choisie par l'appelant : la même demande renvoyée dans la journée n'a "
            "qu'un effet et reçoit la même réponse (en-tête `Idempotency-Replayed: true`).",
        ),
    ] = None,
) -> Callable[[Session], OnceOnly]:
    digest = hashlib.sha256(await request.body()).digest()
    target = request.url.path + ("?" + request.url.query if request.url.query else "")

    def on(session: Session) -> OnceOnly:
        return OnceOnly(session, idempotency_key, f"{request.method} {target}", digest)

    return on


OnceIn = Annotated[Callable[[Session], OnceOnly], Depends(_keyed)]


def _once(session: Db, on: OnceIn) -> OnceOnly:
    return on(session)


Once = Annotated[OnceOnly, Depends(_once)]


def purge(session: Session) -> None:
    """Forget the answers older than a day."""
    session.execute(
        delete(IdempotencyRecord).where(IdempotencyRecord.created_at < clock.now() - _KEEP)
    )


def _answer(status: int, headers: dict[str, str], body: bytes) -> Response:
    return Response(body, status, headers=headers, media_type=_JSON)
