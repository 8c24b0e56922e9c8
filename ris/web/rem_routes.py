"""The requirement catalogue over HTTP, for reviewers (rem.md §10.6).

Reads the published matrix: `docs/requirements.json` of the sources, or its copy in the package.
Scanning sources and judging coverage is `ris.rem`. Authentication is added where the router is
included.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ris.core.errors import NotConfigured, NotFound
from ris.rem import satisfies
from ris.rem.catalogue import Wave
from ris.rem.export import ans_csv
from ris.rem.matrix import PACKAGED, PUBLISHED, SOURCES, Entry, published
from ris.rem.normaliser import normalise
from ris.rem.render import entry_json
from ris.rem.states import State
from ris.rem.tags import UnknownRequirement
from ris.web.routing import TaggedRoute

router: Final = APIRouter(route_class=TaggedRoute, tags=["rem"])


class Layout(StrEnum):
    """Column layouts of the export."""

    ANS = "ans"


class TestOut(BaseModel):
    """A test that shows a requirement: pytest node id, and the scenario number it plays."""

    nodeid: str
    scenario: str | None


class RequirementOut(BaseModel):
    """One requirement with its coverage; *profile* as in the REM, *code* `path#symbol`."""

    id: str
    wave: Wave
    profile: str
    section: str
    domain: str
    module: str
    kind: str
    title: str
    statement: str
    proof: str
    aliases: list[str]
    related: list[str]
    scenarios: list[str]
    state: State
    code: list[str]
    tests: list[TestOut]
    evidence: list[str]


class LookupOut(BaseModel):
    """What one spelling of a number means: many requirements when the number groups them."""

    asked: str
    warnings: list[str]
    requirements: list[RequirementOut]


@router.get("/rem")
@satisfies("LOC-TRC-01")
def list_requirements(
    profile: str | None = None,
    section: str | None = None,
    module: str | None = None,
    state: State | None = None,
    wave: Wave | None = None,
) -> list[RequirementOut]:
    """List requirements; *section* takes the domain (`INS`) or the full section name."""
    return [
        _out(entry)
        for entry in matrix().values()
        if profile in (None, entry.requirement.profile_code, entry.requirement.profile)
        and section in (None, entry.requirement.domain, entry.requirement.section)
        and module in (None, entry.requirement.module)
        and state in (None, entry.state)
        and wave in (None, entry.requirement.wave)
    ]


@router.get("/rem/export", response_class=Response)
@satisfies("LOC-TRC-01")
def export_requirements(layout: Layout = Layout.ANS) -> Response:
    """Return the official numbers as CSV in the columns of a REM sheet."""
    name = f'attachment; filename="rem-{layout}.csv"'
    content = ans_csv(list(matrix().values())).encode("utf-8-sig")
    return Response(content, media_type="text/csv", headers={"Content-Disposition": name})


@router.get("/rem/{number:path}")
@satisfies("LOC-TRC-01")
def get_requirement(number: str) -> LookupOut:
    """Return the requirement behind any spelling of its number; 404 `REM_UNKNOWN` otherwise."""
    try:
        match = normalise(number)
    except UnknownRequirement as error:
        raise NotFound("Aucune exigence ne porte ce numéro.", code="REM_UNKNOWN") from error
    entries = matrix()
    return LookupOut(
        asked=number,
        warnings=list(match.warnings),
        requirements=[_out(entries[requirement]) for requirement in match.ids],
    )


def _out(entry: Entry) -> RequirementOut:
    return RequirementOut.model_validate(entry_json(entry))


@lru_cache(maxsize=1)
def matrix() -> dict[str, Entry]:
    """Return the published matrix by id; raises `NotConfigured` when there is none."""
    entries = published(SOURCES / PUBLISHED) or published(PACKAGED)
    if not entries:
        raise NotConfigured("La matrice des exigences n'a pas été produite : ris rem matrix.")
    return entries
