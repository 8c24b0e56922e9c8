"""Which mailbox of a professional is chosen, and when the choice belongs to a person."""

import pytest

from ris.auth.directory.values import Mailbox
from ris.mss.address import choose_mailbox
from ris.mss.errors import AmbiguousAddress, NoAddress

RPPS = "10000000022"
SITE = "1750000009"
PER = Mailbox("luc@medecin.test.mssante.fr", "PER", RPPS)
CAB = Mailbox("cabinet@medecin.test.mssante.fr", "CAB", None, SITE)
ORG = Mailbox("service@hopital.test.mssante.fr", "ORG", None, SITE)


def _chosen(*candidates: Mailbox, rpps: str = RPPS, site: str | None = SITE) -> str:
    return choose_mailbox(
        rpps, candidates, allowed=lambda domain: domain.endswith(".test.mssante.fr"),
        ordering_structure=site,
    ).address  # fmt: skip


@pytest.mark.rem("RIS.ANN.05", scenario="ANN/va1.05.01")
def test_the_mailbox_of_the_ordering_site_comes_first_then_the_personal_one() -> None:
    at_site = Mailbox("luc.site@hopital.test.mssante.fr", "PER", RPPS, SITE)
    assert _chosen(PER, CAB, ORG, at_site) == at_site.address
    assert _chosen(PER, ORG, CAB) == CAB.address
    assert _chosen(PER, ORG, CAB, site=None) == PER.address


def test_the_lowest_rank_wins_and_a_tie_is_left_to_a_person() -> None:
    first = Mailbox("a@medecin.test.mssante.fr", "PER", RPPS, rank=1)
    second = Mailbox("b@medecin.test.mssante.fr", "PER", RPPS, rank=2)
    assert _chosen(second, first) == first.address
    with pytest.raises(AmbiguousAddress):
        _chosen(PER, Mailbox("c@medecin.test.mssante.fr", "PER", RPPS))
    assert _chosen(PER, PER) == PER.address


@pytest.mark.parametrize(
    "candidate",
    [
        Mailbox("x@medecin.test.mssante.fr", "PER", "10000000099"),
        Mailbox("x@medecin.test.mssante.fr", "PER", RPPS, red_list=True),
        Mailbox("x@medecin.test.mssante.fr", "APP", RPPS),
        Mailbox("x@gmail.com", "PER", RPPS),
        Mailbox("x@medecin.test.mssante.fr", "ORG", None, "1750000001"),
    ],
)
def test_a_mailbox_that_may_be_someone_elses_is_never_chosen(candidate: Mailbox) -> None:
    with pytest.raises(NoAddress):
        _chosen(candidate)


def test_a_mailbox_of_unknown_kind_serves_only_when_it_has_an_owner() -> None:
    assert _chosen(Mailbox("x@medecin.test.mssante.fr", None, RPPS)) == "x@medecin.test.mssante.fr"
    with pytest.raises(NoAddress):
        _chosen(Mailbox("x@medecin.test.mssante.fr", None, None, SITE))


def test_without_rpps_nothing_is_chosen() -> None:
    with pytest.raises(NoAddress):
        _chosen(PER, rpps="")
