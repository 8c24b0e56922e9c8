"""Tables of the decoupled sign-in and of the logout messages already seen.

Columns and constraints only. The `auth_req_id` is sealed and dropped at the end of the request.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from ris.auth.ciba.states import Channel, CibaState
from ris.core import clock, ids
from ris.core.db import Base, one_of
from ris.core.sealed import SealedBlob


class CibaRequest(Base):
    """A sign-in asked on a person's phone or card, waiting for the answer (auth.md §3.6).

    `ps_idnat` is the `login_hint`; only who holds the secret of `secret_hash` learns the outcome.
    `next_poll_at` keeps two requests from asking PSC at once, and sooner than it allows.
    """

    __tablename__ = "ciba_request"
    __table_args__ = (one_of("state", CibaState), one_of("channel", Channel))

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=ids.new)
    ps_idnat: Mapped[str] = mapped_column(String(64), index=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    binding_message: Mapped[str] = mapped_column(String(2))
    channel: Mapped[str]
    state: Mapped[str] = mapped_column(default=CibaState.CREATED.value)
    reason: Mapped[str | None]
    auth_req_sealed: Mapped[bytes | None] = mapped_column(SealedBlob)
    interval_s: Mapped[int] = mapped_column(default=5)
    next_poll_at: Mapped[datetime]
    origin_ip: Mapped[str | None] = mapped_column(index=True)
    workstation: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SeenLogout(Base):
    """A back-channel logout message already obeyed: its `jti` serves once."""

    __tablename__ = "psc_logout_seen"

    jti_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
