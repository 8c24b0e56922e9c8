"""Random lives of identities: calls of the API, HL7 messages, INSi answers, in any order.

Only what is tried; each answer goes to the oracle, and the base after every act.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import httpx
from fastapi.routing import iter_route_contexts
from hypothesis import currently_in_test_context
from hypothesis import note as say
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ris.auth.rights import Role
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS, BY_VITALE, result
from ris.sandbox.insi_people import Person
from tests.identity.stateful.oracle import Oracle
from tests.identity.stateful.planted import (
    BAD_KEY,
    KNOWN,
    NO_DAY,
    NO_NAME,
    STRANGER,
    SWAPPED,
    traits_of,
)
from tests.identity.stateful.world import DOMAIN, SENDERS, World
from tests.interop.hl7v2.sample import message
from tests.security import job

ANSWERS: dict[str, bytes] = {
    "01": result("01"), "02": result("02"), "unknown code": result("07"),
    "bad key": result("00", BAD_KEY), "no day": result("00", NO_DAY),
    "no given name": result("00", NO_NAME), "swapped": result("00", SWAPPED),
    "someone else": result("00", STRANGER), "own": result("00", KNOWN[0]),
    "not XML": b"<html>", "not INSi": result("00", KNOWN[0]).replace(b"RESULTAT", b"AUTRE"),
}  # fmt: skip
FAULTS = {
    "down": Fault("soap", code="insi_102"), "refused": Fault("soap", code="desir_550"),
    "http": Fault("http"), "cut": Fault("close_mid_message"),
}  # fmt: skip
EVENTS = {
    "A01": "ADT^A01^ADT_A01", "A04": "ADT^A04^ADT_A01", "A05": "ADT^A05^ADT_A05",
    "A08": "ADT^A08^ADT_A01", "A28": "ADT^A28^ADT_A05", "A31": "ADT^A31^ADT_A05",
    "A40": "ADT^A40^ADT_A39", "A47": "ADT^A47^ADT_A30", "R01": "ORU^R01^ORU_R01",
}  # fmt: skip
FLAGS = ("PROV", "VALI", "QUAL", "RECUP", "DOUT", "FICT", "HOMA", "DESA", "")
EDITS: tuple[Mapping[str, str], ...] = (
    {"used_family": "DURAND"}, {"birth_family": "CORRIGE"}, {"birth_date": "1980-02-02"},
    {"sex": "I"}, {"birth_place": "99999"}, {"first_birth_given": "AUTRE"},
    {"phone": "0102030405"}, {"billing_number": "253072B07300470"},
)  # fmt: skip
SILENT = (  # of no patient
    "/openapi.json", "/v1/rem", "/auth/psc/", "/auth/card", "/metrics", "/health",
)  # fmt: skip
Json = dict[str, Any]
AT = st.integers(0, 5)
PEOPLE = st.sampled_from(KNOWN)
SCRIPT = st.sampled_from(["as it is"] * 12 + [*ANSWERS, *FAULTS])


def note(text: str) -> None:
    """Keep *text* for the report of a sequence that fails."""
    if currently_in_test_context():
        say(text)


@dataclass(frozen=True)
class Told:
    """What one HL7 message says; *known*: of a record we have, by our own IPP."""

    event: str
    sender: str
    person: Person
    ins: str
    flags: tuple[str, ...]
    mode: str
    known: bool
    at: int
    later: bool


TOLD = st.builds(
    Told, event=st.sampled_from(sorted(EVENTS)), sender=st.sampled_from(["GAM", *SENDERS]),
    person=PEOPLE, ins=st.sampled_from(["own", "own", "none", "other", "bad key", "null"]),
    flags=st.lists(st.sampled_from(FLAGS), max_size=3).map(tuple), known=st.booleans(), at=AT,
    mode=st.sampled_from(["INSI", "CV", "SM"]), later=st.booleans(),
)  # fmt: skip


class Identities(RuleBasedStateMachine):
    """One sequence. The world is set on the class before it runs; each sequence empties it."""

    world: ClassVar[World]
    oracle: ClassVar[Oracle]

    @initialize(qualified=st.booleans())
    def begin(self, qualified: bool) -> None:
        """Begin with nothing, or with an identity that has something to lose."""
        self.world.reset()
        self.oracle.start()
        self.pending: list[tuple[str, str]] = []
        self.repeated: list[tuple[str, Json, dict[str, str]]] = []
        self.resources: dict[str, Json] = {}
        self.sent = self.reports = 0
        if qualified:
            self.create(KNOWN[0], "")
            self.qualify(0)

    @rule(person=PEOPLE, used=st.sampled_from(["", "MARTIN"]))
    def create(self, person: Person, used: str) -> None:
        self._post("/v1/patients", {**traits_of(person), "used_family": used})

    @rule(at=AT, script=SCRIPT, accepted=st.booleans(), reason=st.sampled_from(["", "vu"]))
    def search_insi(self, at: int, script: str, accepted: bool, reason: str) -> None:
        patient = self._patient(at)
        self._script(script)
        told = self._post(f"/v1/patients/{patient['id']}/insi-search", {})
        if told.get("retrieval_id"):
            self.pending.append((patient["id"], told["retrieval_id"]))
        if accepted:
            self.decide(-1, "accept", reason)

    @rule(at=AT, person=PEOPLE, script=SCRIPT, spaced=st.booleans())
    def search_insi_by_card(self, at: int, person: Person, script: str, spaced: bool) -> None:
        patient = self._patient(at)
        self._script(script)
        number = " ".join(person.number) if spaced else person.number
        card = {"matricule": number, "opener": number, "birth_family": person.family,
                "birth_date": person.born}  # fmt: skip
        self._sent(self._officer.post(f"/v1/patients/{patient['id']}/insi-search",
                                      json={"vitale": card}))  # fmt: skip

    @rule(at=AT, what=st.sampled_from(["accept", "reject"]), reason=st.sampled_from(["", "vu"]))
    def decide(self, at: int, what: str, reason: str) -> None:
        if self.pending:
            patient, retrieval = self.pending[at % len(self.pending)]
            body = {"retrieval_id": retrieval, "decision": what, "reason": reason}
            path = f"/v1/patients/{patient}/insi-acceptance"
            self._post(path, body, self._as_read(patient))

    @rule(at=AT, script=SCRIPT)
    def verify(self, at: int, script: str) -> None:
        self._script(script)
        self._post(f"/v1/patients/{self._patient(at)['id']}/insi-verification", {})

    @rule(
        at=AT, kind=st.sampled_from(["CN", "PA", "PC"]), valid=st.sampled_from([True, True, False])
    )
    def document(self, at: int, kind: str, valid: bool) -> None:
        body = {"type": kind, "validate_identity": valid}
        patient = self._patient(at)["id"]
        self._post(f"/v1/patients/{patient}/documents", body, self._as_read(patient))

    @rule(at=AT, fields=st.sampled_from(EDITS), reason=st.sampled_from(["", "erreur"]),
          role=st.sampled_from([Role.SECRETARY, Role.IDENTITY_OFFICER]))  # fmt: skip
    def edit(self, at: int, fields: Mapping[str, str], reason: str, role: Role) -> None:
        patient = self._patient(at)
        self._sent(self.world.staff[role].patch(
            f"/v1/patients/{patient['id']}", json={**fields, "reason": reason},
            headers={"If-Match": f'"{patient["version"]}"'},
        ))  # fmt: skip

    @rule(at=AT, name=st.sampled_from(["douteuse", "fictive", "homonyme"]), put=st.booleans())
    def attribute(self, at: int, name: str, put: bool) -> None:
        patient = self._patient(at)
        path = f"/v1/patients/{patient['id']}/attributes/{name}"
        headers = {"If-Match": f'"{patient["version"]}"'}
        self._sent(
            self._officer.put(path, json={"reason": "vu"}, headers=headers)
            if put
            else self._officer.delete(path, headers=headers)
        )

    @rule(at=AT, other=AT)
    def merge(self, at: int, other: int) -> None:
        survivor, absorbed = self._patient(at), self._patient(other)
        body = {"absorbed_id": absorbed["id"], "absorbed_version": absorbed["version"],
                "reason": "même personne"}  # fmt: skip
        headers = {"If-Match": f'"{survivor["version"]}"'}
        path = f"/v1/patients/{survivor['id']}/merges"
        self._sent(self._officer.post(path, json=body, headers=headers))

    @rule(at=AT)
    def undo(self, at: int) -> None:
        done = self.world.rows("select id::text, survivor_id from patient_merge order by id")
        if done:
            one = done[at % len(done)]
            path = f"/v1/patient-merges/{one['id']}/undo"
            headers = self._as_read(one["survivor_id"])
            self._sent(self._officer.post(path, json={"reason": "deux personnes"}, headers=headers))

    @rule(told=TOLD)
    def feed(self, told: Told) -> None:
        """One message through the intake, answered at once or stored first (MSH-15)."""
        self.sent += 1
        note(f"HL7 {told}")
        answer = self.world.send(self._message(told))
        self.oracle.acknowledgement(answer)
        self.oracle.after()

    @rule()
    def work(self) -> None:
        self.world.rows("update foreign_identity set due_at = now() returning 1 as n")
        for heard in self.world.work():
            self.oracle.message(heard)
        self.oracle.after()

    @rule(at=AT)
    def qualify(self, at: int) -> None:
        """The usual climb, so that the rare events meet identities that have something to lose."""
        self.search_insi(at, "as it is", accepted=True, reason="vu")
        self.document(at, "PA", valid=True)

    @rule(at=AT)
    def report(self, at: int) -> None:
        """Order, examine, write, sign: a document of this patient, whatever his status."""
        if self.reports >= 1:
            return
        self.reports += 1
        record, secretary = self._patient(at), self.world.staff[Role.SECRETARY]
        doctor = self.world.staff[Role.RADIOLOGIST]
        ordered = self._sent(secretary.post("/v1/orders", json=job.order_of(record)))
        if "id" not in ordered:
            return
        files = [("files", ("1.dcm", job.images(ordered, record)[0]))]
        self._sent(secretary.post(f"/v1/exams/{ordered['id']}/study", files=files))
        draft = {"exam_id": ordered["id"], "title": "Scanner", "sections": job.SECTIONS}
        written = self._sent(doctor.post("/v1/reports", json=draft))
        if "id" in written:
            self._sent(job.sign(doctor, written))

    @rule(at=AT)
    def repeat(self, at: int) -> None:
        """The same POST again under its idempotency key, whatever happened since."""
        if self.repeated:
            path, body, headers = self.repeated[at % len(self.repeated)]
            self._sent(self._officer.post(path, json=body, headers=headers))

    @rule(person=PEOPLE)
    def look_for_a_number(self, person: Person) -> None:
        self._sent(self._officer.post("/v1/patients/search", json={"matricule": person.number}))
        form = {"identifier": f"urn:oid:{person.oid}|{person.number}"}
        self._sent(self._officer.post("/fhir/Patient/_search", data=form))

    @rule(at=AT, role=st.sampled_from([Role.RADIOLOGIST, Role.IDENTITY_OFFICER]))
    def look_everywhere(self, at: int, role: Role) -> None:
        """Every GET route that can be called, of any feature, about one patient."""
        patient = self._patient(at)
        known = {"patient_id": patient["id"], "number": "1", "artefact": "pdf"}
        for table in ("report", "exam", "delivery", "insi_call"):
            for row in self.world.rows(f"select id::text from {table} order by id limit 1"):
                known[f"{table.removeprefix('insi_')}_id"] = row["id"]
        born = self.world.rows("select birth_date::text as d from patient where id = %(id)s",
                               id=patient["id"])[0]["d"]  # fmt: skip
        query = {"birth_date": born, "birthdate": born}
        for route in iter_route_contexts(self.world.product.app.routes):
            path = str(route.path)
            wanted = set(re.findall(r"{(\w+)}", path))
            if (
                "GET" in (route.methods or ())
                and wanted <= known.keys()
                and not path.startswith(SILENT)
            ):
                self._looked(role, path.format(**known), path, query)

    def _looked(self, role: Role, path: str, name: str, query: Mapping[str, str]) -> None:
        answer = self.world.staff[role].get(path, params=query)
        self.oracle.seen[f"GET {name}"] += answer.status_code == 200
        if name.endswith("{artefact}"):
            return  # frozen bytes, judged when they were signed
        self._sent(answer)

    @rule(at=AT, old=st.booleans())
    def edit_by_fhir(self, at: int, old: bool) -> None:
        """A resource read, now or earlier, written back with another telephone."""
        path, version = f"/fhir/Patient/{self._patient(at)['id']}", self._patient(at)["version"]
        read = self._sent(self._officer.get(path))
        if read.get("resourceType") != "Patient":
            return
        first = self.resources.setdefault(path, read)
        body = {**(first if old else read), "telecom": [{"system": "phone", "value": "0102030405"}]}
        headers = {"If-Match": f'W/"{version}"', "Content-Type": "application/fhir+json"}
        self._sent(self._officer.put(path, json=body, headers=headers))

    def teardown(self) -> None:
        if hasattr(self, "pending"):
            for heard in self.world.work():
                self.oracle.message(heard)
            self.oracle.after()
            self.oracle.finish()

    @property
    def _officer(self) -> httpx.Client:
        return self.world.staff[Role.IDENTITY_OFFICER]

    def _patient(self, at: int) -> Json:
        """Return one of the records there are, a new one when there is none."""
        query = "select id::text, ipp, version from patient order by id"
        if not self.world.rows(query):
            self.create(KNOWN[0], "")
        rows = self.world.rows(query)
        return rows[at % len(rows)]

    def _message(self, told: Told) -> bytes:
        person = told.person
        number, oid = {
            "own": (person.number, person.oid), "other": (STRANGER.number, STRANGER.oid),
            "bad key": (BAD_KEY.number, BAD_KEY.oid), "null": ('""', person.oid),
        }.get(told.ins, ("", ""))  # fmt: skip
        ipp = self._patient(told.at)["ipp"] if told.known else f"X{told.at}"
        authority = DOMAIN if told.known else SENDERS[told.sender]
        others = self.world.rows("select ipp from patient order by ipp desc limit 1")
        retired = others[0]["ipp"] if others and told.known else "X9"
        merges = told.event in ("A40", "A47")
        data = message(
            EVENTS[told.event], control=f"S{self.sent}", ipp=ipp,
            ins=f"{number}^^^ASIP-SANTE-INS-NIR&{oid}&ISO^INS" if number else "",
            names=f"{person.family}^{person.given.split()[0]}^{person.given}^^^^L",
            born=person.born.replace("-", ""), sex=person.sex, place=person.place,
            status="~".join(told.flags), recorded=f"202405140830{self.sent % 60:02d}",
            zfd=f"ZFD|||N|N|{told.mode}", accept="AL" if told.later else "", processing="P",
            more=(f"MRG|{retired}^^^X&{authority}&ISO^PI",) if merges else (),
        )  # fmt: skip
        data = data.replace(b"GAM|CHU-T", f"{told.sender}|X".encode(), 1)
        return data.replace(b"GAM&2.25.77", f"X&{authority}".encode())

    def _script(self, script: str) -> None:
        """Let INSi answer the next call so."""
        self.world.insi.scripted.clear()
        self.world.insi.faults.clear()
        if script in ANSWERS:
            self.world.insi.scripted.extend([ANSWERS[script]] * 6)
        elif script in FAULTS:
            for operation in (BY_TRAITS, BY_VITALE):
                self.world.insi.faults.inject(operation, FAULTS[script])

    def _as_read(self, patient: str) -> dict[str, str]:
        """Return the version of a record as it is now, as a caller sends it back."""
        (row,) = self.world.rows("select version from patient where id = %(id)s", id=patient)
        return {"If-Match": f'"{row["version"]}"'}

    def _post(self, path: str, body: Json, read: Mapping[str, str] = MappingProxyType({})) -> Json:
        headers = {"Idempotency-Key": f"k{len(self.repeated)}", **read}
        self.repeated.append((path, body, headers))
        return self._sent(self._officer.post(path, json=body, headers=headers))

    def _sent(self, response: httpx.Response) -> Json:
        note(f"{response.request.method} {response.request.url.path}: {response.status_code}")
        if response.status_code in (502, 503, 504):  # INSi's own failure, told as one
            assert response.json()["code"].startswith("INSI"), response.text
            response.status_code = 409
        told = self.oracle.answer(response)
        self.oracle.after()
        return told if isinstance(told, dict) else {}
