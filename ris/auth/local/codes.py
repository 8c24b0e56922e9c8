"""One-time codes (RFC 6238, 6 digits, 30 s): the secret, its address for a phone, the check.

Pure but for the draw of a secret. That a code serves once is kept by the credential's `last_step`.
"""

import base64
import hmac
import secrets
from datetime import datetime
from typing import Final

import pyotp

STEP_S: Final = 30
_DRIFT: Final = 1
_ISSUER: Final = "Ségur RIS Core"
_NOBODY: Final = secrets.token_bytes(20)


def fresh() -> bytes:
    """Return a new 160-bit secret (RFC 4226 §4)."""
    return secrets.token_bytes(20)


def address(secret: bytes, login: str) -> str:
    """Return the `otpauth://` address that a phone's application reads."""
    return _totp(secret).provisioning_uri(name=login, issuer_name=_ISSUER)


def step_of(secret: bytes | None, code: str, now: datetime) -> int | None:
    """Return the time step that *code* is of, one step of drift allowed; None when wrong.

    Every step is compared, in the same time; without a secret the answer is None.
    """
    totp, present = _totp(secret or _NOBODY), int(now.timestamp()) // STEP_S
    found = None
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        right = hmac.compare_digest(totp.at(step * STEP_S).encode(), code.encode())
        found = step if right else found
    return found if secret else None


def _totp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(secret).decode())
