"""Optimistic concurrency over HTTP: `ETag` out, `If-Match` in (engineering.md §3.1)."""

import re
from typing import Annotated, Final

from fastapi import Header

from ris.core.errors import PreconditionRequired, Stale

_TAG: Final = re.compile(r'(?:W/)?"([0-9]{1,9})"')

IfMatch = Annotated[str | None, Header(description='ETag lu, par exemple `"3"`')]


def tag(version: int) -> str:
    """Return the entity tag of a row's `version`."""
    return f'"{version}"'


def read_version(if_match: str | None) -> int:
    """Return the version the caller read. Raises PreconditionRequired (428) without one."""
    found = _TAG.fullmatch(if_match.strip()) if if_match else None
    if found is None:
        raise PreconditionRequired("Relisez la fiche et renvoyez son ETag dans If-Match.")
    return int(found[1])


def check(if_match: str | None, version: int) -> None:
    """Raise PreconditionRequired (428), or Stale (412) when the row moved on since it was read."""
    if read_version(if_match) != version:
        raise Stale("Relisez-la, puis refaites votre modification.")
