"""The security floor of the HTTP door, walked route by route (issue 2, auth.md §9)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from ris import app as root
from ris.auth.rights import MATRIX, Permission, Role, permissions_of
from tests.architecture import matrix
from tests.security.product import Product

STATED = matrix.doors()
PUBLIC = {path for (_, path), right in STATED.items() if right == matrix.PUBLIC}
LAST = ("/v1/session/lock", "/v1/session/logout")  # they end the session that asks
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


def plain(path: object) -> str:
    """A path as OpenAPI writes it, without the converters of its parameters."""
    return re.sub(r":\w+}", "}", str(path))


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
            found.append(Door(method, plain(route.path), permissions, rem, fresh))
    return found


DOORS = doors()
CLOSED = [door for door in DOORS if door.path not in PUBLIC]


def test_the_walk_sees_every_route_of_the_application(product: Product) -> None:
    served = {plain(route.path) for route in iter_route_contexts(product.app.routes)}
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


def test_the_right_of_each_door_is_the_one_stated() -> None:
    declared = {
        (door.method, door.path): str(door.permissions[0]) if door.permissions else matrix.PUBLIC
        for door in DOORS
    }
    new = sorted(declared.items() - STATED.items())
    gone = sorted(STATED.items() - declared.items())
    assert (new, gone) == ([], []), f"decide in {matrix.DOORS_FILE.name}"


@pytest.mark.parametrize("habilitated", [False, True])
@pytest.mark.parametrize("role", Role)
def test_the_matrix_of_the_product_is_the_one_stated(role: Role, habilitated: bool) -> None:
    stated = matrix.rights_of(role, habilitated=habilitated)
    assert permissions_of(role, identity_habilitated=habilitated) == stated


def test_every_role_and_every_right_is_stated() -> None:
    assert set(MATRIX) == set(Role) == set(matrix.COLUMNS.values())
    assert set(Permission) == matrix.every_right()


@pytest.mark.parametrize(
    ("role", "habilitated"),
    [*((role, False) for role in Role), (Role.SECRETARY, True), (Role.TECHNOLOGIST, True)],
)
def test_a_role_enters_exactly_where_the_matrix_says_so(
    product: Product, role: Role, habilitated: bool
) -> None:
    """Every route, every role, both ways: the stated matrix decides, not the product's."""
    rights = matrix.rights_of(role, habilitated=habilitated)
    client = product.signed_in(role, habilitated=habilitated)
    wrong, refused = {}, 0
    for door in sorted(CLOSED, key=lambda one: (one.path in LAST, one.path, one.method)):
        answer = client.request(door.method, door.place)
        code = code_of(answer) if answer.status_code in (401, 403) else ""
        expected = STATED[door.method, door.path] not in rights
        refused += expected
        denied = (answer.status_code, code) == (403, "role_denied")
        lost = answer.status_code == 401 and code != "psc_reauth_required"
        if denied is not expected or lost:
            wrong[door.method, door.path] = (answer.status_code, code)
    assert wrong == {}
    with product.runtime.database.transaction() as session:
        denials = "select count(*) from audit_event where action = 'auth.access_denied'"
        assert session.execute(text(denials)).scalar_one() == refused


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
