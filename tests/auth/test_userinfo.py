"""Reading of userinfo claims: official payloads, and payloads with holes."""

import json
from pathlib import Path
from typing import Any

import pytest

from ris.auth.errors import PscProtocolError
from ris.auth.identifiers import StructureKind
from ris.auth.psc.userinfo import Activity, Identity, parse, resolve_structure
from ris.sandbox.psc_people import PEOPLE, RADIOLOGIST_TWO_SITES, SECRETARY


@pytest.mark.parametrize("answers", ["expected.json", "expected-obs.json"])
def test_every_official_payload_reads_as_expected(conformance: Path, answers: str) -> None:
    folder = conformance / "psc"
    for name, expected in json.loads((folder / answers).read_text(encoding="utf-8")).items():
        payload = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        assert _summary(parse(payload)) == expected, name


def test_repeated_activities_are_kept_once(conformance: Path) -> None:
    text = (conformance / "psc" / "obs-03-medecin-deux-exercices.json").read_text("utf-8")
    assert [one.structure.kind for one in parse(json.loads(text)).situations()] == [
        StructureKind.RPPS_RANG,
        StructureKind.FINESS,
    ]


def test_the_people_of_the_sandbox_read_without_loss() -> None:
    for person in PEOPLE:
        identity = parse(person.userinfo())
        assert identity.subject_name_id == person.ps_idnat
        read = [one.structure.value for one in identity.situations()]
        assert read == [place.struct_idnat for place in person.workplaces]
    assert len(parse(RADIOLOGIST_TWO_SITES.userinfo()).situations()) == 2
    assert parse(SECRETARY.userinfo()).rpps is None


def test_an_rpps_may_come_only_from_the_other_identifiers() -> None:
    claims = {
        "SubjectNameID": "d2c6b2a4-83a1-4d4b-94e8-000000000000",
        "otherIds": [{"identifiant": "899700993001", "origine": "RPPS", "qualite": 1}],
    }
    assert parse(claims).rpps == "99700993001"


@pytest.mark.parametrize("claims", [{}, {"SubjectNameID": " "}, {"SubjectNameID": 8}])
def test_no_subject_is_the_only_fatal_hole(claims: dict[str, Any]) -> None:
    with pytest.raises(PscProtocolError) as caught:
        parse(claims)
    assert caught.value.reason == "userinfo_no_subject"


def test_malformed_parts_are_ignored() -> None:
    identity = parse(
        {
            "SubjectNameID": "899700993001",
            "otherIds": "none",
            "SubjectRefPro": {"exercices": [None, {"codeProfession": "10", "activities": {}}]},
        }
    )
    assert [one.activities for one in identity.exercises] == [()]


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        ({"ancienIdentifiantDeLaStructure": "499700993001004"}, "499700993001004"),
        (
            {"ancienIdentifiantDeLaStructure": "499700993001005", "numeroFinessSite": "990000017"},
            "1990000017",
        ),
        ({"numeroSiretSite": "00000000993014"}, "300000000993014"),
        ({"numeroSiretSite": "00000000000000"}, ""),
        ({"identifiantTechniqueDeLaStructure": "R990001"}, ""),
        ({}, ""),
    ],
)
def test_the_first_valid_identifier_of_a_structure_wins(
    activity: dict[str, str], expected: str
) -> None:
    assert resolve_structure(activity).value == expected


def _summary(identity: Identity) -> dict[str, Any]:
    def structure(one: Activity) -> dict[str, Any]:
        owner = one.structure.owner_rpps
        return {
            "struct_idnat": one.structure.value,
            "type": one.structure.kind,
            "valid": one.structure.valid,
            "owner_rpps": owner,
            "owner_is_user": owner == identity.rpps if owner else None,
            "secteur": one.sector,
            "mode": one.mode,
        }

    return {
        "subject_name_id": identity.subject_name_id,
        "rpps": identity.rpps,
        "professions": [one.profession for one in identity.exercises],
        "savoir_faire": [one.specialty for one in identity.exercises],
        "structures": [structure(a) for one in identity.exercises for a in one.activities],
    }
