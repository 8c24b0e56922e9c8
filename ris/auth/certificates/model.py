"""The expiry warnings already given. Columns only; certificates themselves are files."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ris.core import clock
from ris.core.db import Base


class CertificateWarning(Base):
    """One threshold crossed by one certificate: warned once, whatever restarts (AUTH-50)."""

    __tablename__ = "certificate_warning"

    fingerprint: Mapped[str] = mapped_column(String(32), primary_key=True)
    usage: Mapped[str] = mapped_column(String(64), primary_key=True)
    threshold: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    warned_at: Mapped[datetime] = mapped_column(default=clock.now)
