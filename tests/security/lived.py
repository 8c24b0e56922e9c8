"""A practice that has worked: one row of everything the API shows, of contents easily found.

What is planted and where it may be seen; nothing here judges an answer.
"""

import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import httpx
from sqlalchemy import text

from ris.auth import structures
from ris.auth.rights import Role
from ris.core.db import Database
from ris.diffusion import jobs
from ris.diffusion.errors import NotYet
from ris.identity.duplicates.scan import DuplicateScan
from ris.sandbox.insi_people import PEOPLE
from ris.sandbox.psc_people import RADIOLOGIST_A
from tests.interop.hl7v2.sample import DOMAIN, message
from tests.security import job
from tests.security.job import Json, as_read, got
from tests.security.product import Product

PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABXvMqOgAAAABJRU5ErkJggg=="
)
OTHER_DOMAIN: Final = "1.2.3.4.5.6"
_PARTNER: Final = {
    "name": "PACS", "host": "127.0.0.1", "port": 9, "application": "PACS", "facility": "C",
}  # fmt: skip
MORE: Final = {
    "RIS_HL7__PARTNERS": json.dumps([_PARTNER]),
    "RIS_IDENTITY__COPIES__ENABLED": "true",
    "RIS_IDENTITY__INSI__BULK": "emulated",
    "RIS_HL7__SENDERS": json.dumps(
        [
            {"application": "GAM", "facility": "CHU-T", "domain": DOMAIN},
            {"application": "CLINIQUE", "facility": "", "domain": OTHER_DOMAIN},
        ]
    ),
}
MATRICULES: Final = frozenset(one.number[:13] for one in PEOPLE)
USED, PHONE, STREET = "MARQUEUSAGE", "0609080706", "7 RUE DU MARQUEUR"
REASON: Final = "MARQUEMOTIF de la demande"
TITLE, FINDING = "MARQUETITRE du compte rendu", "MARQUERESULTAT constaté"
TRAITS: Final = frozenset(
    {"PAT-TROIS", "TCHITCHI", "ADRUN", "TESTRIS-BETA", USED, PHONE, "RUE DU MARQUEUR"}
)
REPORT: Final = frozenset({"MARQUETITRE", "MARQUERESULTAT"})
EXAM: Final = frozenset({"MARQUEMOTIF"})
TABLES: Final = {  # the rows that each parameter of the API may name
    "patient_id": "patient", "other_id": "patient", "absorbed_id": "patient", "exam_id": "exam",
    "report_id": "report", "delivery_id": "delivery", "call_id": "insi_call",
    "retrieval_id": "insi_call", "batch_id": "insi_batch", "collision_id": "identity_collision",
    "contract_id": "trust_contract", "foreign_id": "foreign_identity", "data_id": "foreign_data",
    "merge_id": "patient_merge", "message_id": "hl7_message", "opposition_id": "dmp_opposition",
    "outbox_id": "identity_outbox", "copy_id": "id_copy", "document_id": "identity_document",
    "account_id": "account", "situation_id": "situation", "order_id": "imaging_order",
    "request_id": "ciba_request", "structure_id": "structure", "session_id": "ris_session",
}  # fmt: skip


@dataclass
class Lived:
    """The product, and the rows that a request may name."""

    product: Product
    people: dict[Role, httpx.Client] = field(default_factory=dict)

    def client(self, role: Role) -> httpx.Client:
        """The one person of *role*, signed in."""
        if role not in self.people:
            self.people[role] = self.product.signed_in(role)
        return self.people[role]


def identifiers(database: Database) -> dict[str, list[str]]:
    """Return the identifiers there are now, by the parameter that may carry them, oldest first."""
    with database.engine.connect() as link:
        known = {
            table: list(link.scalars(text(f"select cast(id as text) from {table} order by 1")))
            for table in set(TABLES.values())
        }
    return {name: known[table] for name, table in TABLES.items()}


def live(product: Product) -> Lived:
    """Let the practice of *product* work, so that every table the API shows holds a row."""
    lived = Lived(product)
    with product.runtime.database.transaction() as session:
        structures.declare(session, RADIOLOGIST_A.workplaces[0].struct_idnat, "CABINET FICTIF")
    officer, desk, doctor = (
        lived.client(role) for role in (Role.IDENTITY_OFFICER, Role.SECRETARY, Role.RADIOLOGIST)
    )
    record = _identity(officer)
    _outside(product, officer)
    report = _report(product, desk, doctor, record)
    body = {"scope": "report", "report_id": report["id"], "reason": "refus"}
    got(doctor.post(f"/v1/patients/{record['id']}/dmp-opposition", json=body), 201)
    body = {"professional": False, "patient": True}
    path = f"/v1/patients/{record['id']}/mss-refusals"
    got(desk.put(path, json=body, headers={"If-Match": '"0"'}), 200)
    return lived


