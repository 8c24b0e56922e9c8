"""A site of two practices and their SCM: who works there, and what each practice has."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from ris.auth import structures
from ris.auth.compartments import members
from ris.auth.manual import service as manual
from ris.auth.manual.service import Wanted
from ris.auth.rights import Role
from ris.core import clock
from ris.core.audit import SYSTEM
from ris.sandbox.psc_people import (
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    SCM_SIRET,
    SECRETARY,
    Person,
)
from tests.security import job
from tests.security.product import Product

A, B = (one.workplaces[0].struct_idnat for one in (RADIOLOGIST_A, RADIOLOGIST_B))
SCM = f"3{SCM_SIRET}"
CLERK_A = Person(f"5{SCM_SIRET}/CPET00021", "ACCUEILFICTIF", "ANA")
CLERK_B = Person(f"5{SCM_SIRET}/CPET00022", "ACCUEILFICTIF", "BORIS")
Json = dict[str, Any]


@dataclass
class Practices:
    """The product and a client of each person."""

    product: Product
    doctor_a: httpx.Client
    doctor_b: httpx.Client
    clerk_a: httpx.Client
    clerk_b: httpx.Client
    everywhere: httpx.Client

    def exam(self, clerk: httpx.Client, record: Json, **more: object) -> Json:
        """An exam of *record*, done."""
        body = job.order_of(record, **more)
        return job.examined(clerk, job.got(clerk.post("/v1/orders", json=body), 201))


def declare(product: Product) -> None:
    """Declare the two practices and the SCM; from now on they are kept apart."""
    with product.runtime.database.transaction() as session:
        for one, name, scm in ((A, "CABINET A", False), (B, "CABINET B", False), (SCM, "S", True)):
            structures.declare(session, one, name, is_scm=scm)


def attach(product: Product, person: Person, struct_idnat: str) -> None:
    """Make *person* a member of a structure."""
    with product.runtime.database.transaction() as session:
        members.add(session, structures.served(session, struct_idnat).id, person.ps_idnat)


def replaces(product: Product, doctor: httpx.Client, struct_idnat: str) -> None:
    """Let *doctor* exercise for a day in a practice of the site, and act there from now on."""
    told = job.got(doctor.get("/v1/session"), 200)
    since = clock.now()
    wanted = Wanted(struct_idnat, since, since + timedelta(days=1))
    with product.runtime.database.transaction() as session:
        given = manual.give(
            session, UUID(told["account_id"]), wanted, actor=SYSTEM, longest=timedelta(days=2)
        ).id
    answer = doctor.post("/v1/session/situation", json={"situation_id": str(given)})
    assert answer.status_code == 204, answer.text
    doctor.headers["X-CSRF-Token"] = doctor.get("/v1/session").json()["csrf_token"]


def opened(product: Product) -> Practices:
    """The site, everybody signed in."""
    declare(product)
    made = Practices(
        product,
        doctor_a=product.signed_in(Role.RADIOLOGIST),
        doctor_b=product.signed_in(Role.RADIOLOGIST, RADIOLOGIST_B),
        clerk_a=product.signed_in(Role.SECRETARY, CLERK_A),
        clerk_b=product.signed_in(Role.SECRETARY, CLERK_B),
        everywhere=product.signed_in(Role.SECRETARY),
    )
    for person, practice in ((CLERK_A, A), (CLERK_B, B), (SECRETARY, SCM)):
        attach(product, person, practice)
    return made


@dataclass
class Held:
    """What practice A has of a shared patient: an exam, its signed report, the deliveries."""

    patient: Json
    exam: Json
    report: Json
    delivery: str


def held_by_a(site: Practices) -> Held:
    """Let practice A examine a patient and sign."""
    record = job.patient(site.clerk_a)
    exam = site.exam(site.clerk_a, record)
    report = job.draft(site.doctor_a, exam)
    job.got(job.sign(site.doctor_a, report), 201)
    sent = job.got(site.doctor_a.get(f"/v1/reports/{report['id']}/deliveries"), 200)["items"]
    return Held(record, exam, report, sent[0]["id"])
