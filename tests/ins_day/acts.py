"""What staff do on the test day, one act each, through the API. Nothing is judged here."""

from typing import Any

from ris.sandbox.insi_people import Person
from tests.ins_day.practice import Desk, Json, Practice


def traits(person: Person, **fields: str) -> dict[str, str]:
    """The five traits that a person gives at the desk."""
    told = {
        "birth_family": person.family,
        "first_birth_given": person.given.split()[0],
        "birth_date": person.born,
        "sex": person.sex,
        "birth_place": person.place,
    }
    return {**told, **fields}


def create(desk: Desk, person: Person, **fields: str) -> Json:
    """A record is created from what the person says."""
    made: Json = desk.post("/v1/patients", traits(person, **fields))
    return made


def refused_creation(desk: Desk, body: dict[str, Any]) -> list[Json]:
    """A creation is tried and refused; return the faults that the answer lists."""
    faults: list[Json] = desk.refused("POST", "/v1/patients", 422, json=body)["errors"]
    return faults


def show(desk: Desk, patient: Json) -> Json:
    """The record is opened."""
    shown: Json = desk.get(path(patient))
    return shown


def ask_insi(desk: Desk, patient: Json, **body: Any) -> Json:
    """INSi is asked; return the comparison dialog."""
    found: Json = desk.post(path(patient, "insi-search"), body)
    return found


def accept(desk: Desk, patient: Json, found: Json, *, reason: str = "", status: int = 201) -> Json:
    """What INSi returned is confirmed by the user."""
    body = {"retrieval_id": found["retrieval_id"], "decision": "accept", "reason": reason}
    return decide(desk, patient, body, status=status)


def decide(desk: Desk, patient: Json, body: Json, *, status: int = 201) -> Json:
    """Something is decided about what INSi returned, on the record as read."""
    made: Json = desk.post(
        path(patient, "insi-acceptance"), body, status=status, headers=as_read(desk, patient)
    )
    return made


def present(
    desk: Desk, patient: Json, kind: str = "PA", *, validate: bool = True, status: int = 201
) -> Json:
    """An identity document is shown; return its record, which holds the patient."""
    body = {"type": kind, "validate_identity": validate}
    shown: Json = desk.post(
        path(patient, "documents"), body, status=status, headers=as_read(desk, patient)
    )
    return shown


def as_read(desk: Desk, patient: Json) -> dict[str, str]:
    """The version of the record as it is now, to send back."""
    return {"If-Match": f'"{show(desk, patient)["version"]}"'}


def edit(desk: Desk, patient: Json, *, status: int = 200, **fields: Any) -> Json:
    """Fields of the record are changed, as read."""
    after: Json = desk.request(
        "PATCH", path(patient), status=status, json=fields, headers=as_read(desk, patient)
    )
    return after


def mark(desk: Desk, patient: Json, attribute: str) -> Json:
    """An attribute is set on the identity."""
    after: Json = desk.request(
        "PUT", path(patient, f"attributes/{attribute}"), json={"reason": "Journée de test"},
        headers=as_read(desk, patient),
    )  # fmt: skip
    return after


def recovered(desk: Desk, person: Person, **fields: str) -> Json:
    """A record at récupérée: created, then INSi accepted."""
    patient = create(desk, person, **fields)
    return accept(desk, patient, ask_insi(desk, patient))


def validated(desk: Desk, person: Person, **fields: str) -> Json:
    """A record at validée: created, then a passport."""
    made: Json = present(desk, create(desk, person, **fields))["patient"]
    return made


def qualified(desk: Desk, person: Person, **fields: str) -> Json:
    """A record at qualifiée: INSi, then a passport."""
    made: Json = present(desk, recovered(desk, person, **fields))["patient"]
    return made


CLIMBS = {"récupérée": recovered, "validée": validated, "qualifiée": qualified}


def holders(desk: Desk, person: Person) -> list[str]:
    """Ids of the records that bear the matricule of *person*, as the base says."""
    found = desk.post("/v1/patients/search", {"matricule": person.number}, status=200)
    return [one["id"] for one in found["items"]]


def listed(desk: Desk, where: str, **query: Any) -> list[Json]:
    """The lines of a list, whole or its first page."""
    answer = desk.get(where, **query)
    items: list[Json] = answer if isinstance(answer, list) else answer["items"]
    return items


def calls(desk: Desk, patient: Json) -> list[Json]:
    """The calls of INSi made for a patient, as his record shows them."""
    return listed(desk, path(patient, "insi-calls"))


def history(desk: Desk, patient: Json) -> list[Json]:
    """The events of an identity, as its record shows them."""
    return listed(desk, path(patient, "history"))


def worklist(desk: Desk, reason: str) -> list[str]:
    """Ids of the identities that a person must look at for this reason."""
    asked = {"limit": 200, "reason": reason}
    return [one["id"] for one in listed(desk, "/v1/identity-worklist", **asked)]


def told(practice: Practice, desk: Desk, patient: Json) -> list[str]:
    """Wait until all that the PACS must be told has left; return the events, in order."""

    def settled() -> bool:
        rows = sent(desk, patient)
        return bool(rows) and all(row["state"] == "sent" for row in rows)

    practice.until(settled)
    return [message.msh.text(9, 2) for message in practice.pacs.about(patient)]


def sent(desk: Desk, patient: Json) -> list[Json]:
    """The messages about a patient towards the attached systems, sent or not."""
    return listed(desk, path(patient, "propagation"))


def path(patient: Json, part: str = "") -> str:
    """The address of a record, or of a part of it."""
    return f"/v1/patients/{patient['id']}" + (f"/{part}" if part else "")
