"""What an SMTP reply means (mss.md §12): from code and enhanced code to what the engine does.

Pure. Reading the wire is `smtp.py`.
"""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ris.core.errors import RemoteError, Throttled, Transient
from ris.mss.errors import MessageRefused, OperatorAuthRefused

_ENHANCED: Final = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_AUTH_CODES: Final = frozenset({334, 530, 534, 535})
_QUOTA: Final = "5.2.2"
_REASONS: Final[tuple[tuple[int, str, str], ...]] = (
    (550, "5.1.1", "UNKNOWN_MAILBOX"),
    (550, "5.1.2", "OUT_OF_TRUST_SPACE"),
    (550, "5.7.1", "OUT_OF_TRUST_SPACE"),
    (552, "5.3.4", "TOO_LARGE"),
    (554, "5.1.2", "OUT_OF_TRUST_SPACE"),
    (554, "5.7.1", "POLICY"),
)
_FRENCH: Final = {
    "UNKNOWN_MAILBOX": "La boîte du destinataire n'existe pas chez son opérateur.",
    "OUT_OF_TRUST_SPACE": "Le destinataire est hors de l'espace de confiance MSSanté.",
    "TOO_LARGE": "Le message dépasse la taille admise par l'opérateur.",
    "POLICY": "L'opérateur refuse ce message.",
    "MASKED": "Le document est masqué à ce destinataire.",
    "INCONSISTENT": "Le message est incohérent avec son archive : il n'a pas été envoyé.",
}


class Action(StrEnum):
    """What to do after a reply."""

    ACCEPTED = "ACCEPTED"
    RETRY = "RETRY"
    RETRY_QUOTA = "RETRY_QUOTA"
    RETRY_WITHOUT_DSN = "RETRY_WITHOUT_DSN"
    AUTH = "AUTH"
    REJECTED = "REJECTED"


def enhanced_of(text: str) -> str:
    """Return the RFC 3463 code that begins a reply *text*, or an empty string."""
    found = _ENHANCED.search(text[:40])
    return found.group(1) if found else ""


def classify(code: int, enhanced: str) -> tuple[Action, str]:
    """Return the action for a reply, and the stable reason when it is a rejection."""
    if 200 <= code < 300:
        return Action.ACCEPTED, ""
    if code in _AUTH_CODES:
        return Action.AUTH, ""
    if 400 <= code < 500:
        return Action.RETRY, ""
    if code == 555:
        return Action.RETRY_WITHOUT_DSN, ""
    if code == 552 and enhanced == _QUOTA:
        return Action.RETRY_QUOTA, ""
    return Action.REJECTED, _reason(code, enhanced)


def refused(reason: str, *, remote_code: str | None = None) -> MessageRefused:
    """Return the permanent error whose code is *reason*, with its French sentence."""
    return MessageRefused(
        _FRENCH.get(reason, _FRENCH["POLICY"]), code=reason, remote_code=remote_code
    )


def error_of(code: int, text: str, now: datetime) -> RemoteError:
    """Return the error that a negative reply stands for. *now* is aware; the text is not kept."""
    enhanced = enhanced_of(text)
    remote = f"{code} {enhanced}".strip()
    action, reason = classify(code, enhanced)
    if action is Action.AUTH:
        return OperatorAuthRefused(remote_code=remote)
    if action is Action.RETRY_QUOTA:
        return Throttled(
            "La boîte du destinataire est pleine.",
            retry_at=now + timedelta(days=1),
            remote_code=remote,
        )
    if action is Action.RETRY:
        return (
            Throttled(remote_code=remote) if code in (421, 450) else Transient(remote_code=remote)
        )
    return refused(reason or "POLICY", remote_code=remote)


def _reason(code: int, enhanced: str) -> str:
    for known, sub, reason in _REASONS:
        if (code, enhanced) == (known, sub):
            return reason
    by_code = {550: "UNKNOWN_MAILBOX" if not enhanced else "POLICY", 552: "TOO_LARGE"}
    return by_code.get(code, "POLICY")
