"""Generated requests brought down to earth: identifiers, versions and values that exist.

Noise alone stops at the first 404. Nothing here judges an answer.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from random import Random
from typing import Any, Final

import schemathesis
from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation as Place
from sqlalchemy import text

from ris.core.db import Database
from ris.interop.fhir.openapi import SENT
from ris.sandbox.insi_people import PEOPLE
from ris.sandbox.psc_people import REQUESTER, SECRETARY
from tests.security.job import CT
from tests.security.lived import PIXEL, TABLES, identifiers

OFTEN, HALF = 0.9, 0.5  # how often an identifier, another value, is one that exists
FHIR_BODY: Final = "application/fhir+json"
VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "birth_family": ("PAT-TROIS", "ADRUN", "INVENTE"), "first_birth_given": ("DOMINIQUE", "ZOE"),
    "birth_date": ("1979-03-28", "1975-12-31"), "birthdate": ("1979-03-28", "ge1900"),
    "birth_place": ("51215", "63220", "99100"), "sex": ("F", "M", "I"), "name": ("PAT", "ADR"),
    "family": ("PAT", "ADRUN"), "given": ("DOM", "ZOE"), "ipp": ("0000000001",),
    "matricule": tuple(one.number for one in PEOPLE[:8]), "reason": ("motif", ""),
    "rpps": (REQUESTER.ps_idnat[1:], "99700993001"), "mss_address": (None,),
    "ps_idnat": (SECRETARY.ps_idnat, REQUESTER.ps_idnat), "type": ("PA", "CN", "PC"),
    "scheduled_at": ("2026-12-01T08:00:00+01:00",), "struct_idnat": ("499700993001004",),
    "identifier": ("urn:oid:1.2.250.1.999.1.1|0000000001", "0000000001"),
    "_count": ("1", "0"), "_format": ("json",), "number": (1, 2), "phone": ("0102030405",),
    "sender": ("1.2.3.4",), "since": ("2026-01-01T00:00:00Z",), "until": ("2100-01-01T00:00:00Z",),
}  # fmt: skip
ODD: Final = (None, "", 0, -1, 10**20, True, [], {}, "\x00", "é" * 300, "9999-99-99", [[]], [None])


@schemathesis.serializer("image/png", "image/jpeg", "application/pdf")
def as_they_are(_: object, value: object) -> object:
    """Send a generated file as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


class Ground:
    """What exists now, in the database of the product under test."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.refresh()

    def refresh(self) -> None:
        """Read again which rows there are."""
        self._rows = identifiers(self._database)

    def settle(self, case: Case, chance: Random) -> None:
        """Give *case* identifiers, a version and values that exist, most of the time.

        What was made wrong on purpose stays so.
        """
        wrong = {at for at, part in case.meta.components.items() if part.mode.is_negative}
        for at, held in ((Place.PATH, case.path_parameters), (Place.QUERY, case.query)):
            for name in list(held) if isinstance(held, dict) and at not in wrong else ():
                held[name] = self._one(name, held[name], chance)
        if Place.BODY not in wrong and (body := self._body(case, chance)) is not case.body:
            case.body = body
        told = {name.lower() for name in case.headers} if Place.HEADER not in wrong else ()
        if "if-match" in told and chance.random() < OFTEN:
            case.headers["If-Match"] = f'"{self._version(case, chance)}"'

    def _body(self, case: Case, chance: Random) -> Any:
        body = case.body
        if isinstance(body, bytes) and chance.random() < HALF:
            return PIXEL
        if case.media_type == FHIR_BODY and chance.random() < OFTEN:
            return self._resource(case, chance)
        if isinstance(body, dict) and "files" in body and chance.random() < HALF:
            return {"files": [sorted(CT.iterdir())[0].read_bytes()]}
        return self._settled(body, chance) if isinstance(body, dict | list) else body

    def _resource(self, case: Case, chance: Random) -> Any:
        """The Patient of the description, of the right id, most often with something wrong."""
        made = deepcopy(SENT["requestBody"]["content"][FHIR_BODY]["example"])
        if "patient_id" in (case.path_parameters or {}):
            made["id"] = str(case.path_parameters["patient_id"])
        return spoilt(made, chance) if chance.random() < OFTEN else made

    def _settled(self, value: Any, chance: Random) -> Any:
        if isinstance(value, dict):
            return {
                name: self._one(name, self._settled(one, chance), chance)
                for name, one in value.items()
            }
        return [self._settled(one, chance) for one in value] if isinstance(value, list) else value

    def _one(self, name: str, value: Any, chance: Random) -> Any:
        if (held := self._rows.get(name)) and chance.random() < OFTEN:
            return chance.choice(held)
        if name.endswith("version") and chance.random() < OFTEN:
            return chance.randint(0, 4)
        known = VALUES.get(name)
        return chance.choice(known) if known and chance.random() < HALF else value

    def _version(self, case: Case, chance: Random) -> int:
        """The version of the row that the path names; a guess where there may be none."""
        names = re.findall(r"{(\w+)}", case.path)
        name = names[0] if names else ""
        if name not in TABLES or "/duplicates/" in case.path or "refusals" in case.path:
            return chance.randint(0, 2)
        query = f"select version from {TABLES[name]} where cast(id as text) = :id"
        if name == "merge_id":
            query = (
                "select p.version from patient p join patient_merge m on m.survivor_id = p.id"
                " where cast(m.id as text) = :id"
            )
        with self._database.engine.connect() as link:
            key = {"id": str(case.path_parameters[name])}
            return link.execute(text(query), key).scalar() or 1


def spoilt(value: Any, chance: Random) -> Any:
    """Return *value* with one part of it replaced by something odd, or doubled, or gone."""
    if isinstance(value, dict) and value and chance.random() < OFTEN:
        name = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {key: one for key, one in value.items() if key != name}
        return {**value, name: spoilt(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < OFTEN:
        at = chance.randrange(len(value))
        return [*value[:at], spoilt(value[at], chance), *value[at + (chance.random() < HALF) :]]
    return chance.choice(ODD)
