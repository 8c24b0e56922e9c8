"""The HTTP conventions of engineering.md §3, through a small application of their own."""

import asyncio
import base64
import json
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from ris.core.db import Database
from ris.web.middleware import Envelope

Written = Callable[[], int]
NAME = "DURAND 279035121518989"


def test_a_commit_that_fails_is_a_problem_and_stores_nothing(
    client: httpx.Client, written: Written
) -> None:
    answer = client.post("/v1/fails-at-commit")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert written() == 0


def test_a_change_without_if_match_is_428_and_with_a_stale_one_412(client: httpx.Client) -> None:
    url = "/v1/notes/01890000-0000-7000-8000-000000000001"
    absent, stale = client.put(url), client.put(url, headers={"If-Match": '"2"'})
    assert (absent.status_code, absent.json()["code"]) == (428, "IF_MATCH_REQUIRED")
    assert (stale.status_code, stale.json()["code"]) == (412, "STALE")
    assert client.put(url, headers={"If-Match": '"3"'}).status_code == 200


def test_a_repeated_key_has_one_effect_and_one_answer(
    client: httpx.Client, written: Written
) -> None:
    headers = {"Idempotency-Key": "abc"}
    first = client.post("/v1/notes", json={"text": "a"}, headers=headers)
    second = client.post("/v1/notes", json={"text": "a"}, headers=headers)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second.headers["etag"] == first.headers["etag"] == '"1"'
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert written() == 1


