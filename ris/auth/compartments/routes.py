"""HTTP of the structures and their members, and of the practices one works for. No rule here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from ris.auth import structures
from ris.auth.compartments import members
from ris.auth.compartments.schemas import (
    MemberIn,
    MemberOut,
    PracticeOut,
    PracticesOut,
    StructureIn,
    StructureOut,
)
from ris.auth.dependencies import Principal, require
from ris.auth.rights import Permission
from ris.core import clock
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["auth"])

Own = Annotated[Principal, Depends(require(Permission.SESSION_OWN))]
Administrator = Annotated[Principal, Depends(require(Permission.ACCOUNT_ADMIN, fresh=True))]


@router.get("/session/practices", summary="Cabinets pour lesquels je travaille")
@satisfies()
def read_own_practices(session: Db, principal: Own) -> PracticesOut:
    """Donne les cabinets de ce site dont l'appelant voit les examens."""
    seen = principal.compartment
    listed = members.served(session, principal.account_id, clock.now())
    return PracticesOut(
        apart=seen.active,
        whole_site=seen.exams.whole,
        practices=[
            PracticeOut(
                struct_idnat=one.struct_idnat,
                name=one.name,
                preferred=one.struct_idnat == seen.practice,
            )
            for one in listed
            if not one.is_scm and seen.exams.sees(one.struct_idnat)
        ],
    )


@router.get("/structures", summary="Structures du site")
@satisfies()
def list_structures(session: Db, principal: Administrator) -> list[StructureOut]:  # noqa: ARG001
    """Donne les cabinets et la SCM déclarés. À partir de deux cabinets, chacun voit les siens."""
    return [StructureOut.of(one) for one in members.structures(session)]


@router.post("/structures", status_code=201, summary="Déclarer une structure")
@satisfies()
def declare_structure(session: Db, principal: Administrator, told: StructureIn) -> StructureOut:
    """Déclare une structure du site, ou la corrige."""
    row = structures.declare(
        session, told.struct_idnat, told.name, is_scm=told.is_scm, actor=principal.actor
    )
    return StructureOut.of(row)


@router.get("/structures/{structure_id}/members", summary="Personnes rattachées à une structure")
@satisfies()
def list_members(
    structure_id: UUID,
    session: Db,
    principal: Administrator,  # noqa: ARG001
) -> list[MemberOut]:
    """Donne les rattachements d'une structure, terminés compris."""
    return [MemberOut.of(one) for one in members.listed(session, structure_id)]


@router.post(
    "/structures/{structure_id}/members", status_code=201, summary="Rattacher une personne"
)
@satisfies()
def add_member(
    structure_id: UUID, session: Db, principal: Administrator, told: MemberIn
) -> MemberOut:
    """Rattache une personne à un cabinet (secrétaire, remplaçant), ou à la SCM : à tous."""
    made = members.add(
        session,
        structure_id,
        told.ps_idnat,
        valid_from=told.valid_from,
        valid_to=told.valid_to,
        actor=principal.actor,
    )
    return MemberOut.of(made)


@router.delete(
    "/structures/{structure_id}/members/{member_id}", summary="Mettre fin à un rattachement"
)
@satisfies()
def end_member(
    structure_id: UUID, member_id: UUID, session: Db, principal: Administrator
) -> MemberOut:
    """Met fin à un rattachement : la prochaine requête de la personne est refusée."""
    return MemberOut.of(members.end(session, structure_id, member_id, actor=principal.actor))