def _identity(officer: httpx.Client) -> Json:
    """A qualified identity, with a copy of its document; beside it another, with a past."""
    path = f"/v1/patients/{job.qualified(officer)['id']}"
    address = {"lines": [STREET], "postal_code": "51000", "city": "REIMS"}
    _act(officer, path, "PATCH", {"used_family": USED, "phone": PHONE, "address": address}, 200)
    got(officer.post(f"{path}/insi-verification"), 201)
    shown = {"type": "PA", "validate_identity": False}
    paper = _act(officer, path, "POST", shown, 201, at=f"{path}/documents")
    asked = {"document_id": paper["id"], "informed": "oral"}
    png = {"Content-Type": "image/png"}
    got(officer.post(f"{path}/identity-copies", params=asked, content=PIXEL, headers=png), 201)
    _past(officer)
    made: Json = got(officer.get(path), 200)
    return made


def _past(officer: httpx.Client) -> None:
    """An identity merged with its double, verified in a batch, separated, suspected of two."""
    one = PEOPLE[5]
    traits = {
        "birth_family": one.family, "first_birth_given": one.given.split()[0],
        "birth_date": one.born, "birth_place": one.place, "used_family": USED,
    }  # fmt: skip
    path = f"/v1/patients/{job.qualified(officer, **traits)['id']}"
    double = job.patient(officer, **traits)
    absorbed = {"absorbed_id": double["id"], "absorbed_version": double["version"], "reason": "une"}
    merge = _act(officer, path, "POST", absorbed, 201, at=f"{path}/merges")
    got(officer.post("/v1/insi-batches"), 201)
    apart = f"/v1/patient-merges/{merge['id']}/undo"
    _act(officer, path, "POST", {"reason": "deux"}, 200, at=apart)
    suspected = {"suspected_since": "2026-01-01", "reason": "deux personnes ?"}
    _act(officer, path, "POST", suspected, 201, at=f"{path}/collisions")


def _act(
    officer: httpx.Client, record: str, method: str, body: Json, status: int, *, at: str = ""
) -> Json:
    """Act on the record as it is now."""
    now = as_read(got(officer.get(record), 200))
    made: Json = got(officer.request(method, at or record, json=body, headers=now), status)
    return made


def _outside(product: Product, officer: httpx.Client) -> None:
    """A trust contract, messages applied and refused, an INS and data received from elsewhere."""
    contract = {"sender": "9.9.9", "label": "Convention", "scope": "no_direct_care"}
    got(officer.post("/v1/trust-contracts", json=contract), 201)
    inbox = product.runtime.inbox
    inbox.receive(message(control="IN1"))
    inbox.receive(message("ADT^A40^ADT_A39", control="IN2", names=""))
    one = PEOPLE[7]
    foreign = {
        "names": f"{one.family}^{one.given}^{one.given}^^^^L", "born": one.born.replace("-", ""),
        "place": one.place, "ins": f"{one.number}^^^ASIP-SANTE-INS-NIR&{one.oid}&ISO^INS",
        "status": "QUAL",
    }  # fmt: skip
    for event, control in (("ADT^A28^ADT_A05", "OUT1"), ("ORU^R01^ORU_R01", "OUT2")):
        data = message(event, control=control, ipp=f"X{control}", **foreign)  # type: ignore[arg-type]
        data = data.replace(b"GAM|CHU-T", b"CLINIQUE|X", 1)
        inbox.receive(data.replace(b"GAM&2.25.77", f"X&{OTHER_DOMAIN}".encode()))
    DuplicateScan(product.runtime.database).run()


def _report(product: Product, desk: httpx.Client, doctor: httpx.Client, record: Json) -> Json:
    """A signed report that has left, and another one being written."""
    ordered = got(desk.post("/v1/orders", json=job.order_of(record, reason=REASON)), 201)
    got(job.upload(desk, ordered, job.images(ordered, record)[:1]), 200)
    sections = {**job.SECTIONS, "results": FINDING}
    drafted = job.draft(doctor, ordered, title=TITLE, sections=sections)
    signed: Json = got(job.sign(doctor, drafted), 201)
    for delivery in signed["deliveries"]:
        with suppress(NotYet):
            jobs.attempt(product.runtime.diffusion, UUID(delivery["id"]))
    again = got(desk.post("/v1/orders", json=job.order_of(record, reason=REASON)), 201)
    job.draft(doctor, job.examined(desk, again), title=TITLE, sections=sections)
    return drafted
