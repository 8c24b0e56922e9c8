"""An SCM of three practices with shared staff and a remplaçant, lived once, and all that left it.

The whole product in this process; each delivery is attempted here and now, as a worker would.
What must or must not be found is said by the tests.
"""

import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
from cryptography import x509

from ris.auth import structures
from ris.auth.rights import Role
from ris.core import clock
from ris.demo.story import SECTIONS
from ris.diffusion import jobs
from ris.diffusion.errors import NotYet
from ris.sandbox.psc_people import (
    ADMINISTRATOR,
    IDENTITY_OFFICER,
    RADIOLOGIST_A,
    RADIOLOGIST_B,
    RADIOLOGIST_TWO_SITES,
    REQUESTER,
    SCM_SIRET,
    SECRETARY,
    TECHNOLOGIST,
    Person,
    Workplace,
)
from ris.sandbox.services import Sandbox
from tests.journeys.wire import everything, of_mail, of_request
from tests.security import job
from tests.security.product import Product

Json = dict[str, Any]
SCM: Final = f"3{SCM_SIRET}"
A, B, C = RADIOLOGIST_A, RADIOLOGIST_B, RADIOLOGIST_TWO_SITES
LOCUM: Final = Person(
    "899700993050", "REMPLACEFICTIF", "IRIS", "10", "SM44", "DR",
    (Workplace("CABINET DR REMPLACEFICTIF", "499700993050001"),),
)  # fmt: skip
# at the operator and in the pool, the locum acts for B's practice
OWNERS: Final = (A, B, C, replace(LOCUM, workplaces=B.workplaces))
SIGNERS: Final = (A, B, C, LOCUM)


def practice(person: Person) -> str:
    """The structure a person's reports leave under."""
    return (B if person is LOCUM else person).workplaces[0].struct_idnat


@dataclass
class Sent:
    """One thing that left: by which channel, whose certificate, and its bytes opened."""

    channel: str
    peer: str
    contents: list[bytes]


