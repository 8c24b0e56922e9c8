"""`/healthz`, `/readyz`, `/metrics`: what a supervisor asks. Public; nothing about a patient.

Knows no feature: `ris.app` sets `app.state.is_at_head` (both schemas) and `app.state.collectors`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ris.core.errors import NotConfigured
from ris.rem import satisfies
from ris.web.routing import TaggedRoute
from ris.web.unit_of_work import Db

router = APIRouter(route_class=TaggedRoute, tags=["supervision"])


@dataclass(frozen=True, slots=True)
class Sample:
    """One measure, in the Prometheus sense; *help* is said once per *name*."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    help: str = ""
    kind: str = "gauge"


Collector = Callable[[Session], Iterable[Sample]]


class Health(BaseModel):
    """The process answers."""

    status: str = "ok"


@router.get("/healthz")
@satisfies()
def healthz() -> Health:
    """Say that the process is alive, whatever its database."""
    return Health()


@router.get("/readyz", responses={503: {"description": "`NOT_READY`, and why."}})
@satisfies()
def readyz(request: Request) -> Health:
    """Say that the database answers with both schemas at head; 503 otherwise."""
    state = request.app.state
    try:
        state.database.ping()
    except SQLAlchemyError as error:
        raise NotConfigured("Base de données injoignable.", code="NOT_READY") from error
    if not state.is_at_head():
        raise NotConfigured("Base à mettre à niveau : ris db upgrade.", code="NOT_READY")
    return Health()


@router.get("/metrics", response_class=PlainTextResponse)
@satisfies()
def metrics(request: Request, session: Db) -> Response:
    """Return every measure in the Prometheus text format 0.0.4."""
    collectors: Iterable[Collector] = request.app.state.collectors
    samples = [sample for collect in collectors for sample in collect(session)]
    return Response(exposition(samples), media_type="text/plain; version=0.0.4")


def exposition(samples: Iterable[Sample]) -> str:
    """Return *samples* as Prometheus text, grouped by name."""
    lines = []
    for name, group in groupby(sorted(samples, key=lambda one: one.name), lambda one: one.name):
        listed = list(group)
        if listed[0].help:
            lines.append(f"# HELP {name} {listed[0].help}")
        lines.append(f"# TYPE {name} {listed[0].kind}")
        lines += [f"{name}{_labels(one.labels)} {one.value:g}" for one in listed]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
