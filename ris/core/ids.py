"""Identifiers: primary keys (UUIDv7) and document OIDs. Nothing here knows what they name."""

import re
from typing import Final
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

_OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


def new() -> UUID:
    """Return a fresh time-ordered UUIDv7, for a primary key."""
    return uuid7()


def new_oid() -> str:
    """Return a fresh root-only OID under `2.25` (ITU-T X.667), 44 characters at most."""
    return f"2.25.{uuid4().int}"


def is_oid(value: str) -> bool:
    """Say whether *value* is a well-formed OID of 64 characters at most (DICOM PS3.5 §9.1)."""
    return len(value) <= 64 and _OID.fullmatch(value) is not None