@dataclass
class Life:
    """What was answered on the way, by name, and the reports of each signer."""

    product: Product
    sandbox: Sandbox
    patient: Json = field(default_factory=dict)
    reports: dict[str, Json] = field(default_factory=dict)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    held: list[Json] = field(default_factory=list)
    people: dict[str, httpx.Client] = field(default_factory=dict)

    def live(self, certificates: Path, aside: Path) -> None:
        """Play everything; the certificates of B are missing until his sendings were held."""
        self._arrive()
        shutil.move(certificates / practice(B), aside)
        self._identify()
        for person in (A, B, C):
            self._report(person)
        self.held = self.deliveries(B)
        self._send_for(A)
        shutil.move(aside / practice(B), certificates)
        self._send_again(B)
        self._replace(B)

    def _arrive(self) -> None:
        with self.product.runtime.database.transaction() as session:
            structures.declare(session, SCM, "SCM IMAGERIE INVENTEE", is_scm=True)
            structures.declare(session, practice(B), B.workplaces[0].name)
        for person, role in (
            (A, Role.RADIOLOGIST), (B, Role.RADIOLOGIST), (C, Role.RADIOLOGIST),
            (LOCUM, Role.RADIOLOGIST), (SECRETARY, Role.SECRETARY),
            (TECHNOLOGIST, Role.TECHNOLOGIST), (ADMINISTRATOR, Role.ADMIN_SECURITY),
            (IDENTITY_OFFICER, Role.AUDITOR),
        ):  # fmt: skip
            self.people[person.ps_idnat] = self.product.signed_in(role, person)
        self.choose(C, practice(C))

    def at(self, person: Person) -> httpx.Client:
        """The workstation of *person*."""
        return self.people[person.ps_idnat]

    def choose(self, person: Person, struct: str) -> httpx.Response:
        """Let *person* act in his situation of *struct* from now on."""
        desk = self.at(person)
        listed = desk.get("/v1/session").json()["situations"]
        (wanted,) = [one["id"] for one in listed if one["struct_idnat"] == struct]
        answer = desk.post("/v1/session/situation", json={"situation_id": wanted})
        desk.headers["X-CSRF-Token"] = desk.get("/v1/session").json()["csrf_token"]
        return answer

    def _identify(self) -> None:
        """INSi is asked in the name of each physician, by the desk or by himself."""
        desk = self.at(SECRETARY)
        record = job.patient(desk)
        path = f"/v1/patients/{record['id']}"
        self.answers["nobody"] = desk.post(f"{path}/insi-search", json={})
        self.answers["of B"] = desk.post(f"{path}/insi-search", json=for_(B))
        found = job.got(desk.post(f"{path}/insi-search", json=for_(A)), 201)
        answer = {"retrieval_id": found["retrieval_id"]}
        tag = job.as_read(record)
        record = job.got(desk.post(f"{path}/insi-acceptance", json=answer, headers=tag), 201)
        shown = {"type": "PA", "validate_identity": True}
        answer = desk.post(f"{path}/documents", json=shown, headers=job.as_read(record))
        self.patient = job.got(answer, 201)["patient"]
        job.got(self.at(C).post(f"{path}/insi-verification"), 201)

    def _report(self, person: Person) -> None:
        """The SCM's staff receive the patient, *person* reports and signs; all is attempted."""
        examined = job.examined(self.at(TECHNOLOGIST), job.exam(self.at(SECRETARY), self.patient))
        sections = {**SECTIONS, "conclusion": conclusion(person)}
        report = job.draft(self.at(person), examined, sections=sections)
        if person is C:  # he goes to his other practice with the report open
            self.answers["switch"] = self.choose(C, C.workplaces[1].struct_idnat)
        job.got(job.sign(self.at(person), report), 201)
        self.reports[person.ps_idnat] = report
        self.attempt(person)

    def deliveries(self, person: Person) -> list[Json]:
        """The deliveries of the report *person* signed."""
        report = self.reports[person.ps_idnat]
        answer = self.at(A).get(f"/v1/reports/{report['id']}/deliveries")
        listed: list[Json] = job.got(answer, 200)["items"]
        return listed

    def attempt(self, person: Person) -> None:
        """Attempt every delivery of the report of *person* that may be."""
        for row in self.deliveries(person):
            try:
                jobs.attempt(self.product.runtime.diffusion, UUID(row["id"]))
            except NotYet:
                continue

    def delegate(self, person: Person, *actions: str) -> httpx.Response:
        """*person* lets the secretary do *actions* for his practice, for a week."""
        (to,) = [
            one["account_id"]
            for one in self.at(person).get("/v1/delegations/delegates").json()
            if one["name"] == f"{SECRETARY.given} {SECRETARY.family}"
        ]
        wanted = {
            "delegate_id": to,
            "struct_idnat": practice(person),
            "actions": actions,
            "valid_to": week(),
        }
        return self.at(person).post("/v1/delegations", json=wanted)

    def _send_for(self, person: Person) -> None:
        """The secretary sends a report once more, refused before *person* delegates it."""
        path = f"/v1/reports/{self.reports[person.ps_idnat]['id']}/deliveries"
        body = {"rpps": REQUESTER.ps_idnat[1:]}
        self.answers["send before"] = self.at(SECRETARY).post(path, json=body)
        job.got(self.delegate(person, "mss.send"), 201)
        self.answers["send under"] = self.at(SECRETARY).post(path, json=body)
        self.attempt(person)

    def _send_again(self, person: Person) -> None:
        """The secretary replays what was held, refused before *person* delegates it."""
        desk, rows = self.at(SECRETARY), self.deliveries(person)
        self.answers["replay before"] = desk.post(f"/v1/deliveries/{rows[0]['id']}/replay")
        given = job.got(self.delegate(person, "delivery.retry"), 201)
        for row in rows:
            job.got(desk.post(f"/v1/deliveries/{row['id']}/replay"), 200)
        self.attempt(person)
        job.got(self.at(person).delete(f"/v1/delegations/{given['id']}"), 200)
        self.answers["replay after"] = desk.post(f"/v1/deliveries/{rows[0]['id']}/replay")
        path = f"/v1/patients/{self.patient['id']}/insi-verification"
        job.got(desk.post(path, json=for_(person)), 201)

    def _replace(self, replaced: Person) -> None:
        """The administrator lets the locum act for *replaced*; he signs one report there."""
        administrator = self.at(ADMINISTRATOR)
        account = self.at(LOCUM).get("/v1/session").json()["account_id"]
        path = f"/v1/accounts/{account}/situations"
        wanted = {"struct_idnat": practice(replaced), "valid_to": week()}
        self.answers["for the scm"] = administrator.post(path, json={**wanted, "struct_idnat": SCM})
        given = job.got(administrator.post(path, json=wanted), 201)
        self.choose(LOCUM, practice(replaced))
        self._report(LOCUM)
        job.got(administrator.delete(f"{path}/{given['id']}"), 200)
        self.answers["locum after"] = self.at(LOCUM).get("/v1/session")

    def sent(self) -> list[Sent]:
        """Everything that the sandbox captured, opened: INSi, the DMP, the mails."""
        insi = self.sandbox.insi
        every = [
            Sent("insi", subject(peer), list(everything(body)))
            for body, peer in zip(insi.requests, insi.peers, strict=True)
        ]
        every += [
            Sent("dmp", one.client_subject, opened(of_request(one)))
            for one in self.sandbox.dmp.received
        ]
        return every + [
            Sent("mss", one.certificate or "", opened(of_mail(one)))
            for one in self.sandbox.operator.messages
        ]


def opened(contents: Any) -> list[bytes]:
    """Each of *contents* to the last byte, once."""
    return list({inner for content in contents for inner in everything(content)})


def conclusion(person: Person) -> str:
    """What only the report of *person* says."""
    return f"Conclusion propre au compte rendu {person.given.lower()}."


def for_(person: Person) -> Json:
    """The body of a call of INSi in the name of *person*."""
    return {"responsible": {"ps_idnat": person.ps_idnat, "struct_idnat": practice(person)}}


def week() -> str:
    """A week from now."""
    return (clock.now() + timedelta(days=7)).isoformat()


def subject(pem: str) -> str:
    """Return the subject of a certificate, RFC 4514."""
    return x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string()
