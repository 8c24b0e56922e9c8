"""Every text that a caller may send has a size and refuses control characters, by its own name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.identity.conftest import PATIENT, Desk
from tests.identity.test_routes import as_read, create

Json = dict[str, Any]
API: Json = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text("utf-8"))
JUDGED = {  # by rules of their own, each with its code, tested beside them
    *(f"{body}/{field}" for body in ("PatientIn", "PatientEdit") for field in PATIENT),
    *(f"{body}/{field}" for body in ("PatientIn", "PatientEdit")
      for field in ("birth_given_names", "used_family", "used_given", "phone", "billing_number")),
    "AddressIn/lines", "AddressIn/postal_code", "AddressIn/city", "AddressIn/country",
    "SearchIn/matricule", "DatamatrixIn/text",
    "/v1/patients?name", "/v1/patients?given",  # folded to letters before any use
    "DocumentIn/type", "DocumentIn/companion",  # codes, looked up in the site's list
    "SignedCardIn/certificate", "SignedCardIn/signature", "CardIn/certificate",  # decoded at once
}  # fmt: skip


def texts(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every plain text of a request schema, with where it stands."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from texts(API["components"]["schemas"][name], name)
    for inner in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from texts(inner, path)
    for field, inner in schema.get("properties", {}).items():
        yield from texts(inner, f"{path}/{field}")
    if "items" in schema:
        yield from texts(schema["items"], path)
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "format"}:
        yield path, schema


def sent() -> Iterator[tuple[str, Json]]:
    for path, methods in API["paths"].items():
        for operation in methods.values():
            if "identity" not in operation.get("tags", ()):
                continue
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            yield from texts(body["schema"], path) if body else ()
            for one in operation.get("parameters", ()):
                if one.get("in") in ("query", "path") and one["name"] != "after":  # our own cursor
                    yield from texts(one["schema"], f"{path}?{one['name']}")


def test_every_text_of_the_identity_api_has_a_bound_and_a_pattern() -> None:
    found = dict(sent())
    assert len(found) > 40
    loose = {
        where for where, schema in found.items()
        if "pattern" not in schema or ("maxLength" not in schema and "*" in schema["pattern"])
    }  # fmt: skip
    assert loose - JUDGED == set()


CONTACTS = [
    ({"phone": "0" * 31}, "/phone", "PHONE_TOO_LONG"),
    ({"phone": "01\x0099"}, "/phone", "PHONE_CHARACTERS"),
    ({"phone": "01\x9b99"}, "/phone", "PHONE_CHARACTERS"),
    ({"billing_number": "1" * 16}, "/billing_number", "BILLING_NUMBER_TOO_LONG"),
    ({"billing_number": "1\x00"}, "/billing_number", "BILLING_NUMBER_CHARACTERS"),
    ({"address": {"lines": ["A"] * 6}}, "/address/lines", "ADDRESS_TOO_MANY_LINES"),
    ({"address": {"lines": ["A", "B" * 201]}}, "/address/lines/1", "ADDRESS_LINE_TOO_LONG"),
    ({"address": {"lines": ["A\nB"]}}, "/address/lines/0", "ADDRESS_LINE_CHARACTERS"),
    ({"address": {"city": "\x00"}}, "/address/city", "ADDRESS_CITY_CHARACTERS"),
    ({"address": {"postal_code": "\x7f"}}, "/address/postal_code",
     "ADDRESS_POSTAL_CODE_CHARACTERS"),
    ({"address": {"country": "C" * 101}}, "/address/country", "ADDRESS_COUNTRY_TOO_LONG"),
    ({"used_family": "A\x00"}, "/used_family", "NAME_CHARACTERS"),
    ({"birth_place": "5121\x00"}, "/birth_place", "PLACE_CODE"),
]  # fmt: skip


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(one["pointer"], one["code"]) for one in answer.json()["errors"]]


@pytest.mark.parametrize(("fields", "pointer", "code"), CONTACTS)
def test_a_contact_at_fault_is_refused_by_its_field(
    desk: Desk, fields: Json, pointer: str, code: str
) -> None:
    assert told(desk().post("/patients", json={**PATIENT, **fields})) == [(pointer, code)]


def test_a_control_character_is_refused_wherever_a_text_is_free(desk: Desk) -> None:
    api = desk(habilitated=True)
    patient = create(api)
    here, tag = f"/patients/{patient['id']}", as_read(api, patient)
    vitale = {"matricule": "279035121518989", "opener": "279035121518989",
              "birth_family": "PAT\x01", "birth_date": "1979-03-28"}  # fmt: skip
    contract = {"sender": "1.2\x00", "label": "GAM\x1b", "scope": "own_domain"}
    asked = [
        (api.put(f"{here}/attributes/douteuse", json={"reason": "\x00"}, headers=tag), "/reason"),
        (api.patch(here, json={"reason": "a\x07"}, headers=tag), "/reason"),
        (api.post(f"{here}/insi-search", json={"vitale": vitale}, headers=tag),
         "/vitale/birth_family"),
        (api.post(f"{here}/insi-search", json={"responsible": {"ps_idnat": "\x00"}}, headers=tag),
         "/responsible/ps_idnat"),
    ]  # fmt: skip
    for answer, pointer in asked:
        assert [where for where, _ in told(answer)] == [pointer]
    signed = told(api.post("/trust-contracts", json=contract))
    assert [where for where, _ in signed] == ["/sender", "/label"]
    assert api.get("/patients", params={"ipp": "\x00"}).status_code == 422
    kept = api.put(f"{here}/attributes/douteuse", json={"reason": "deux\nlignes"}, headers=tag)
    assert kept.status_code == 200, kept.text
