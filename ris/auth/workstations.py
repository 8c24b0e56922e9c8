"""Workstations: the name a browser tells at sign-in, and what a site wants of some of them.

Pure. The name is declared, not proved: it shortens delays and is traced, it gives no right. An
unknown name follows the site's common rules.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
WorkstationName = Annotated[str, StringConstraints(pattern=PATTERN)]


class Workstation(BaseModel):
    """One workstation: its idle delay in seconds, and whether several people use it.

    On a *shared* one, leaving the lock asks for the card or the phone again (`prompt=login`) and
    closing the session closes Pro Santé Connect's too.
    """

    model_config = ConfigDict(frozen=True)

    idle_lock_s: int | None = Field(default=None, ge=60, le=4 * 3600)
    shared: bool = False


def idle_of(known: Mapping[str, Workstation], name: str | None, common_s: int) -> timedelta:
    """Return how long the workstation *name* may stay unused, *common_s* unless it has its own."""
    own = known.get(name or "", Workstation()).idle_lock_s
    return timedelta(seconds=common_s if own is None else own)


def is_shared(known: Mapping[str, Workstation], name: str | None) -> bool:
    """Say whether several people use the workstation *name*."""
    return known.get(name or "", Workstation()).shared
