"""The cookies: the session's, and what binds a sign-in or a logout to its browser (auth.md §6).

Random ids only: no identity, no token, nothing signed. Lax, because PSC comes back from another
site. Over plain HTTP (loopback, environment `test` only) the `__Host-` prefix is impossible.
"""

import base64
import hashlib
import secrets
from typing import Final

from fastapi import Request, Response

SESSION: Final = "ris_session"
BINDING: Final = "ris_login"
CIBA: Final = "ris_ciba"
LOGOUT: Final = "ris_logout"


def fresh() -> str:
    """Return a new 256-bit random id."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> bytes:
    """Return what the database keeps of a random id."""
    return hashlib.sha256(value.encode()).digest()


def csrf_token(session_token: str) -> str:
    """Return the token that unsafe requests of this session carry in `X-CSRF-Token`."""
    derived = hashlib.sha256(b"ris.csrf.v1|" + session_token.encode()).digest()
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


def name_of(cookie: str, *, secure: bool) -> str:
    """Return the cookie's real name."""
    return f"__Host-{cookie}" if secure else cookie


def read(request: Request, cookie: str, *, secure: bool) -> str:
    """Return the value the browser sent, or an empty string."""
    return request.cookies.get(name_of(cookie, secure=secure), "")


def write(response: Response, cookie: str, value: str, *, secure: bool, max_age: int) -> None:
    """Set a cookie: HttpOnly, SameSite=Lax, Path=/, no Domain, Secure unless told otherwise."""
    response.set_cookie(
        name_of(cookie, secure=secure),
        value,
        max_age=max_age,
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def clear(response: Response, cookie: str, *, secure: bool) -> None:
    """Make the browser forget a cookie."""
    write(response, cookie, "", secure=secure, max_age=0)
