"""Trust contracts: with whom, for what, since when. Signed and ended by a person, journaled."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ris.core import clock
from ris.core.audit import Actor, record
from ris.identity.errors import ContractExists, ContractNotFound
from ris.identity.foreign.model import TrustContract, TrustScope
from ris.rem import satisfies


@satisfies("RIS.INS.39")
def sign(
    session: Session, *, sender: str, scope: TrustScope, label: str, actor: Actor
) -> TrustContract:
    """Record the contract with *sender*; raises `ContractExists` while one is in force."""
    if in_force(session, sender) is not None:
        raise ContractExists
    contract = TrustContract(
        sender=sender, scope=scope.value, label=label, account_id=actor.account_id
    )
    session.add(contract)
    session.flush()
    _journal(session, "trust_contract.signed", contract, actor)
    return contract


def end(session: Session, contract_id: UUID, *, actor: Actor) -> TrustContract:
    """End a contract: what it let in stays, nothing more comes in by it.

    Raises `ContractNotFound` when there is none in force.
    """
    contract = session.get(TrustContract, contract_id, with_for_update=True)
    if contract is None or contract.ended_at is not None:
        raise ContractNotFound
    contract.ended_at = clock.now()
    session.flush()
    _journal(session, "trust_contract.ended", contract, actor)
    return contract


def in_force(session: Session, sender: str) -> TrustContract | None:
    """Return the contract in force with *sender*, if any."""
    live = TrustContract.ended_at.is_(None)
    return session.scalar(select(TrustContract).where(TrustContract.sender == sender, live))


def listed(session: Session) -> tuple[TrustContract, ...]:
    """Return every contract, ended ones included, oldest first."""
    return tuple(session.scalars(select(TrustContract).order_by(TrustContract.signed_at)))


def _journal(session: Session, action: str, contract: TrustContract, actor: Actor) -> None:
    detail = {"sender": contract.sender, "scope": contract.scope}
    record(session, action, actor=actor, target=("trust_contract", contract.id), detail=detail)
