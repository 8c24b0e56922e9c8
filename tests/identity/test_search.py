"""Search: the vectors of rem.md §11.3 and the scenarios of RIS.INS.07 to .10."""

from dataclasses import asdict
from datetime import date

import pytest
from sqlalchemy.orm import Session

from ris.core.audit import Actor
from ris.core.errors import RisError
from ris.identity import search, service
from ris.identity.entry import Contact
from ris.identity.feature import IdentityFeature
from ris.identity.search import Criteria
from ris.identity.settings import IdentitySettings
from ris.identity.traits import TypedTraits
from ris.rem.evidence import Evidence

BORN = date(1980, 2, 29)
SETTINGS = IdentitySettings()
LE_GOFF = TypedTraits(
    birth_family="LE GOFF",
    first_birth_given="MARIE-ANNE",
    birth_date="1980-02-29",
    sex="F",
    birth_place="29019",
    birth_given_names="MARIE-ANNE LOUISE",
    used_family="D'ALMEIDA",
    used_given="LOU",
)


@pytest.fixture
def known(session: Session) -> Session:
    feature = IdentityFeature(SETTINGS, "2.25.1", production=False)
    service.create(session, feature, LE_GOFF, Contact(), actor=Actor())
    return session


def found(session: Session, settings: IdentitySettings = SETTINGS, **criteria: object) -> int:
    wanted = Criteria(**criteria)  # type: ignore[arg-type]
    return len(search.search(session, wanted, settings).patients)


def prove(evidence: Evidence, session: Session, **criteria: object) -> None:
    """File what was searched and every patient it showed."""
    shown = search.search(session, Criteria(**criteria), SETTINGS).patients  # type: ignore[arg-type]
    found = [asdict(patient.traits) for patient in shown]
    evidence.add("01", "search.json", {"criteria": criteria, "found": found})


@pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.01")
def test_the_birth_date_alone_finds(known: Session, evidence: Evidence) -> None:
    assert found(known, birth_date=BORN) == 1
    assert found(known, birth_date=date(1980, 2, 28)) == 0
    assert found(known, birth_date=date(1980, 2, 28), name="LEG") == 0
    prove(evidence, known, birth_date=BORN)


@pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.02")
@pytest.mark.parametrize("letters", ["DAL", "D'AL", "D--AL", "d’al", "ALMEIDA"])
def test_the_first_letters_of_the_used_name_find(
    known: Session, letters: str, evidence: Evidence
) -> None:
    assert found(known, birth_date=BORN, name=letters) == (letters != "ALMEIDA")
    prove(evidence, known, birth_date=BORN, name=letters)


@pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.03")
@pytest.mark.parametrize("letters", ["LEG", "LE G", "LE GOFF", "lé g"])
def test_the_first_letters_of_the_birth_name_find(
    known: Session, letters: str, evidence: Evidence
) -> None:
    assert found(known, birth_date=BORN, name=letters) == 1
    assert found(known, birth_date=BORN, name=letters + "X") == 0
    prove(evidence, known, birth_date=BORN, name=letters)


@pytest.mark.rem("RIS.INS.10", scenario="INS/va1.02.04")
@pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.04")
@pytest.mark.parametrize(
    "letters",
    ["MARIEA", "MARIE A", "MARIE-A", "LOUI", "MARIE-ANNE LOUISE"],
    ids=["joined", "spaced", "hyphenated", "second", "whole-list"],
)
def test_any_birth_given_name_finds(known: Session, letters: str, evidence: Evidence) -> None:
    assert found(known, birth_date=BORN, given=letters) == 1
    prove(evidence, known, birth_date=BORN, given=letters)


@pytest.mark.rem("RIS.INS.10", scenario="INS/va1.02.05")
@pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.05")
def test_the_used_given_name_finds_with_the_name_too(known: Session, evidence: Evidence) -> None:
    assert found(known, birth_date=BORN, given="LOU", name="LEGOFF") == 1
    assert found(known, birth_date=BORN, given="LOU", name="DUP") == 0
    assert found(known, birth_date=BORN, given="LEG") == 0
    prove(evidence, known, birth_date=BORN, given="LOU", name="LEGOFF")


@pytest.mark.parametrize(
    ("base", "letters"),
    [
        pytest.param(
            "DUPONT DURAND", "DUPONT-DU",
            marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.01"),
        ),
        pytest.param(
            "DUPONT-DURAND", "DUPONT DU",
            marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.02"),
        ),
        pytest.param(
            "DUPONT-DURAND", "DUPONT--DURAND",
            marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.03"),
        ),
        pytest.param(
            "LHERAULT", "L'HER", marks=pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.04")
        ),
    ],
)  # fmt: skip
def test_punctuation_does_not_count_on_either_side(
    session: Session, base: str, letters: str, evidence: Evidence
) -> None:
    feature = IdentityFeature(SETTINGS, "2.25.1", production=False)
    typed = TypedTraits(base, "ANNE", "1980-02-29", "F", "29019")
    service.create(session, feature, typed, Contact(), actor=Actor())
    assert found(session, birth_date=BORN, name=letters) == 1
    prove(evidence, session, birth_date=BORN, name=letters)


@pytest.mark.rem("RIS.INS.08", scenario="INS/va1.41.01")
@pytest.mark.parametrize("matricule", ["279035121518988", "27903512151898", "2790351215189"])
def test_a_matricule_that_is_not_whole_stops_before_the_search(
    known: Session, matricule: str, evidence: Evidence
) -> None:
    with pytest.raises(RisError) as caught:
        found(known, matricule=matricule)
    assert (caught.value.code, caught.value.rem) == ("INS_KEY_INVALID", ("RIS.INS.08",))
    evidence.add("02", "refused.json", {"code": caught.value.code, "detail": caught.value.detail})


@pytest.mark.rem("RIS.INS.08", scenario="INS/va1.41.01")
def test_a_whole_matricule_finds_the_recovered_patient(known: Session, evidence: Evidence) -> None:
    patient = search.search(known, Criteria(birth_date=BORN), SETTINGS).patients[0]
    patient.status, patient.ins_matricule = "récupérée", "279035121518989"
    patient.ins_oid = "1.2.250.1.213.1.4.10"
    known.flush()
    assert found(known, matricule="279035121518989") == 1
    assert found(known, matricule="260058815400233") == 0
    prove(evidence, known, matricule="279035121518989")


def test_names_alone_are_too_broad_and_the_ipp_is_enough(known: Session) -> None:
    with pytest.raises(RisError) as caught:
        found(known, name="LEGOFF")
    assert caught.value.code == "SEARCH_TOO_BROAD"
    patient = search.search(known, Criteria(birth_date=BORN), SETTINGS).patients[0]
    assert found(known, ipp=patient.ipp) == 1


def test_a_site_may_limit_the_letters_and_the_list(known: Session) -> None:
    few = SETTINGS.model_copy(update={"search_max_letters": 3})
    assert found(known, few, birth_date=BORN, name="LEG") == 1
    with pytest.raises(RisError) as caught:
        found(known, few, birth_date=BORN, name="LEGO")
    assert caught.value.code == "SEARCH_TOO_NARROW"
    feature = IdentityFeature(SETTINGS, "2.25.1", production=False)
    service.create(known, feature, LE_GOFF, Contact(), actor=Actor())
    one = SETTINGS.model_copy(update={"search_limit": 1})
    result = search.search(known, Criteria(birth_date=BORN), one)
    assert (len(result.patients), result.more) == (1, True)
