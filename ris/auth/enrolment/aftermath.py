"""What a refused sign-in leaves, in the transaction of its trace: a request, a conflict, an alert.

The sign-in's own transaction is rolled back by the refusal, so nothing of it can be kept there.
"""

from sqlalchemy.orm import Session

from ris.auth.administration import alerts, conflicts
from ris.auth.administration.model import AlertKind
from ris.auth.enrolment import service
from ris.auth.enrolment.errors import AccountPending, ConflictFound, ProfessionLost
from ris.auth.errors import EnrolUnknown
from ris.core import audit
from ris.core.audit import Actor
from ris.core.errors import RisError


def lasts(error: RisError) -> bool:
    """Say whether *error* is about a person whose identity was proved, and leaves something."""
    return isinstance(error, AccountPending | ConflictFound | ProfessionLost)


def note(session: Session, error: RisError, actor: Actor) -> None:
    """Keep what *error* asks to be kept; nothing for most refusals."""
    if isinstance(error, EnrolUnknown):
        audit.record(session, "auth.enrol_unknown", actor=actor, outcome="failure")
    elif isinstance(error, AccountPending) and error.identity is not None:
        _request(session, error, actor)
    elif isinstance(error, ConflictFound):
        conflicts.queue(session, error, actor)
    elif isinstance(error, ProfessionLost):
        if error.identity is not None:
            alerts.watch(session, error.account_id, error.identity)
        alerts.raise_one(session, error.account_id, AlertKind.ROLE_REFUSED)


def _request(session: Session, error: AccountPending, actor: Actor) -> None:
    """Record the request; one that contradicts an account opened meanwhile is a conflict."""
    if error.identity is not None:
        try:
            with session.begin_nested():
                service.request(session, error.identity, actor)
        except ConflictFound as found:
            conflicts.queue(session, found, actor)
