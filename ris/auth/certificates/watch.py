"""Telling in time: what is wrong when a process starts, what ends soon, every day (AUTH-50).

The rules are in `rules.py`; here are the log, the journal and the measures.
"""

from collections.abc import Iterator

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from ris.auth.certificates import rules, service
from ris.auth.certificates.model import CertificateWarning
from ris.auth.certificates.pool import CertificatePool
from ris.auth.certificates.values import Held, State
from ris.core import audit, clock
from ris.core.db import Database
from ris.rem import satisfies
from ris.web.health import Sample


@satisfies("RIS.AUTH.01")
def announce(pool: CertificatePool) -> list[Held]:
    """Log every certificate that is of no use, and return them: the others go on (A13, A23)."""
    log = structlog.get_logger()
    wrong = rules.faults(pool.inventory())
    for one in wrong:
        log.warning(
            "certificate.refused", struct=one.struct_idnat, usage=one.usage, serial=one.serial,
            reason=one.refusal,
        )  # fmt: skip
    return wrong


@satisfies("RIS.AUTH.01")
def warn(database: Database, pool: CertificatePool) -> int:
    """Journal each threshold that a certificate crossed since it was last looked at; how many.

    Only the last one crossed: a site that was off from 95 to 20 days hears of 30. Told once, also
    when two processes look at the same time.
    """
    due = [(one, one.alert) for one in pool.inventory() if one.alert is not None]
    with database.transaction() as session, audit.together(session):
        fresh = [(held, crossed) for held, crossed in due if _first(session, held, crossed)]
        for held, crossed in fresh:
            audit.record(
                session, "auth.certificate_expiry_warning",
                target=("certificate", held.fingerprint),
                detail={
                    **service.told(held), "days_left": held.days_left, "threshold": crossed,
                },
            )  # fmt: skip
    for held, crossed in fresh:
        structlog.get_logger().warning(
            "certificate.expiry", struct=held.struct_idnat, usage=held.usage, serial=held.serial,
            days_left=held.days_left, threshold=crossed,
        )  # fmt: skip
    return len(fresh)


def collect(pool: CertificatePool, _session: Session) -> Iterator[Sample]:
    """Yield the days left of each certificate that serves, or last served, and what is refused."""
    held = pool.inventory()
    left = "Jours restants du certificat en service, négatifs après sa fin."
    for line in dict.fromkeys(one.line for one in held):
        ranked = [one for one in held if one.line == line and one.days_left is not None]
        serving = [one for one in ranked if one.state is State.CURRENT] or ranked
        labels = {"struct": line[0], "usage": line[1]}
        for one in serving[:1]:
            yield Sample("ris_certificate_days_left", one.days_left or 0, labels, left)
    for line, wrong in _counted(rules.faults(held)).items():
        labels = {"struct": line[0], "usage": line[1]}
        yield Sample("ris_certificate_refused", wrong, labels, "Certificats inutilisables.")


def _counted(held: list[Held]) -> dict[tuple[str, str], int]:
    return {line: sum(one.line == line for one in held) for line in {one.line for one in held}}


def _first(session: Session, held: Held, threshold: int) -> bool:
    row = {
        "fingerprint": held.fingerprint, "usage": held.usage, "threshold": threshold,
        "warned_at": clock.now(),
    }  # fmt: skip
    written = insert(CertificateWarning).values(row).on_conflict_do_nothing()
    return session.execute(written.returning(CertificateWarning.threshold)).first() is not None