def test_a_key_used_for_another_body_is_refused(client: httpx.Client, written: Written) -> None:
    headers = {"Idempotency-Key": "abc"}
    client.post("/v1/notes", json={"text": "a"}, headers=headers)
    answer = client.post("/v1/notes", json={"text": "b"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:ris:problem:idempotency-mismatch"
    assert written() == 1


def test_a_key_in_flight_is_a_conflict(client: httpx.Client, database: Database) -> None:
    with database.transaction() as session:
        session.connection().exec_driver_sql(
            "select pg_advisory_xact_lock(hashtextextended('idempotency:someone:abc', 0))"
        )
        answer = client.post("/v1/notes", json={"text": "a"}, headers={"Idempotency-Key": "abc"})
    assert (answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY_IN_FLIGHT")


def test_without_a_key_each_post_has_its_effect(client: httpx.Client, written: Written) -> None:
    client.post("/v1/notes", json={"text": "a"})
    client.post("/v1/notes", json={"text": "a"})
    assert written() == 2


@pytest.mark.parametrize(
    ("kind", "megabytes"),
    [
        ("application/json", 1),
        ("application/fhir+json", 1),
        ("application/x-www-form-urlencoded", 1),
        ("text/plain", 1),
        ("", 1),
        ("multipart/form-data; boundary=x", 10),
        ("image/jpeg", 10),
    ],
)
def test_a_body_over_the_cap_of_its_kind_is_413(
    client: httpx.Client, kind: str, megabytes: int
) -> None:
    headers, million = {"Content-Type": kind} if kind else {}, b"x" * 1024 * 1024
    declared = client.post("/v1/notes", content=million * megabytes + b"x", headers=headers)
    chunks = (million for _ in range(megabytes + 1))
    streamed = client.post("/v1/notes", content=chunks, headers=headers)
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert answer.json()["title"] == "Requête trop volumineuse"
    within = client.post("/v1/notes", content=million[:-1], headers=headers)
    assert within.status_code != 413


def test_a_body_too_slow_to_come_is_408() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.exceptions import HTTPException

        with pytest.raises(HTTPException) as caught:
            await receive()
        await send(
            {"type": "http.response.start", "status": caught.value.status_code, "headers": []}
        )

    async def never() -> Message:
        await asyncio.sleep(5)
        raise AssertionError

    async def keep(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [], "scheme": "http"}
    asyncio.run(Envelope(app, read_timeout_s=0.05)(scope, never, keep))
    assert sent[0]["status"] == 408


def test_a_refused_body_is_located_but_never_echoed(client: httpx.Client) -> None:
    answer = client.post("/v1/notes", json={"text": NAME * 3})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/text", "code": "STRING_TOO_LONG", "message": "Texte trop long."}
    ]
    assert "DURAND" not in answer.text


def test_a_refused_type_is_explained_in_french_with_a_code_of_ours(client: httpx.Client) -> None:
    wrong = {
        "day": "31/01/2026", "at": "2026-01-31T10:00:00", "count": "x", "sure": "oui", "who": "moi",
        "rpps": "1",
    }  # fmt: skip
    answer = client.post("/v1/typed", json=wrong)
    told = {one["pointer"]: (one["code"], one["message"]) for one in answer.json()["errors"]}
    assert told["/day"] == ("DATE_INVALID", "Date attendue au format AAAA-MM-JJ.")
    assert told["/rpps"] == ("STRING_PATTERN_MISMATCH", "11 chiffres attendus.")
    assert {pointer: code for pointer, (code, _) in told.items()} == {
        "/day": "DATE_INVALID",
        "/at": "DATETIME_INVALID",
        "/count": "INTEGER_INVALID",
        "/sure": "BOOLEAN_INVALID",
        "/who": "UUID_INVALID",
        "/rpps": "STRING_PATTERN_MISMATCH",
    }
    assert answer.json()["rem"] == []


def test_a_body_that_is_no_json_is_refused_as_a_whole(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/notes", content=b'{"text": ', headers=headers)
    assert answer.json()["errors"] == [
        {"pointer": "", "code": "JSON_INVALID", "message": "JSON illisible."}
    ]


def test_a_defect_tells_its_request_id_and_nothing_else(client: httpx.Client) -> None:
    answer = client.get("/v1/bug", headers={"X-Request-ID": "req-12345"})
    assert answer.status_code == 500
    problem = answer.json()
    assert (problem["title"], problem["request_id"]) == ("Erreur interne", "req-12345")
    assert "detail" not in problem
    assert "DURAND" not in answer.text
    assert answer.headers["x-request-id"] == "req-12345"


def test_an_error_of_ours_is_a_french_problem_with_its_requirements(client: httpx.Client) -> None:
    problem = client.get("/v1/conflict").json()
    assert problem["type"] == "urn:ris:problem:ins-not-qualified"
    assert problem["code"] == "INS_NOT_QUALIFIED"
    assert problem["title"] == "Action impossible dans l'état actuel"
    assert problem["detail"] == "Déjà fait."
    assert problem["rem"] == ["RIS.INS.37"]
    assert problem["instance"].startswith("urn:uuid:")


def test_a_remote_hint_becomes_retry_after(client: httpx.Client) -> None:
    answer = client.get("/v1/busy")
    assert answer.status_code == 502
    assert 88 <= int(answer.headers["retry-after"]) <= 90


def test_an_unknown_path_is_a_problem_too(client: httpx.Client) -> None:
    answer = client.get("/v1/nothing")
    assert (answer.status_code, answer.json()["title"]) == (404, "Introuvable")


def test_every_answer_carries_an_id_and_safe_headers(client: httpx.Client) -> None:
    answer = client.get("/v1/numbers", headers={"X-Request-ID": "not acceptable!"})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert len(answer.headers["x-request-id"]) == 36


def test_pages_follow_each_other_by_key(client: httpx.Client) -> None:
    seen, url = [], "/v1/numbers?limit=3"
    while url:
        answer = client.get(url)
        seen += answer.json()["items"]
        url = answer.links.get("next", {}).get("url", "")
        assert bool(url) == (answer.json()["next"] is not None)
    assert seen == list(range(7))


def made_up(key: list[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


@pytest.mark.parametrize("after", ["é", *map(made_up, ([True], [None], ["\ud800"], [["a"]]))])
def test_a_made_up_cursor_is_refused(client: httpx.Client, after: str) -> None:
    answer = client.get("/v1/numbers", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_CURSOR")


def test_a_route_shows_its_requirements_in_openapi(app: FastAPI) -> None:
    operation = app.openapi()["paths"]["/v1/notes"]["post"]
    assert operation["x-rem"] == ["RIS.INS.01"]
    assert operation["operationId"] == "write_note"


def test_the_supervisor_learns_life_readiness_and_measures(
    client: httpx.Client, app: FastAPI
) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    app.state.is_at_head = lambda: False
    late = client.get("/readyz")
    assert (late.status_code, late.json()["code"]) == (503, "NOT_READY")
    assert 'ris_up{name="a\\"b"} 1\n' in client.get("/metrics").text
