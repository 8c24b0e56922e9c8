"""Which structures this installation serves, and which may act outside (auth.md §8, AUTH-60).

An SCM owns means and practises no medicine: its identifier never leaves the RIS as the structure
of a medical act. No certificate here (`certificates/`).
"""

from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from ris.auth.errors import StructureUnusable
from ris.auth.identifiers import structure
from ris.auth.model import ServedStructure
from ris.core import audit
from ris.core.errors import Invalid, NotFound

_NAME_MAX: Final = 200


def declare(
    session: Session,
    struct_idnat: str,
    name: str,
    *,
    is_scm: bool = False,
    actor: audit.Actor = audit.SYSTEM,
) -> ServedStructure:
    """Record a structure of the installation, or update it, and trace it.

    Raises Invalid (`STRUCTURE_INVALID`) on a wrong key or a name that is empty or too long.
    """
    if not structure(struct_idnat).valid:
        raise Invalid("Identifiant de structure invalide.", code="STRUCTURE_INVALID")
    if not name.strip() or len(name) > _NAME_MAX:
        raise Invalid(f"Nom de structure de 1 à {_NAME_MAX} caractères.", code="STRUCTURE_INVALID")
    known = find(session, struct_idnat)
    if known is None:
        known = ServedStructure(struct_idnat=struct_idnat, name=name, is_scm=is_scm)
        session.add(known)
    known.name, known.is_scm = name, is_scm
    session.flush()
    audit.record(
        session, "auth.structure_declare", actor=actor, target=("structure", known.id),
        detail={"struct_idnat": struct_idnat, "scm": is_scm},
    )  # fmt: skip
    return known


def require_acting(session: Session, struct_idnat: str) -> None:
    """Refuse a structure that may not stand behind an act that leaves the RIS.

    Raises StructureUnusable for an SCM and for an identifier that does not check (AUTH-20, 60).
    """
    if not structure(struct_idnat).valid:
        raise StructureUnusable("Cette situation n'a pas d'identifiant de structure valide.")
    known = find(session, struct_idnat)
    if known is not None and known.is_scm:
        raise StructureUnusable(
            "Une SCM ne peut pas signer un acte : choisissez la situation de votre cabinet."
        )


def served(session: Session, struct_idnat: str) -> ServedStructure:
    """Return a structure declared here; raises NotFound (`STRUCTURE_UNKNOWN`)."""
    known = find(session, struct_idnat)
    if known is None:
        raise NotFound("Structure non déclarée sur ce site.", code="STRUCTURE_UNKNOWN")
    return known


def is_scm(session: Session, struct_idnat: str) -> bool:
    """Say whether a structure is declared a means company (SCM)."""
    known = find(session, struct_idnat)
    return known is not None and known.is_scm


def find(session: Session, struct_idnat: str) -> ServedStructure | None:
    """Return a structure declared on this installation, or None."""
    query = select(ServedStructure).where(ServedStructure.struct_idnat == struct_idnat)
    return session.scalars(query).one_or_none()


def any_scm(session: Session) -> bool:
    """Say whether this installation serves an SCM."""
    return bool(session.scalar(select(exists().where(ServedStructure.is_scm))))
