"""The decoupled flow of the sandbox provider: requests waiting on phones, and who answered.

Written from auth.md §3.6. Client authentication and tokens are in `psc.py`.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ris.core import clock
from ris.sandbox.psc_people import Person

GRANT: Final = "urn:openid:params:grant-type:ciba"
_MESSAGE: Final = re.compile(r"[0-9]{2}")


@dataclass
class Waiting:
    """One request on one phone; *approved* is None until the holder decides."""

    person: Person
    binding_message: str
    channel: str
    interval_s: int
    life_s: int
    at: datetime = field(default_factory=clock.now)
    polled_at: datetime | None = None
    approved: bool | None = None
    redeemed: bool = False


class Phones:
    """Every request. *active*: PSC activated CIBA for the client. *interval_s* None: not told.

    *unknown* is the refusal for a person PSC does not know; a plain Keycloak words it otherwise.
    """

    def __init__(self) -> None:
        self.active = True
        self.unknown = {"error": "unknown_user_id"}
        self.interval_s: int | None = 1
        self.life_s = 120
        self.slow_downs = 0
        self._requests: dict[str, Waiting] = {}

    def ask(self, form: Mapping[str, str], people: Mapping[str, Person]) -> dict[str, Any] | str:
        """Put a request on a phone; return the answer, or the error code that refuses it."""
        person = people.get(form.get("login_hint", ""))
        if not self.active:
            return "unauthorized_client"
        if form.get("scope") != "openid scope_all" or form.get("acr_values") != "eidas1":
            return "invalid_request"
        if form.get("channel") not in ("CARD", "MOBILE"):
            return "invalid_request"
        if not _MESSAGE.fullmatch(form.get("binding_message", "")):
            return "invalid_binding_message"
        if person is None:
            return "unknown_user_id"
        identifier = secrets.token_urlsafe(24)
        self._requests[identifier] = Waiting(
            person,
            form["binding_message"],
            form["channel"],
            5 if self.interval_s is None else self.interval_s,
            self.life_s,
        )
        answer: dict[str, Any] = {"auth_req_id": identifier, "expires_in": self.life_s}
        return answer if self.interval_s is None else answer | {"interval": self.interval_s}

    def poll(self, identifier: str) -> Person | str:
        """Return who answered, or the error code; an answer serves once."""
        waiting = self._requests.get(identifier)
        now = clock.now()
        if waiting is None or waiting.redeemed:
            return "invalid_grant"
        if now - waiting.at >= timedelta(seconds=waiting.life_s):
            return "expired_token"
        last, waiting.polled_at = waiting.polled_at, now
        early = last is not None and now - last < timedelta(seconds=waiting.interval_s)
        if early or self.slow_downs > 0:
            self.slow_downs -= 0 if early else 1
            waiting.interval_s += 5
            return "slow_down"
        if waiting.approved is None:
            return "authorization_pending"
        waiting.redeemed = True
        return waiting.person if waiting.approved else "access_denied"

    def shown(self, ps_idnat: str) -> list[str]:
        """Return the two digits on the phone of a person, oldest request first."""
        return [one.binding_message for one in self._open(ps_idnat)]

    def decide(self, ps_idnat: str, *, approve: bool) -> None:
        """Let the holder answer every request on his phone."""
        for one in self._open(ps_idnat):
            one.approved = approve

    def _open(self, ps_idnat: str) -> list[Waiting]:
        return [
            one for one in self._requests.values()
            if one.person.ps_idnat == ps_idnat and one.approved is None
        ]  # fmt: skip
