"""Patients of these tests as FHIR resources, and what is asked of an answer."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import httpx
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient

Json = dict[str, Any]
MODELS = {one.__name__: one for one in (Bundle, CapabilityStatement, OperationOutcome, Patient)}

CORE = "https://hl7.fr/ig/fhir/core"
RELIABILITY = f"{CORE}/StructureDefinition/fr-core-identity-reliability"
BIRTH_LIST = f"{CORE}/StructureDefinition/fr-core-patient-birth-list-given-name"
INSEE = f"{CORE}/StructureDefinition/fr-core-address-insee-code"
CORRECTED = f"{CORE}/StructureDefinition/fr-core-patient-birthdate-update-indicator"
PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
COG = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
STATUS = f"{CORE}/CodeSystem/fr-core-cs-identity-status"
OLD = f"{CORE}/CodeSystem/fr-core-cs-v2-0445"
MATRICULE = "279035121518989"
TEST_OID = "urn:oid:1.2.250.1.213.1.4.10"
IPP_SYSTEM = "urn:oid:2.25.1"


@dataclass
class Door:
    """Both APIs, for one person."""

    json: httpx.Client
    fhir: httpx.Client


Open = Callable[..., Door]

BORN: Json = {
    "url": PLACE,
    "valueAddress": {
        "extension": [{"url": INSEE, "valueCoding": {"system": COG, "code": "51215"}}]
    },
}
PATIENT: Json = {
    "resourceType": "Patient",
    "extension": [BORN],
    "name": [{"use": "official", "family": "PAT-TROIS", "given": ["DOMINIQUE"]}],
    "gender": "female",
    "birthDate": "1979-03-28",
}


def resource(**changes: Any) -> Json:
    """PATIENT with some elements changed, or removed where None."""
    made = {**deepcopy(PATIENT), **changes}
    return {name: value for name, value in made.items() if value is not None}


def got(answer: httpx.Response, status: int = 200) -> Json:
    """The resource of an answer that must have *status*, valid by the R4B models."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json; fhirVersion=4.0"
    body: Json = answer.json()
    MODELS[body["resourceType"]].model_validate(body)
    return body


def refused(answer: httpx.Response, status: int) -> str:
    """The stable code of a refusal, an OperationOutcome in French."""
    first = got(answer, status)["issue"][0]
    assert first["severity"] in ("error", "fatal")
    assert first["details"]["text"]
    return str(first["details"]["coding"][0]["code"])


def expressions(answer: httpx.Response) -> list[str]:
    """Where in the Patient an OperationOutcome points."""
    return [place for one in answer.json()["issue"] for place in one.get("expression", ())]


def created(fhir: httpx.Client, **changes: Any) -> Json:
    return got(fhir.post("/Patient", json=resource(**changes)), 201)


def extension(element: Json, url: str) -> Json:
    """The extension of *url*, empty when absent."""
    return next((one for one in element.get("extension", ()) if one["url"] == url), {})


def reliability(patient: Json) -> dict[str, Any]:
    """The sub-extensions of the identity reliability: name to value; comments as a list."""
    told: dict[str, Any] = {"comment": []}
    for part in extension(patient, RELIABILITY)["extension"]:
        value = next(value for name, value in part.items() if name.startswith("value"))
        if part["url"] == "comment":
            told["comment"].append(value["coding"][0]["code"])
        else:
            told[part["url"]] = value
    return told


def status(patient: Json) -> str:
    return str(reliability(patient)["identityStatus"]["code"])


def slices(patient: Json) -> dict[str, tuple[str, str, str]]:
    """The identifiers by the code of their type: use, system, value."""
    return {
        one["type"]["coding"][0]["code"] + ("_OLD" if one["use"] == "old" else ""):
        (one["use"], one["system"], one["value"])
        for one in patient["identifier"]
    }  # fmt: skip


def put(fhir: httpx.Client, patient: Json, **headers: str | bytes) -> httpx.Response:
    told = {"If-Match": f'W/"{patient["meta"]["versionId"]}"', **headers}
    sent = [(name, value.encode() if isinstance(value, str) else value)
            for name, value in told.items()]  # fmt: skip
    pairs = [(name.encode(), value) for name, value in sent]
    return fhir.put(f"/Patient/{patient['id']}", json=patient, headers=pairs)


def read(fhir: httpx.Client, patient: Json) -> Json:
    return got(fhir.get(f"/Patient/{patient['id']}"))
