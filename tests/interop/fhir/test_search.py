"""GET /fhir/Patient and POST /fhir/Patient/_search: the rules of `/v1`, in FHIR words."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from ris.auth.rights import Permission, Role
from ris.core.audit import AuditEvent
from ris.core.db import Database
from ris.identity.feature import IdentityFeature
from ris.rem.evidence import Evidence
from tests.identity.test_merge import merged
from tests.identity.test_routes import create, qualified, recovered, validated
from tests.interop.fhir.sample import (
    IPP_SYSTEM,
    MATRICULE,
    TEST_OID,
    Json,
    Open,
    got,
    refused,
    slices,
    status,
)
from tests.interop.fhir.test_reading import ZOE

BORN = {"birthdate": "1979-03-28"}
NIR = "urn:oid:1.2.250.1.213.1.4.8"


def found(fhir: httpx.Client, **parameters: Any) -> list[Json]:
    bundle = got(fhir.get("/Patient", params=parameters))
    assert bundle["type"] == "searchset"
    return matches(bundle)


def matches(bundle: Json) -> list[Json]:
    return [one["resource"] for one in bundle.get("entry", ()) if one["search"]["mode"] == "match"]


def by_form(fhir: httpx.Client, **form: str) -> httpx.Response:
    return fhir.post("/Patient/_search", data=form)


def warned(bundle: Json) -> list[str]:
    return [
        issue["details"]["coding"][0]["code"]
        for one in bundle.get("entry", ())
        if one["search"]["mode"] == "outcome"
        for issue in one["resource"]["issue"]
    ]


@pytest.mark.rem("RIS.INS.07", scenario="INS/va1.02.02")
@pytest.mark.rem("RIS.INS.09", scenario="INS/va1.25.01")
def test_the_birth_date_first_then_the_first_letters(door: Open, evidence: Evidence) -> None:
    both = door(Role.SECRETARY)
    mine = create(both.json, used_family="MARTIN", birth_given_names="DOMINIQUE MARIE-LOUISE")
    create(both.json, **ZOE)
    for asked in ({}, {"family": "pat"}, {"family": "Pat-T"}, {"family": "pât'tr"},
                  {"family": "mart"}, {"given": "dom"}, {"given": "marie lo"}):  # fmt: skip
        assert [one["id"] for one in found(both.fhir, **BORN, **asked)] == [mine["id"]], asked
    assert found(both.fhir, **BORN, family="ZZ") == []
    assert found(both.fhir, birthdate="1979-03-29") == []
    answer = both.fhir.get("/Patient", params=BORN)
    evidence.add("01", "searchset.json", answer.text)
    bundle = got(answer)
    assert bundle["total"] == 1
    assert bundle["entry"][0]["fullUrl"].endswith(f"/fhir/Patient/{mine['id']}")
    assert bundle["link"][0]["relation"] == "self"
    assert bundle["link"][0]["url"].endswith("/fhir/Patient?birthdate=1979-03-28")


def test_nothing_found_is_an_empty_searchset(door: Open) -> None:
    bundle = got(door().fhir.get("/Patient", params=BORN))
    assert (bundle["total"], "entry" in bundle) == (0, False)


@pytest.mark.parametrize(
    "asked", [{}, {"family": "PAT"}, {"given": "D"}, {"identifier": f"{NIR}|"}]
)
def test_a_search_without_birth_date_nor_identifier_is_refused(door: Open, asked: Json) -> None:
    assert refused(door().fhir.get("/Patient", params=asked), 422) == "SEARCH_TOO_BROAD"


def test_the_ipp_finds_its_record_and_an_absorbed_one_the_survivor(door: Open) -> None:
    both = door()
    survivor, absorbed = validated(both.json, **ZOE), create(both.json, **ZOE)
    merged(both.json, survivor, absorbed)
    for patient in (survivor, absorbed):
        (one,) = found(both.fhir, identifier=f"{IPP_SYSTEM}|{patient['ipp']}")
        assert one["id"] == survivor["id"]
        assert (patient["ipp"] in str(slices(one))) is True
    assert found(both.fhir, identifier=f"urn:oid:9.9.9|{survivor['ipp']}") == []
    assert found(both.fhir, identifier=f"https://ailleurs|{survivor['ipp']}") == []


@pytest.mark.rem("RIS.INS.08", scenario="INS/va1.41.01")
def test_a_whole_matricule_is_searched_by_form_and_the_list_does_not_show_it(
    door: Open, database: Database, evidence: Evidence
) -> None:
    both = door(Role.RADIOLOGIST)
    patient = qualified(both.json)
    answer = by_form(both.fhir, identifier=f"{TEST_OID}|{MATRICULE}")
    evidence.add("01", "searchset.json", answer.text)
    (one,) = matches(got(answer))
    assert (one["id"], status(one)) == (patient["id"], "QUAL")
    assert MATRICULE not in answer.text
    assert [tag["code"] for tag in one["meta"]["tag"]] == ["SUBSETTED"]
    assert matches(got(by_form(both.fhir, identifier=f"{NIR}|{MATRICULE}"))) == []
    with database.transaction() as session:
        told = select(AuditEvent).where(AuditEvent.action == "patient.searched")
        details = [row.detail for row in session.scalars(told)]
    assert details == [{"criteria": ["matricule"], "found": 1}] * 2


@pytest.mark.rem("RIS.INS.08", scenario="INS/va1.41.01")
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("279035121518988", "INS_KEY_INVALID"),
        ("2790351215189", "INS_KEY_INVALID"),
        ("27903512151898 9", "INS_KEY_INVALID"),
    ],
)
def test_a_matricule_that_is_not_whole_is_not_searched(
    door: Open, database: Database, value: str, code: str
) -> None:
    assert refused(by_form(door().fhir, identifier=f"{TEST_OID}|{value}"), 422) == code
    with database.transaction() as session:
        assert not session.scalars(select(AuditEvent)).all()


def test_a_matricule_never_stands_in_an_address(door: Open) -> None:
    both = door(Role.RADIOLOGIST)
    qualified(both.json)
    answer = both.fhir.get("/Patient", params={"identifier": f"{TEST_OID}|{MATRICULE}"})
    assert refused(answer, 422) == "INS_IN_ADDRESS"
    assert MATRICULE not in answer.text
    answer = both.fhir.post(
        "/Patient/_search", params={"identifier": f"{TEST_OID}|{MATRICULE}"}, data={"_count": "1"}
    )
    assert refused(answer, 422) == "INS_IN_ADDRESS"


def test_a_search_by_ins_asks_for_the_right_to_see_it(door: Open, database: Database) -> None:
    less = frozenset({Permission.INS_READ})
    answer = by_form(door(Role.SECRETARY, less=less).fhir, identifier=f"{TEST_OID}|{MATRICULE}")
    assert refused(answer, 403) == "role_denied"
    with database.transaction() as session:
        assert [row.action for row in session.scalars(select(AuditEvent))] == ["auth.access_denied"]


def test_a_test_ins_is_not_searched_in_production(door: Open, feature: IdentityFeature) -> None:
    from dataclasses import replace

    fhir = door(feature=replace(feature, production=True)).fhir
    assert refused(by_form(fhir, identifier=f"{TEST_OID}|{MATRICULE}"), 422) == "INS_TEST_OID"


def test_the_list_is_the_same_as_that_of_the_json_api(door: Open) -> None:
    both = door(Role.RADIOLOGIST)
    recovered(both.json)
    for family in ("PAT-TROIS", "PATRON", "PASCAL"):
        create(both.json, birth_family=family)
    theirs = both.json.get("/patients", params={"birth_date": "1979-03-28", "name": "pat"}).json()
    mine = found(both.fhir, **BORN, family="pat")
    assert [one["id"] for one in mine] == [one["id"] for one in theirs["items"]]
    assert len(mine) == 3


def test_pages_follow_each_other_and_lose_no_one(door: Open) -> None:
    both = door()
    made = {create(both.json, birth_family=f"PAT-{name}")["id"] for name in "ABCDE"}
    seen: list[str] = []
    answer = both.fhir.get("/Patient", params={**BORN, "family": "PAT", "_count": 2})
    for size, more in ((2, True), (2, True), (1, False)):
        bundle = got(answer)
        assert bundle["total"] == 5
        assert len(matches(bundle)) == size
        seen += [one["id"] for one in matches(bundle)]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        assert ("next" in links) == more
        if more:
            parts = urlsplit(links["next"])
            assert parts.path == "/fhir/Patient"
            answer = both.fhir.get(f"/Patient?{parts.query}")
    assert (set(seen), len(seen)) == (made, 5)
    counted = got(both.fhir.get("/Patient", params={**BORN, "_count": 0}))
    assert (counted["total"], matches(counted)) == (5, [])


def test_a_list_cut_by_the_limit_of_the_site_says_so_and_gives_no_total(
    door: Open, feature: IdentityFeature
) -> None:
    from dataclasses import replace

    settings = feature.settings.model_copy(update={"search_limit": 2})
    both = door(feature=replace(feature, settings=settings))
    for name in "ABC":
        create(both.json, birth_family=f"PAT-{name}")
    bundle = got(both.fhir.get("/Patient", params=BORN))
    assert len(matches(bundle)) == 2
    assert "total" not in bundle
    assert warned(bundle) == ["SEARCH_CUT"]


def test_an_unknown_parameter_is_said_ignored_or_refused_when_strict(door: Open) -> None:
    fhir = door().fhir
    asked = {**BORN, "phone": "0600000000", "X1;é": "a"}
    answer = fhir.get("/Patient", params=asked)
    bundle = got(answer)
    assert warned(bundle) == ["FHIR_PARAMETER", "FHIR_PARAMETER"]
    assert "phone" in answer.text
    assert "0600000000" not in answer.text
    assert bundle["link"][0]["url"].endswith("?birthdate=1979-03-28")
    for strict in ("handling=strict", "return=minimal; handling=strict"):
        answer = fhir.get("/Patient", params=asked, headers={"Prefer": strict})
        assert refused(answer, 400) == "FHIR_PARAMETER"


@pytest.mark.parametrize(
    "query",
    [
        "birthdate=ge1979-03-28", "birthdate=1979-03", "birthdate=1979-02-30", "birthdate=hier",
        "birthdate=1979-03-28&birthdate=1979-03-28", "birthdate=1979-03-28&family:exact=A",
        "birthdate=1979-03-28&family=A,B", "birthdate=1979-03-28&given=A&given=B",
        "identifier=0000000001", "identifier=%7C0000000001", "birthdate:missing=true",
        "birthdate=1979-03-28&_count=dix", "birthdate=1979-03-28&_cursor=abc",
        "birthdate=1979-03-28&identifier=urn:oid:2.25.1%7C1",
        "birthdate=1979-03-28&_cursor=00000000-0000-7000-8000-000000000000",
    ],
)  # fmt: skip
def test_what_this_server_does_not_understand_is_refused_not_guessed(
    door: Open, query: str
) -> None:
    assert refused(door().fhir.get(f"/Patient?{query}"), 400) == "FHIR_PARAMETER"


def test_empty_parameters_count_for_nothing(door: Open) -> None:
    fhir = door().fhir
    assert found(fhir, **BORN, family="", given="", _pretty="true", _format="json") == []
    assert refused(fhir.get("/Patient", params={"birthdate": ""}), 422) == "SEARCH_TOO_BROAD"


def test_a_form_and_its_address_make_one_search(door: Open) -> None:
    both = door()
    mine = create(both.json)
    create(both.json, birth_family="AUTRE")
    answer = both.fhir.post("/Patient/_search", params=BORN, data={"family": "pat"})
    assert [one["id"] for one in matches(got(answer))] == [mine["id"]]
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    broken = both.fhir.post("/Patient/_search", content=b"family=\xff\xfe", headers=kind)
    assert refused(broken, 422) == "SEARCH_TOO_BROAD"


def test_a_form_in_another_format_is_refused(door: Open) -> None:
    fhir = door().fhir
    assert refused(fhir.post("/Patient/_search", json={}), 415) == "FHIR_MEDIA_TYPE"
    many = "&".join(f"a{n}=1" for n in range(60))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refused(fhir.post("/Patient/_search", content=many, headers=kind), 400)
