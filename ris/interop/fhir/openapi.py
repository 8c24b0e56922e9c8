"""What the OpenAPI document says of `/fhir` and FastAPI cannot know: parameters, bodies, outcomes.

Pure: constants for the routes, and a description in, a richer description out.
"""

from copy import deepcopy
from typing import Final

from ris.interop.fhir import vocabulary as fr
from ris.interop.fhir.outcome import ROOT
from ris.interop.fhir.search import CONTROLS, PARAMETERS
from ris.interop.fhir.vocabulary import Json

_FHIR: Final = "application/fhir+json"
_RESOURCE: Final = {"$ref": "#/components/schemas/Resource"}
_TEXTS: Final = {**{name: text for name, (_, text) in PARAMETERS.items()}, **CONTROLS}
_EXAMPLE: Final[Json] = {
    "resourceType": "Patient",
    "extension": [
        {
            "url": fr.BIRTH_PLACE,
            "valueAddress": {
                "extension": [
                    {"url": fr.INSEE_CODE, "valueCoding": {"system": fr.COG, "code": "69383"}}
                ]
            },
        }
    ],
    "name": [
        {
            "extension": [{"url": fr.BIRTH_LIST, "valueString": "CLAUDE ANNE"}],
            "use": "official",
            "family": "EXEMPLE",
            "given": ["CLAUDE"],
        },
        {"use": "usual", "family": "MARTIN"},
    ],
    "telecom": [{"system": "phone", "value": "0600000000"}],
    "gender": "female",
    "birthDate": "1984-03-12",
}

QUERY: Final = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": text,
    }
    for name, text in _TEXTS.items()
]
_FIELDS: Final = {name: {"type": "string", "description": text} for name, text in _TEXTS.items()}
FORM: Final[Json] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": _FIELDS}
            }
        },
    }
}
SENT: Final[Json] = {
    "requestBody": {
        "required": True,
        "content": {_FHIR: {"schema": _RESOURCE, "example": _EXAMPLE}},
    }
}
_MORE: Final = {
    "400": "The request is not understood: JSON, search parameter, id.",
    "406": "Only JSON is served.",
    "422": "The rules of identity, or of the search, refuse it; each issue says where.",
}
_OF_BODY: Final = {"415": "The body is of another type."}


def complete(document: Json) -> Json:
    """Return *document* where every error under `/fhir` is an OperationOutcome."""
    made = deepcopy(document)
    answers = made["components"]["responses"]
    for path, operations in made["paths"].items():
        if not path.startswith(f"{ROOT}/"):
            continue
        for operation in operations.values():
            _complete(operation, answers, versioned="{" in path)
    return made


def _complete(operation: Json, answers: Json, *, versioned: bool) -> None:
    responses = operation["responses"]
    for status, answer in list(responses.items()):
        name = str(answer.get("$ref", "")).rpartition("/")[2]
        if status >= "400":
            responses[status] = _outcome((answers[name] if name else answer)["description"])
        elif status < "300":
            answer["content"] = {_FHIR: {"schema": dict(_RESOURCE)}}
            if versioned or status == "201":
                answer["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
    for status, text in (_MORE | (_OF_BODY if "requestBody" in operation else {})).items():
        if operation.get("x-permission") or status == "406":
            responses[status] = _outcome(text)


def _outcome(description: str) -> Json:
    return {"description": description, "content": {_FHIR: {"schema": dict(_RESOURCE)}}}
