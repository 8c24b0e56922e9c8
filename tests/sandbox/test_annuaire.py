"""The sandbox Annuaire Santé: key required, unknown parameters refused, fictitious people only."""

import ssl
from collections.abc import Iterator

import httpx
import pytest

from ris.auth.identifiers import is_rpps, structure
from ris.sandbox.annuaire import BASE, LISTED, Annuaire
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import REQUESTER
from ris.sandbox.server import serve

KEY = {"ESANTE-API-KEY": "k"}


@pytest.fixture
def annuaire(pki: TestPki) -> Iterator[httpx.Client]:
    """A client of a listening directory."""
    with serve(Annuaire("k").app, tls=pki.server()) as running:
        context = ssl.create_default_context(cafile=str(pki.trust))
        url = f"{running.url}{BASE}"
        with httpx.Client(base_url=url, verify=context, trust_env=False) as client:
            yield client


def test_no_key_no_answer(annuaire: httpx.Client) -> None:
    assert annuaire.get("/Practitioner").status_code == 401
    assert annuaire.get("/Practitioner", headers={"ESANTE-API-KEY": "x"}).status_code == 401


def test_an_unknown_parameter_or_resource_is_refused(annuaire: httpx.Client) -> None:
    answer = annuaire.get("/Practitioner?mailbox-mss-type=PER", headers=KEY)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
    assert annuaire.get("/Patient", headers=KEY).status_code == 404


def test_a_role_comes_with_its_structure_when_asked(annuaire: httpx.Client) -> None:
    rpps = REQUESTER.ps_idnat[1:]
    found = annuaire.get(f"/Practitioner?identifier={rpps}", headers=KEY).json()
    assert found["total"] == 1
    asked = f"/PractitionerRole?practitioner={found['entry'][0]['resource']['id']}"
    assert annuaire.get(asked, headers=KEY).json()["total"] == 1
    included = f"{asked}&_include=PractitionerRole:organization"
    assert annuaire.get(included, headers=KEY).json()["total"] == 2


def test_everybody_listed_is_fictitious_with_right_keys() -> None:
    for one in LISTED:
        assert one.person.ps_idnat.startswith("8997")
        assert is_rpps(one.person.ps_idnat[1:])
        assert all(structure(place.struct_idnat).valid for place in one.person.workplaces)
        assert all(".test." in address for address, _kind, _rank in one.mailboxes)
