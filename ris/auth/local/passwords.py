"""Hashes of passwords: Argon2id with the parameters of RFC 9106 that argon2-cffi recommends.

Few at once: each takes 64 MiB, and a flood must not take the memory of the server.
"""

import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from ris.auth.local.policy import normal
from ris.core import ids

_HASHER: Final = PasswordHasher()
_SLOTS: Final = threading.BoundedSemaphore(4)
_NOBODY: Final = _HASHER.hash(str(ids.new()))


def hashed(password: str) -> str:
    """Return the hash to keep of *password*."""
    with _SLOTS:
        return _HASHER.hash(normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Say whether *password* is the one of the hash *kept*; with None, no, in the same time."""
    with _SLOTS:
        try:
            return _HASHER.verify(kept or _NOBODY, normal(password)) and kept is not None
        except (VerifyMismatchError, InvalidHashError):
            return False
