"""The security floor of the HTTP door, walked route by route (issue 2, auth.md §9)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from ris import app as root
from ris.auth.compartments.scope import OPEN
from ris.auth.dependencies import Principal, current_session
from ris.auth.rights import Permission, Role, permissions_of
from ris.core import ids
from ris.core.audit import Actor
from tests.security.product import Product

PUBLIC = {
    "/auth/psc/login", "/auth/psc/callback", "/auth/psc/logged-out", "/auth/native/session",
    "/auth/card/login", "/auth/local/login", "/auth/local/password",
    "/auth/psc/backchannel-logout", "/auth/psc/ciba", "/auth/psc/ciba/{request_id}",
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/fhir/metadata",
}  # fmt: skip
NOBODY = UUID("00000000-0000-7000-8000-000000000000")


@dataclass(frozen=True)
class Door:
    method: str
    path: str
    permissions: tuple[Permission, ...]
    rem: tuple[str, ...] | None
    fresh: bool = False

    @property
    def place(self) -> str:
        """The path with values that fit its parameters."""
        known = {"{attribute}": "douteux", "{artefact}": "pdf", "{number}": "1"}
        parts = (
            known.get(part, str(NOBODY)) if part.startswith("{") else part
            for part in self.path.split("/")
        )
        return "/".join(parts)


def asked(dependant: Any) -> Iterator[Permission]:
    """Every permission that the dependencies of a route ask for."""
    for dependency in dependant.dependencies:
        if found := getattr(dependency.call, "permission", None):
            yield found
        yield from asked(dependency)


def asks_fresh(dependant: Any) -> bool:
    """Whether a route wants a recent sign-in."""
    return any(
        getattr(one.call, "fresh", False) or asks_fresh(one) for one in dependant.dependencies
    )


def code_of(answer: httpx.Response) -> str:
    """Our stable code, in a problem document or in an OperationOutcome."""
    told = answer.json()
    return str(told["code"] if "code" in told else told["issue"][0]["details"]["coding"][0]["code"])


def doors() -> list[Door]:
    from fastapi import FastAPI

    application = FastAPI(docs_url=None, redoc_url=None)
    root._include(application)
    found = []
    for route in iter_route_contexts(application.routes):
        dependant = getattr(route, "dependant", None)
        permissions = tuple(asked(dependant)) if dependant else ()
        fresh = bool(dependant) and asks_fresh(dependant)
        rem = getattr(route.endpoint, "__rem__", None)
        for method in sorted((route.methods or set()) - {"HEAD"}):
            found.append(Door(method, str(route.path), permissions, rem, fresh))
    return found


DOORS = doors()
CLOSED = [door for door in DOORS if door.path not in PUBLIC]


def test_the_walk_sees_every_route_of_the_application(product: Product) -> None:
    served = {str(route.path) for route in iter_route_contexts(product.app.routes)}
    assert served == {door.path for door in DOORS}
    assert len(CLOSED) > 40


def test_only_the_listed_routes_are_public_and_each_other_asks_for_one_right() -> None:
    assert {door.path for door in DOORS} >= PUBLIC
    assert [door for door in CLOSED if len(set(door.permissions)) != 1] == []
    assert [door for door in DOORS if door.path in PUBLIC and door.permissions] == []


def test_every_route_says_which_requirements_it_serves_if_only_none() -> None:
    assert [door.path for door in DOORS if door.rem is None] == ["/openapi.json"]


def test_every_permission_of_the_matrix_is_asked_by_a_route_or_waits_for_one() -> None:
    used = {right for door in DOORS for right in door.permissions}
    waiting = {
        Permission.IDENTITY_VALIDATE, Permission.IDENTITY_SUPERUSER,  # asked inside a route
        Permission.IDENTITY_COPY_STORE, Permission.IDENTITY_COPY_READ, Permission.BREAK_GLASS,
        Permission.AUDIT_READ, Permission.AUDIT_EXPORT,
    }  # fmt: skip
    assert set(Permission) - used <= waiting


def test_without_a_session_every_closed_route_answers_401(product: Product) -> None:
    with httpx.Client(base_url=product.url, trust_env=False) as nobody:
        nobody.cookies.set("__Host-ris_session", "forged")
        answers = {door: nobody.request(door.method, door.place) for door in CLOSED}
    assert {door: one.status_code for door, one in answers.items() if one.status_code != 401} == {}


def test_a_session_without_the_csrf_token_changes_nothing(product: Product) -> None:
    unsafe = [door for door in CLOSED if door.method != "GET"]
    doctor = product.signed_in(Role.RADIOLOGIST)
    del doctor.headers["X-CSRF-Token"]
    answers = {door: doctor.request(door.method, door.place) for door in unsafe}
    assert doctor.get("/v1/session").status_code == 200
    for door, answer in answers.items():
        assert (answer.status_code, code_of(answer)) == (403, "csrf_refused"), door


@pytest.mark.parametrize("role", Role)
def test_a_role_enters_only_where_the_matrix_says_so(product: Product, role: Role) -> None:
    principal = Principal(
        account_id=NOBODY,
        session_id=NOBODY,
        role=role,
        permissions=permissions_of(role),
        situation_id=None,
        professional=None,
        actor=Actor(role=role, request_id=str(ids.new())),
        acr="eidas1",
        auth_time=datetime.now(UTC),
        compartment=OPEN,
    )
    product.app.dependency_overrides[current_session] = lambda: principal
    refused = [door for door in CLOSED if door.permissions[0] not in principal.permissions]
    wrong = {}
    with httpx.Client(base_url=product.url, trust_env=False) as client:
        for door in refused:
            answer = client.request(door.method, door.place)
            if answer.status_code != 403 or code_of(answer) != "role_denied":
                wrong[door] = answer.text
        allowed = [door for door in CLOSED if door not in refused and door.method != "GET"]
        for door in allowed[:3]:
            answer = client.request(door.method, door.place)
            if answer.status_code in (401, 403) and code_of(answer) == "role_denied":
                wrong[door] = answer.text
    assert wrong == {}
    with product.runtime.database.transaction() as session:
        denied = "select count(*) from audit_event where action = 'auth.access_denied'"
        assert session.execute(text(denied)).scalar_one() == len(refused)


def test_the_open_addresses_say_nothing_of_anyone(product: Product) -> None:
    from tests.security.job import TRAITS

    desk = product.signed_in(Role.SECRETARY)
    assert desk.post("/v1/patients", json=TRAITS).status_code == 201
    with httpx.Client(base_url=product.url, trust_env=False) as nobody:
        for path in ("/metrics", "/healthz", "/readyz", "/openapi.json"):
            answer = nobody.get(path)
            assert answer.status_code == 200
            for secret in (TRAITS["birth_family"], TRAITS["birth_date"], "279035121518989"):
                assert secret not in answer.text
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
