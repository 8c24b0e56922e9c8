"""Lines 13 to 16: identity documents, validation by hand or by itself, the two ways up."""

import json

import pytest

from ris.auth.rights import Role
from tests.ins_day.acts import (
    accept,
    ask_insi,
    create,
    history,
    holders,
    present,
    recovered,
    show,
)
from tests.ins_day.conftest import Line
from tests.ins_day.practice import Desk, Json, Practice


def steps(desk: Desk, patient: Json) -> list[tuple[str | None, str]]:
    """The statuses of the history: before, after."""
    events = history(desk, patient)
    assert all(one["at"] and one["ps_idnat"] == desk.me for one in events)
    return [(one["from_status"], one["to_status"]) for one in events]


@pytest.mark.ins_day(13)
@pytest.mark.rem("RIS.INS.18", scenario="INS/va1.23.01")
def test_23_01_the_type_of_the_document_is_recorded(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    patient = create(secretary, practice.stranger())
    shown = present(secretary, patient, "CN", validate=False)
    assert (shown["type"], shown["trust"], shown["validated"]) == ("CN", "high", False)
    assert shown["patient"]["status"] == "provisoire"
    assert shown["recorded_at"]
    after = present(secretary, patient, "PA")["patient"]
    step = history(secretary, after)[-1]
    assert (step["to_status"], step["evidence"]) == ("validée", {"document": "PA"})
    line.saw("type du titre enregistré à la création et à la vérification, sans numéro")
    line.keep("titre.json", {"enregistré": shown, "étape": step})


@pytest.mark.ins_day(13)
@pytest.mark.rem("RIS.INS.19", scenario="INS/va1.26.01")
def test_26_01_the_site_sets_its_documents_and_their_trust(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    default = {one["code"]: one["trust"] for one in secretary.get("/v1/identity-documents")}
    assert (default["PA"], default["PC"]) == ("high", "low")
    chosen = [
        {"code": "PC", "label": "Permis de conduire", "trust": "high"},
        {"code": "PA", "label": "Passeport", "trust": "low"},
        {"code": "XX", "label": "Titre propre au site", "trust": "high"},
    ]
    with (
        practice.site.served(RIS_IDENTITY__DOCUMENTS=json.dumps(chosen)) as url,
        secretary.at(url),
    ):
        listed = secretary.get("/v1/identity-documents")
        assert [{name: one[name] for name in chosen[0]} for one in listed] == chosen
        outcomes = {}
        for kind in ("PC", "XX"):
            patient = create(secretary, practice.stranger())
            outcomes[kind] = present(secretary, patient, kind)["patient"]["status"]
        patient = create(secretary, practice.stranger())
        for kind in ("PA", "CN"):
            outcomes[kind] = present(secretary, patient, kind, status=422)["code"]
    assert outcomes == {
        "PC": "validée",
        "XX": "validée",
        "PA": "IDENTITY_DOCUMENT_REFUSED",  # of low trust here
        "CN": "IDENTITY_DOCUMENT_REFUSED",  # off this site's list
    }
    line.saw("liste et niveaux réglés par site, et suivis d'effet")
    line.keep("liste.json", {"par défaut": default, "réglée": listed, "effet": outcomes})


@pytest.mark.ins_day(14)
@pytest.mark.rem("RIS.INS.20", scenario="INS/va1.55.01")
@pytest.mark.rem("RIS.INS.24", scenario="INS/va1.54.01")
def test_55_01_an_explicit_act_validates(practice: Practice, secretary: Desk, line: Line) -> None:
    patient = create(secretary, practice.stranger())
    assert present(secretary, patient, validate=False)["patient"]["status"] == "provisoire"
    refused = present(secretary, patient, "PC", status=422)
    assert refused["code"] == "IDENTITY_DOCUMENT_REFUSED"
    after = present(practice.desk(Role.RADIOLOGIST), patient)["patient"]
    assert after["status"] == "validée"
    line.saw("validée par une action explicite, titre à haute confiance exigé")
    line.keep("manuelle.json", after)


@pytest.mark.ins_day(14)
@pytest.mark.rem("RIS.INS.20", scenario="INS/va1.55.02")
@pytest.mark.rem("RIS.INS.21", scenario="INS/va1.33.01")
def test_55_02_33_01_the_automatism_validates_only_where_it_is_switched_on(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    seen = {}
    for setting in ("true", "false"):
        with (
            practice.site.served(RIS_IDENTITY__AUTOMATIC_VALIDATION=setting) as url,
            secretary.at(url),
        ):
            for kind in ("PA", "PC"):
                patient = create(secretary, practice.stranger())
                shown = present(secretary, patient, kind, validate=False)
                seen[f"{setting} {kind}"] = shown["patient"]["status"]
            patient = recovered(secretary, practice.person())
            shown = present(secretary, patient, validate=False)
            seen[f"{setting} récupérée"] = shown["patient"]["status"]
    assert seen == {
        "true PA": "validée",
        "true PC": "provisoire",
        "true récupérée": "qualifiée",
        "false PA": "provisoire",
        "false PC": "provisoire",
        "false récupérée": "récupérée",
    }
    default = create(secretary, practice.stranger())
    assert present(secretary, default, validate=False)["patient"]["status"] == "provisoire"
    line.saw("automatique seulement si activé (haute confiance) ; éteint par défaut")
    line.keep("automatisme.json", seen)


@pytest.mark.ins_day(15)
@pytest.mark.rem("RIS.INS.25", scenario="INS/va1.54.01")
@pytest.mark.rem("RIS.INS.22", scenario="INS/va1.54.01-02")
@pytest.mark.rem("RIS.INS.24", scenario="INS/va1.54.01")
@pytest.mark.rem("RIS.INS.26")
def test_54_01_provisional_then_validated_then_qualified(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = create(secretary, person)
    assert (patient["status"], patient["ins"]) == ("provisoire", None)
    checked = present(secretary, patient)["patient"]
    assert (checked["status"], checked["ins"]) == ("validée", None)
    assert holders(secretary, person) == []
    after = accept(secretary, patient, ask_insi(secretary, patient))
    assert after["status"] == "qualifiée"
    assert after["ins"] == {"matricule": person.number, "oid": person.oid, "nature": "NIR"}
    assert steps(secretary, patient) == [
        (None, "provisoire"), ("provisoire", "validée"), ("validée", "qualifiée"),
    ]  # fmt: skip
    line.saw("provisoire → validée → qualifiée, INS seulement à la fin")
    line.keep("parcours.json", history(secretary, patient))
    line.keep("qualifiee.json", after)


@pytest.mark.ins_day(16)
@pytest.mark.rem("RIS.INS.25", scenario="INS/va1.54.02")
@pytest.mark.rem("RIS.INS.22", scenario="INS/va1.54.01-02")
@pytest.mark.rem("RIS.INS.23", scenario="INS/va1.54.02")
@pytest.mark.rem("RIS.INS.26")
def test_54_02_provisional_then_recovered_then_qualified(
    practice: Practice, secretary: Desk, line: Line
) -> None:
    person = practice.person()
    patient = create(secretary, person)
    assert patient["status"] == "provisoire"
    found = accept(secretary, patient, ask_insi(secretary, patient))
    assert (found["status"], found["ins"]) == ("récupérée", None)
    assert holders(secretary, person) == [patient["id"]]
    after = present(secretary, patient)["patient"]
    assert after["status"] == "qualifiée"
    assert after["ins"] == {"matricule": person.number, "oid": person.oid, "nature": "NIR"}
    assert show(secretary, patient)["ins"] == after["ins"]
    assert steps(secretary, patient) == [
        (None, "provisoire"), ("provisoire", "récupérée"), ("récupérée", "qualifiée"),
    ]  # fmt: skip
    line.saw("provisoire → récupérée (INS gardée, cachée) → qualifiée")
    line.keep("parcours.json", history(secretary, patient))
    line.keep("qualifiee.json", after)
