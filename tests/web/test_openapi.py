"""The description of the API says what a client needs beside the shapes of the answers."""

import re
from typing import Any, Final

import pytest
from fastapi import FastAPI

from ris import app as root
from ris.web.openapi import complete

PUBLIC: Final = {
    "/auth/psc/login", "/auth/psc/callback", "/auth/psc/logged-out", "/auth/native/session",
    "/auth/card/login", "/auth/local/login", "/auth/local/password",
    "/auth/psc/backchannel-logout", "/auth/psc/ciba", "/auth/psc/ciba/{request_id}",
    "/healthz", "/readyz", "/metrics", "/fhir/metadata",
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = FastAPI()
    root._include(app)
    return complete(app.openapi(), app.routes)


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, one) for path, of in document["paths"].items() for method, one in of.items()
    ]


def test_every_closed_route_tells_its_right_its_cookie_and_its_refusals(
    document: dict[str, Any],
) -> None:
    for path, method, one in operations(document):
        closed = path not in PUBLIC
        assert ("x-permission" in one) is closed, (method, path)
        assert ("security" in one) is closed
        assert not closed or {"400", "401", "403", "429"} <= set(one["responses"])
        csrf = {"$ref": "#/components/parameters/CsrfToken"} in one.get("parameters", [])
        assert csrf is (closed and method != "get")


def test_a_versioned_change_tells_412_428_and_its_etag(document: dict[str, Any]) -> None:
    change = document["paths"]["/v1/exams/{exam_id}/events"]["post"]
    assert {"404", "409", "412", "422", "428"} <= set(change["responses"])
    assert "ETag" in change["responses"]["200"]["headers"]
    assert change["x-permission"] == "exam.write"


def test_every_refusal_told_in_words_is_among_the_answers(document: dict[str, Any]) -> None:
    for path, method, one in operations(document):
        told = set(re.findall(r"\b(4\d\d|50[0-4])\b", one.get("description", "")))
        if path != "/readyz":
            assert told <= set(one["responses"]), (method, path)


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    text = str(document)
    assert "HTTPValidationError" not in text
    for name in re.findall(r"#/components/(\w+/[\w-]+)", text):
        kind, _, key = name.partition("/")
        assert key in document["components"][kind], name
    item = document["components"]["schemas"]["ProblemItem"]
    assert "pointer" in item["properties"]


def test_no_text_sends_the_reader_to_a_document_he_does_not_have(document: dict[str, Any]) -> None:
    assert re.findall(r"\w+\.md\b", str(document)) == []


def test_states_are_given_as_the_list_of_their_values(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, field in (
        ("ExamOut", "status"), ("DeliveryOut", "state"), ("DeliveryOut", "operation"),
        ("AttemptOut", "outcome"), ("PatientOut", "status"), ("HistoryOut", "event"),
        ("AccountOut", "status"),
    ):  # fmt: skip
        shown = schemas[name]["properties"][field]
        assert "enum" in schemas[shown["$ref"].rpartition("/")[2]], (name, field)
    assert "study_received" not in schemas["ExamEventIn"]["properties"]["event"]["enum"]


def test_a_body_with_an_unknown_field_is_refused_by_every_route(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    open_bodies = set()
    for path, _, one in operations(document):
        sent = one.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "fhir" not in path:
            told = sent.get("schema", {})
            for ref in [told, *told.get("anyOf", ())]:
                name = ref.get("$ref", "").rpartition("/")[2]
                if name and schemas[name].get("additionalProperties") is not False:
                    open_bodies.add(name)
    assert open_bodies == set()


def test_what_is_named_in_a_query_or_a_body_may_be_unknown(document: dict[str, Any]) -> None:
    for path, method in (
        ("/v1/insi-calls", "get"),
        ("/v1/orders", "post"),
        ("/v1/reports", "post"),
    ):
        assert "404" in document["paths"][path][method]["responses"]


def test_every_refusal_has_the_shape_of_a_problem_or_of_an_outcome(
    document: dict[str, Any],
) -> None:
    for path, method, one in operations(root.describe()):
        for status, answer in one["responses"].items():
            if status >= "400" and "$ref" not in answer:
                assert answer.get("content"), (method, path, status)
