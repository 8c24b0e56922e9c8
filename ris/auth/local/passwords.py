"""Hashes of passwords: Argon2id with the parameters of RFC 9106 that argon2-cffi recommends.

Few at once: each takes 64 MiB, and a flood must not take the memory of the server.
"""

import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from ris.auth.local.policy import normal

_HASHER: Final = PasswordHasher()
_SLOTS: Final = threading.BoundedSemaphore(4)
# of a random text thrown away: an unknown login costs what a known one does
_NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$HTd3KbydUnj/vA2eXLDWvA"
    "$EO7bfnV2dCi3GkvI9Wy2RCep/Njmj3U6peueIPCaTgM"
)


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
