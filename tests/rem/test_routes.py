"""The catalogue over HTTP (`ris/web/rem_routes.py`), on the published matrix of these sources."""

import asyncio
import csv
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from ris.core.errors import RisError
from ris.rem.matrix import build
from ris.rem.render import documents
from ris.web import rem_routes


class Client:
    """A blocking GET on an ASGI application, without a network."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def get(self, url: str, params: dict[str, str] | None = None) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://ris") as client:
                return await client.get(url, params=params)

        return asyncio.run(call())


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    (tmp_path / "ris").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "ris/rules.py").write_text('@satisfies("RIS.INS.16")\ndef refuse(): ...\n')
    for path, text in documents(build(tmp_path)).items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setattr(rem_routes, "SOURCES", tmp_path)
    rem_routes.matrix.cache_clear()
    app = FastAPI()
    app.include_router(rem_routes.router, prefix="/v1")

    @app.exception_handler(RisError)
    def problem(request: Request, error: RisError) -> JSONResponse:
        return JSONResponse({"code": error.code}, status_code=error.status)

    yield Client(app)
    rem_routes.matrix.cache_clear()


def test_the_list_is_filtered_by_profile_section_module_state_and_wave(client: Client) -> None:
    def ids(**filters: str) -> list[str]:
        return [row["id"] for row in client.get("/v1/rem", params=filters).json()]

    assert len(ids()) == 189
    assert len(ids(wave="va1")) == 117
    assert ids(profile="MZ", wave="va1") == ["RIS.MSS.07"]
    assert ids(section="AUTH", wave="va1") == ["RIS.AUTH.01", "RIS.AUTH.02"]
    assert ids(state="untested") == ["RIS.INS.16"]
    assert "RIS.DMP.01" in ids(module="ris/dmp")
    assert client.get("/v1/rem", params={"state": "perfect"}).status_code == 422


@pytest.mark.parametrize("number", ["INS%2Fva1.31", "INS/va1.31", "RIS.INS.16", "ins%2016"])
@pytest.mark.rem("LOC-TRC-01")
def test_any_spelling_gives_the_requirement_with_its_code(
    client: Client, number: str, evidence
) -> None:
    answer = client.get(f"/v1/rem/{number}").json()
    [row] = answer["requirements"]
    assert row["id"] == "RIS.INS.16"
    assert row["code"] == ["ris/rules.py#refuse"]
    assert row["aliases"] == ["INS/va1.31", "SC.INS/va1.31"]
    evidence.add("01", "requirement.json", answer)


def test_a_grouped_number_gives_all_its_requirements_and_a_warning(client: Client) -> None:
    answer = client.get("/v1/rem/INS/va1.60").json()
    assert [row["id"][-2:] for row in answer["requirements"]] == ["32", "33", "34", "35", "36"]
    assert answer["warnings"]


def test_an_unknown_number_is_not_found(client: Client) -> None:
    answer = client.get("/v1/rem/RIS.INS.59")
    assert (answer.status_code, answer.json()["code"]) == (404, "REM_UNKNOWN")


def test_the_export_is_a_csv_file_of_the_official_numbers(client: Client) -> None:
    answer = client.get("/v1/rem/export", params={"layout": "ans"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";")
    assert len({row["N° exigence"] for row in rows}) == 117
    assert client.get("/v1/rem/export", params={"layout": "x"}).status_code == 422


def test_openapi_shows_the_ids_of_the_routes(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert paths["/v1/rem"]["get"]["x-rem"] == ["LOC-TRC-01"]


def test_without_a_published_matrix_the_service_says_so(client: Client, tmp_path: Path) -> None:
    (tmp_path / "docs/requirements.json").unlink()
    rem_routes.matrix.cache_clear()
    assert client.get("/v1/rem").status_code == 503
