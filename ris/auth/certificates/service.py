"""Adding and retiring certificates, with their trace; the list as administrators see it.

Acts in a given session. Disk and journal go together: a pair placed is removed again when the
transaction fails, a pair retired is destroyed once it is committed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session

from ris.auth import structures
from ris.auth.certificates import rules, store
from ris.auth.certificates.errors import (
    CertificateInUse,
    CertificateRefused,
    CertificateUnknown,
)
from ris.auth.certificates.offers import Offer
from ris.auth.certificates.pool import CertificatePool
from ris.auth.certificates.store import fingerprint
from ris.auth.certificates.values import EXPLAINED, Held, Refusal, State, Usage
from ris.auth.errors import StructureUnusable
from ris.auth.identifiers import structure
from ris.core import audit, clock
from ris.core.crypto import Sealer
from ris.core.errors import Invalid
from ris.rem import satisfies

_TIMELY: Final = (None, Refusal.NOT_YET_VALID)


@satisfies("RIS.AUTH.01", "RIS.AUTH.02")
def add(
    session: Session,
    pool: CertificatePool,
    struct_idnat: str,
    usage: Usage,
    offer: Offer,
    *,
    actor: audit.Actor = audit.SYSTEM,
) -> Held:
    """Put a certificate and its key in the pool, beside those of the same line; how it stands.

    One that is valid later waits there; one that replaces another serves at once, the other being
    kept. The same certificate dropped there by hand gives way: its key was in clear. Raises
    Invalid (`STRUCTURE_INVALID`), StructureUnusable (an SCM), CertificateRefused, CertificateKnown,
    PoolReadOnly.
    """
    _refuse_structure(session, struct_idnat)
    weak = rules.weak(offer.leaf, pool.settings)
    judged = weak or rules.unfit(offer.leaf, struct_idnat, usage, clock.now())
    if judged not in _TIMELY:
        raise CertificateRefused(judged)
    if doubt := pool.doubted(list(offer.chain), pool.authorities()):
        raise CertificateRefused(doubt)
    present = pool.examine(struct_idnat, usage)
    mark = fingerprint(offer.leaf)
    replaces = [one.held.serial for one in present if one.held.state is State.CURRENT]
    pair = pool.store.place(struct_idnat, usage, offer.chain, offer.key)
    _once(session, "after_rollback", partial(pool.store.remove, pair))
    for one in present:
        if one.held.fingerprint == mark:  # dropped by hand, its key in clear: no more
            _once(session, "after_commit", partial(pool.store.remove, one.pair))
    added = next(one.held for one in pool.examine(struct_idnat, usage) if one.pair == pair)
    _trace(session, "replace" if replaces else "add", added, actor, {"replaces": replaces})
    return added


def retire(
    session: Session,
    pool: CertificatePool,
    struct_idnat: str,
    usage: Usage,
    serial: str,
    *,
    in_use: bool = False,
    actor: audit.Actor = audit.SYSTEM,
) -> Held:
    """Take a certificate out of the pool and destroy its key; what it was.

    *in_use* allows the one that serves, after a theft for instance: its spare then serves, or
    nothing. Raises CertificateUnknown, CertificateInUse; PoolReadOnly at the commit.
    """
    wanted = serial.lower().replace(":", "").lstrip("0")
    found = [one for one in pool.examine(struct_idnat, usage) if one.held.serial == wanted]
    if not found:
        raise CertificateUnknown
    if not in_use and any(one.held.state is State.CURRENT for one in found):
        raise CertificateInUse("Ajoutez d'abord son remplaçant, ou confirmez le retrait.")
    for one in found:
        _once(session, "after_commit", partial(pool.store.remove, one.pair))
    _trace(session, "retire", found[0].held, actor, {"state": found[0].held.state})
    return found[0].held


def rewrap(session: Session, pool: CertificatePool, sealer: Sealer, kek_id: str) -> tuple[int, int]:
    """Put the passphrases of the keys under the current key of the ring; how many, how many lost.

    Certificates and keys stay as they are. Interrupted, it is run again.
    """
    done, lost = store.rewrap(pool.store, sealer, kek_id)
    if done or lost:
        audit.record(
            session, "auth.certificate_keys_rotated", outcome="failure" if lost else "success",
            detail={"kek": kek_id, "rewrapped": done, "unreadable": lost},
        )  # fmt: skip
    return done, lost


def inventory(session: Session, pool: CertificatePool) -> list[Held]:
    """Return every certificate with its state; one put there for an SCM is refused (AUTH-60)."""
    of_scm = {one for one in pool.store.structures() if structures.is_scm(session, one)}
    return [
        replace(one, refusal=Refusal.STRUCTURE_UNUSABLE, state=State.REFUSED)
        if one.struct_idnat in of_scm
        else one
        for one in pool.inventory()
    ]


def _refuse_structure(session: Session, struct_idnat: str) -> None:
    if not structure(struct_idnat).valid:
        raise Invalid("Identifiant de structure invalide.", code="STRUCTURE_INVALID")
    if structures.is_scm(session, struct_idnat):
        raise StructureUnusable(EXPLAINED[Refusal.STRUCTURE_UNUSABLE])


def _trace(
    session: Session, verb: str, held: Held, actor: audit.Actor, more: Mapping[str, Any]
) -> None:
    audit.record(
        session, f"auth.certificate_{verb}", actor=actor, target=("certificate", held.fingerprint),
        detail={**told(held), **more},
    )  # fmt: skip


def told(held: Held) -> dict[str, Any]:
    """Return what the journal says of a certificate: never the key."""
    end = held.not_after.isoformat() if held.not_after else None
    return {
        "struct_idnat": held.struct_idnat, "usage": held.usage, "serial": held.serial,
        "not_after": end,
    }  # fmt: skip


def _once(session: Session, moment: str, act: Callable[[], None]) -> None:
    event.listen(session, moment, lambda _session: act(), once=True)
