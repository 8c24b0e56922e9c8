"""Table of the HTTP plumbing: the answers kept for `Idempotency-Key`. Columns only."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock
from ris.core.db import Base
from ris.core.sealed import Kept, Plain, Sealed, sealed_bytes


class IdempotencyRecord(Base):
    """The answer to one keyed POST of one actor, written with its effect.

    Either body may hold an INS; the digest of a short request is as good as the request.
    """

    __tablename__ = "idempotency"

    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    method_path: Mapped[str]
    body_sha256_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body_sealed: Mapped[Plain | Kept] = mapped_column(Sealed)
    created_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    body_sha256 = sealed_bytes("body_sha256_sealed")
    body = sealed_bytes("body_sealed")
