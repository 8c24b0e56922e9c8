"""Reading of the Annuaire Santé's FHIR answers, leniently (mss.md §15.2).

Pure functions of JSON. Sub-extensions vary (`valueCode`, `valueCoding`, `valueCodeableConcept`),
so no strict model here. Only a telecom with the MSSANTE coding is a mailbox.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ris.auth.directory.values import DirectoryEntry, Mailbox
from ris.auth.identifiers import structure
from ris.auth.values import Address, Professional, Structure

RPPS_URI: Final = "https://rpps.esante.gouv.fr"
_IDNPS: Final = "urn:oid:1.2.250.1.71.4.2.1"
_IDNST: Final = "urn:oid:1.2.250.1.71.4.2.2"
_PREFIXES: Final = {
    "https://finess.esante.gouv.fr": "1",
    "https://rppsrang.esante.gouv.fr": "4",
    RPPS_URI: "4",
}
_EMAIL_TYPE: Final = "/fr-core-contact-point-email-type"
_METADATA: Final = "/as-ext-mailbox-mss-metadata"

Json = Mapping[str, Any]


def resources(bundle: Json, kind: str) -> list[Json]:
    """Return the resources of one type in a Bundle, included ones too."""
    found = (entry.get("resource") for entry in _objects(bundle.get("entry")))
    return [
        item for item in found if isinstance(item, Mapping) and item.get("resourceType") == kind
    ]


def next_link(bundle: Json) -> str | None:
    """Return the address of the next page, or None."""
    for link in _objects(bundle.get("link")):
        if link.get("relation") == "next" and isinstance(link.get("url"), str):
            return str(link["url"])
    return None


def entry(
    practitioner: Json, roles: Sequence[Json], organisations: Sequence[Json], at: datetime
) -> DirectoryEntry:
    """Return one correspondent; his structure is that of his first active role."""
    by_id = {f"Organization/{item.get('id')}": item for item in organisations}
    active = [role for role in roles if role.get("active") is not False]
    places = [by_id.get(_reference(role, "organization"), {}) for role in active]
    rpps = _identifier(practitioner, RPPS_URI)
    boxes = list(mailboxes(practitioner, rpps=rpps))
    for role, place in zip(active, places, strict=True):
        boxes += mailboxes(role, rpps=rpps, struct_idnat=struct_idnat(place))
        boxes += mailboxes(place, struct_idnat=struct_idnat(place))
    workplaces = [made for place in places if (made := _structure(place)) is not None]
    return DirectoryEntry(
        professional=_professional(practitioner, active, next(iter(workplaces), None)),
        mailboxes=tuple({(box.address, box.struct_idnat): box for box in boxes}.values()),
        active=practitioner.get("active") is not False,
        fetched_at=at,
    )


def mailboxes(
    resource: Json, *, rpps: str | None = None, struct_idnat: str | None = None
) -> Iterator[Mailbox]:
    """Yield the MSSanté mailboxes of one resource; an ordinary e-mail address is never one."""
    for telecom in _objects(resource.get("telecom")):
        extensions = list(_objects(telecom.get("extension")))
        kinds = [item for item in extensions if str(item.get("url", "")).endswith(_EMAIL_TYPE)]
        address = telecom.get("value")
        if not isinstance(address, str) or "MSSANTE" not in {_code(kind) for kind in kinds}:
            continue
        details = [item for item in extensions if str(item.get("url", "")).endswith(_METADATA)]
        rank = telecom.get("rank")
        yield Mailbox(
            address=address.strip(),
            kind=_detail(details, "type"),
            rpps=rpps,
            struct_idnat=struct_idnat,
            rank=rank if isinstance(rank, int) else None,
            red_list=_detail(details, "listeRouge") == "true",
        )


def struct_idnat(organisation: Json) -> str | None:
    """Return the prefixed Struct_IdNat of an Organization whose key is right, or None."""
    for item in _objects(organisation.get("identifier")):
        system, value = str(item.get("system", "")), str(item.get("value", ""))
        candidate = value if system == _IDNST else _PREFIXES.get(system, "") + value
        if (system == _IDNST or system in _PREFIXES) and structure(candidate).valid:
            return candidate
    return None


def _professional(
    practitioner: Json, roles: Sequence[Json], place: Structure | None
) -> Professional:
    name: Json = next(_objects(practitioner.get("name")), {})
    given, suffix = _strings(name.get("given")), _strings(name.get("suffix"))
    rpps = _identifier(practitioner, RPPS_URI)
    codes = list(_codings([practitioner.get("qualification"), *roles]))
    return Professional(
        ps_idnat=_identifier(practitioner, _IDNPS) or (f"8{rpps}" if rpps else ""),
        family=str(name.get("family", "")),
        given=" ".join(given),
        profession=_first(codes, "G15"),
        specialty=_first(codes, "R38"),
        title=next(iter(suffix), ""),
        structure=place,
    )


def _structure(organisation: Json) -> Structure | None:
    identifier = struct_idnat(organisation)
    if identifier is None:
        return None
    told: Json = next(_objects(organisation.get("address")), {})
    address = Address(
        tuple(_strings(told.get("line"))),
        str(told.get("postalCode", "")),
        str(told.get("city", "")),
    )
    return Structure(identifier, str(organisation.get("name", "")), address=address)


def _codings(node: object) -> Iterator[Json]:
    """Yield every coding below *node*, wherever the directory put it."""
    if isinstance(node, Mapping):
        if "system" in node and "code" in node:
            yield node
        for value in node.values():
            yield from _codings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _codings(value)


def _first(codes: Iterable[Json], table: str) -> str:
    """Return the first code of a NOS table (`G15` profession, `R38` savoir-faire), or empty."""
    named = (f"TRE_{table}", f"TRE-{table}")
    found = (str(c["code"]) for c in codes if any(name in str(c["system"]) for name in named))
    return next(found, "")


def _detail(extensions: Iterable[Json], url: str) -> str | None:
    for extension in extensions:
        for part in _objects(extension.get("extension")):
            if part.get("url") == url:
                return _code(part)
    return None


def _code(extension: Json) -> str | None:
    """Return the code of an extension, whichever `value[x]` carries it."""
    for name, value in extension.items():
        if name in ("valueCode", "valueString"):
            return str(value)
        if name == "valueBoolean":
            return "true" if value else "false"
        if name == "valueCoding" and isinstance(value, Mapping):
            return str(value.get("code", ""))
        if name == "valueCodeableConcept" and isinstance(value, Mapping):
            return next((str(c.get("code", "")) for c in _objects(value.get("coding"))), None)
    return None


def _identifier(resource: Json, system: str) -> str | None:
    for item in _objects(resource.get("identifier")):
        if item.get("system") == system and isinstance(item.get("value"), str):
            return str(item["value"])
    return None


def _reference(resource: Json, name: str) -> str:
    target = resource.get(name)
    return str(target.get("reference", "")) if isinstance(target, Mapping) else ""


def _objects(value: object) -> Iterator[Json]:
    listed = value if isinstance(value, list) else []
    return (item for item in listed if isinstance(item, Mapping))


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
