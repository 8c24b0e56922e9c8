"""What a FHIR client may count on: the CapabilityStatement, formats, errors as outcomes."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ris import app as root
from ris.auth.rights import Role
from ris.core.db import Database
from ris.interop.fhir import outcome
from ris.interop.fhir.routes import router
from tests.interop.fhir.sample import (
    MATRICULE,
    TEST_OID,
    Json,
    expressions,
    got,
    refused,
    resource,
)
from tests.security.product import Product, running
from tests.security.test_logs import captured, hidden

__all__ = ["captured"]


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Iterator[Product]:
    """The whole product with the settings of a fresh installation, and no outside service."""
    settings = root.Settings(environment="test", data_dir=tmp_path)
    with running(database, settings) as made:
        yield made


@pytest.fixture
def nobody(product: Product) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=product.url, trust_env=False) as client:
        yield client


def patient(nobody: httpx.Client) -> Json:
    (told,) = got(nobody.get("/fhir/metadata"))["rest"][0]["resource"]
    found: Json = told
    return found


def test_the_statement_says_what_the_routes_do_and_nothing_else(nobody: httpx.Client) -> None:
    whole = got(nobody.get("/fhir/metadata"))
    assert (whole["fhirVersion"], whole["format"], whole["kind"]) == ("4.0.1", ["json"], "instance")
    told = patient(nobody)
    assert [one["code"] for one in told["interaction"]] == [
        "read", "search-type", "create", "update"
    ]  # fmt: skip
    assert len(router.routes) == 6  # four interactions, the form of a search, the statement
    assert [one["name"] for one in told["searchParam"]] == [
        "birthdate", "family", "given", "identifier"
    ]  # fmt: skip
    assert (told["versioning"], told["conditionalCreate"]) == ("versioned-update", True)
    assert (told["conditionalRead"], told["updateCreate"]) == ("not-match", False)


def test_each_search_parameter_said_is_known_and_another_is_not(
    product: Product, nobody: httpx.Client
) -> None:
    desk = product.signed_in(Role.SECRETARY)
    strict = {"Prefer": "handling=strict"}
    values = {"birthdate": "1979-03-28", "identifier": "urn:oid:1.2.3|A"}
    for one in patient(nobody)["searchParam"]:
        name = one["name"]
        asked = {name: values.get(name, "A")}
        if name in ("family", "given"):
            asked["birthdate"] = values["birthdate"]
        got(desk.get("/fhir/Patient", params=asked, headers=strict))
    other = {"birthdate": values["birthdate"], "gender": "male"}
    assert refused(desk.get("/fhir/Patient", params=other, headers=strict), 400)


def test_what_the_statement_does_not_say_is_not_done(product: Product) -> None:
    desk = product.signed_in(Role.SECRETARY)
    made = got(desk.post("/fhir/Patient", json=resource()), 201)
    path = f"/fhir/Patient/{made['id']}"
    assert refused(desk.delete(path), 405) == "METHOD_NOT_ALLOWED"
    assert refused(desk.patch(path, json={}), 405) == "METHOD_NOT_ALLOWED"
    for unknown in (f"{path}/_history", "/fhir/Observation", "/fhir/", "/fhir/Patient/a/b"):
        assert refused(desk.get(unknown), 404) == "NOT_FOUND"


def test_nobody_reads_and_a_forged_request_changes_nothing(
    product: Product, nobody: httpx.Client
) -> None:
    asked = {"birthdate": "1979-03-28"}
    assert refused(nobody.get("/fhir/Patient", params=asked), 401) == "not_authenticated"
    assert refused(nobody.post("/fhir/Patient", json=resource()), 401) == "not_authenticated"
    desk = product.signed_in(Role.SECRETARY)
    del desk.headers["X-CSRF-Token"]
    assert refused(desk.post("/fhir/Patient", json=resource()), 403) == "csrf_refused"
    admin = product.signed_in(Role.ADMIN_SECURITY)
    assert refused(admin.get("/fhir/Patient", params=asked), 403) == "role_denied"
    assert got(product.signed_in(Role.SECRETARY).get("/fhir/Patient", params=asked))["total"] == 0


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        ("application/fhir+xml", 406), ("text/turtle", 406),
        ("application/fhir+json; fhirVersion=3.0", 406), ("application/json;q=0", 406),
        ("application/fhir+json; fhirVersion=4.0", 200), ("application/json", 200),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200),
    ],
)  # fmt: skip
def test_only_json_of_r4_is_served(nobody: httpx.Client, accept: str, code: int) -> None:
    answer = nobody.get("/fhir/metadata", headers={"Accept": accept})
    if code == 200:
        got(answer)
    else:
        assert refused(answer, 406) == "FHIR_NOT_ACCEPTABLE"


def test_the_format_parameter_wins_over_the_header(nobody: httpx.Client) -> None:
    xml = {"Accept": "application/fhir+xml"}
    for told in ("json", "application/fhir%2Bjson", "application/fhir+json"):
        got(nobody.get(f"/fhir/metadata?_format={told}", headers=xml))
    assert refused(nobody.get("/fhir/metadata?_format=xml"), 406) == "FHIR_NOT_ACCEPTABLE"


def test_a_body_too_large_and_a_defect_are_outcomes_too(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = product.signed_in(Role.SECRETARY)
    kind = {"Content-Type": "application/fhir+json"}
    large = desk.post("/fhir/Patient", content=b" " * (11 * 1024 * 1024), headers=kind)
    assert refused(large, 413)

    def fail(*_args: object, **_options: object) -> None:
        raise ValueError("PAT-TROIS")

    monkeypatch.setattr("ris.identity.service.index", fail)
    answer = desk.post("/fhir/Patient", json=resource())
    assert refused(answer, 500) == "INTERNAL"
    assert "PAT-TROIS" not in answer.text
    assert answer.headers["x-request-id"]


def test_the_json_api_keeps_its_problem_documents(product: Product) -> None:
    desk = product.signed_in(Role.SECRETARY)
    answer = desk.post("/v1/patients", json={})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "TRAITS_REFUSED"


def test_every_field_at_fault_is_an_issue_in_french(product: Product) -> None:
    desk = product.signed_in(Role.SECRETARY)
    answer = desk.post("/fhir/Patient", json={"resourceType": "Patient"})
    assert refused(answer, 422) == "TRAITS_REFUSED"
    issues = answer.json()["issue"]
    assert [one["code"] for one in issues] == ["required"] * 5
    assert {one["diagnostics"] for one in issues} == {
        "Nom de naissance : Champ obligatoire.",
        "Premier prénom de naissance : Champ obligatoire.",
        "Date de naissance : Champ obligatoire.",
        "Sexe : Champ obligatoire.",
        "Lieu de naissance (code INSEE) : Champ obligatoire.",
    }
    assert len(set(expressions(answer))) == 5


@pytest.mark.parametrize(
    ("problem", "kind", "severity"),
    [
        ({"code": "STALE", "status": 412}, "conflict", "error"),
        ({"code": "session_expired", "status": 401}, "expired", "error"),
        ({"code": "DATABASE_UNREACHABLE", "status": 503}, "transient", "error"),
        ({"code": "INTERNAL", "status": 500}, "exception", "fatal"),
    ],
)
def test_a_problem_document_becomes_an_outcome(problem: Json, kind: str, severity: str) -> None:
    told = outcome.of_problem({"title": "Titre", **problem})
    (issue,) = told["issue"]
    assert (issue["code"], issue["severity"]) == (kind, severity)
    assert issue["details"]["text"] == "Titre"


def test_the_published_description_says_outcomes_under_fhir_only() -> None:
    paths: dict[str, Any] = root.describe()["paths"]
    mine = {path: one for path, one in paths.items() if path.startswith("/fhir/")}
    assert len(mine) == 4
    for path, operations in paths.items():
        for operation in operations.values():
            assert ("application/fhir+json" in str(operation)) == (path in mine)
            assert ("Problem" in str(operation)) <= (path not in mine)


def test_no_line_of_the_log_tells_who_the_patient_is(
    captured: io.StringIO, product: Product
) -> None:
    desk = product.signed_in(Role.SECRETARY)
    body = resource(telecom=[{"system": "phone", "value": "0699999999"}])
    got(desk.post("/fhir/Patient", json=body), 201)
    desk.post("/fhir/Patient", json={**body, "gender": MATRICULE, "deceasedBoolean": True})
    desk.get("/fhir/Patient", params={"birthdate": "1979-03-28", "family": "PAT-TROIS"})
    desk.get("/fhir/Patient", params={"identifier": f"{TEST_OID}|{MATRICULE}"})
    got(desk.post("/fhir/Patient/_search", data={"identifier": f"{TEST_OID}|{MATRICULE}"}))
    desk.get(f"/fhir/Patient/{MATRICULE}", params={MATRICULE: "PAT-TROIS"})
    text = captured.getvalue()
    assert hidden(text, MATRICULE, "PAT-TROIS", "DOMINIQUE", "1979-03-28", "0699999999") == []
