"""In whose name a report leaves: the situation it was opened under, else the signer's present."""

import pytest
from sqlalchemy.orm import Session

from ris.auth import accounts, acting, situations, structures
from ris.auth.errors import SituationEnded, SituationRequired, StructureUnusable
from ris.auth.model import Account, Situation
from ris.auth.psc.userinfo import parse
from ris.auth.rights import Role
from ris.core import clock, ids
from ris.core.errors import NotFound
from ris.sandbox.psc_people import RADIOLOGIST_A, RADIOLOGIST_TWO_SITES, Person

Held = tuple[Account, list[Situation]]


@pytest.fixture
def two_sites(session: Session) -> Held:
    return held(session, RADIOLOGIST_TWO_SITES)


def held(session: Session, person: Person) -> Held:
    account = accounts.grant(session, person.ps_idnat, Role.RADIOLOGIST)
    return account, situations.refresh(session, account, parse(person.userinfo()))


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_a_report_keeps_the_situation_its_signer_opened_it_under(
    session: Session, two_sites: Held
) -> None:
    account, (north, south) = two_sites
    found = acting.signer(session, account.id, opened_under=north.id, present=south.id)
    assert (found.situation_id, found.struct_idnat) == (north.id, north.struct_idnat)
    assert found.professional.structure is not None
    assert found.professional.structure.struct_idnat == north.struct_idnat


def test_a_report_that_somebody_else_opened_takes_the_signers_present_situation(
    session: Session, two_sites: Held
) -> None:
    account, (_, south) = two_sites
    _, (colleagues,) = held(session, RADIOLOGIST_A)
    for opened in (None, colleagues.id, ids.new()):
        found = acting.signer(session, account.id, opened_under=opened, present=south.id)
        assert found.situation_id == south.id
    with pytest.raises(SituationRequired):
        acting.signer(session, account.id, opened_under=None, present=None)
    with pytest.raises(NotFound):
        acting.signer(session, account.id, opened_under=None, present=colleagues.id)


def test_nothing_leaves_under_a_situation_that_is_over(session: Session, two_sites: Held) -> None:
    account, (north, south) = two_sites
    north.ended_at = clock.now()
    with pytest.raises(SituationEnded):
        acting.signer(session, account.id, opened_under=north.id, present=south.id)


@pytest.mark.rem("RIS.AUTH.01", scenario="AUTH/va1.01.01")
def test_nothing_leaves_under_an_scm_nor_without_a_valid_structure(
    session: Session, two_sites: Held
) -> None:
    account, (north, south) = two_sites
    structures.declare(session, north.struct_idnat, "SOCIETE DE MOYENS", is_scm=True)
    south.struct_valid = False
    for one in (north, south):
        with pytest.raises(StructureUnusable) as refused:
            acting.signer(session, account.id, opened_under=None, present=one.id)
        assert refused.value.code == "structure_unusable"


def test_an_scm_is_not_offered_where_a_practice_may_act(session: Session, two_sites: Held) -> None:
    _, (north, south) = two_sites
    structures.declare(session, north.struct_idnat, "SOCIETE DE MOYENS", is_scm=True)
    assert situations.candidates(session, [north, south]) == [south]
    assert situations.candidates(session, [north]) == [north]  # local work remains
