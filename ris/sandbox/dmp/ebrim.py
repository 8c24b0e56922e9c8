"""Reading the ebRIM of a request into plain values, and its fixed order. No judgement on values."""

from dataclasses import dataclass
from typing import Final

from lxml import etree

from ris.core.xml import Element
from ris.sandbox.dmp.wire import RegistryRefusal

NS: Final = {
    "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "lcm": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
    "xds": "urn:ihe:iti:xds-b:2007",
    "xop": "http://www.w3.org/2004/08/xop/include",
}
AUTHOR: Final = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
SET_AUTHOR: Final = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
CONFIDENTIALITY: Final = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
FORMAT: Final = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
TYPE: Final = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
_SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_IDENTIFIERS: Final = {
    "RegistryPackage": {
        "patient": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
        "source": "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
        "unique": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
    },
    "ExtrinsicObject": {
        "patient": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
        "unique": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
    },
}
_ORDER: Final = (
    "Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Classified:
    """One classification: its code and, for an author, its slots."""

    scheme: str
    code: str
    system: str
    slots: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class RegistryObject:
    """A set or a document as described: identifiers, slots, classifications."""

    own_id: str
    title: str
    mime_type: str
    patient: str
    unique_id: str
    source: str
    slots: dict[str, list[str]]
    classified: tuple[Classified, ...]

    def codes(self, scheme: str) -> list[str]:
        """Return the codes of one classification scheme."""
        return [each.code for each in self.classified if each.scheme == scheme]

    def author_slots(self, scheme: str, name: str) -> list[str]:
        """Return the values of one author slot, over every author."""
        authors = [each for each in self.classified if each.scheme == scheme]
        return [value for each in authors for value in each.slots.get(name, [])]

    def slot(self, name: str) -> str:
        """Return the first value of a slot, or an empty string."""
        return next(iter(self.slots.get(name, [])), "")


@dataclass(frozen=True, slots=True)
class Linked:
    """One association."""

    kind: str
    source: str
    target: str
    slots: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Described:
    """The metadata of a request: one set, documents, associations."""

    submission_set: RegistryObject
    documents: tuple[RegistryObject, ...]
    links: tuple[Linked, ...]

    def targets(self, kind: str) -> list[Linked]:
        """Return the associations whose type ends with *kind*."""
        return [each for each in self.links if each.kind.endswith(f":{kind}")]


def metadata_error(context: str) -> RegistryRefusal:
    """Return the refusal of metadata that are not as they must be."""
    return RegistryRefusal("XDSRegistryMetadataError", context)


def read(request: Element) -> Described:
    """Return what `lcm:SubmitObjectsRequest` describes; raises `RegistryRefusal`."""
    listed = request.find("rim:RegistryObjectList", NS)
    if listed is None:
        raise metadata_error("RegistryObjectList absent")
    packages = listed.findall("rim:RegistryPackage", NS)
    if len(packages) != 1:
        raise metadata_error("un lot attendu")
    markers = [
        each
        for each in listed.iter(f"{{{NS['rim']}}}Classification")
        if each.get("classificationNode") == _SET_NODE
    ]
    if [each.get("classifiedObject") for each in markers] != [packages[0].get("id")]:
        raise metadata_error("le paquet n'est pas un lot de soumission")
    ids = [each.get("id") for each in listed.iter() if each.get("id")]
    if len(ids) != len(set(ids)):
        raise metadata_error("identifiants en double dans le message")
    links = [
        Linked(
            each.get("associationType", ""),
            each.get("sourceObject", ""),
            each.get("targetObject", ""),
            _slots(each),
        )
        for each in listed.findall("rim:Association", NS)
    ]
    documents = tuple(map(_object, listed.findall("rim:ExtrinsicObject", NS)))
    return Described(_object(packages[0]), documents, tuple(links))


def _object(element: Element) -> RegistryObject:
    kind = etree.QName(element).localname
    ranks = [_rank(child) for child in element]
    if ranks != sorted(ranks):
        raise metadata_error(f"{kind} : ordre des éléments")
    found = {name: _identifier(element, scheme) for name, scheme in _IDENTIFIERS[kind].items()}
    own_id = element.get("id", "")
    if any(
        each.get("classifiedObject") != own_id for each in element.findall("rim:Classification", NS)
    ):
        raise metadata_error(f"{kind} : classification d'un autre objet")
    title = element.find("rim:Name/rim:LocalizedString", NS)
    return RegistryObject(
        own_id=own_id,
        title=title.get("value", "") if title is not None else "",
        mime_type=element.get("mimeType", ""),
        patient=found["patient"],
        unique_id=found["unique"],
        source=found.get("source", ""),
        slots=_slots(element),
        classified=tuple(map(_classified, element.findall("rim:Classification", NS))),
    )


def _rank(child: Element) -> int:
    name = etree.QName(child).localname
    if name not in _ORDER:
        raise metadata_error(f"élément inattendu : {name}")
    return _ORDER.index(name)


def _identifier(element: Element, scheme: str) -> str:
    found = element.findall(f"rim:ExternalIdentifier[@identificationScheme='{scheme}']", NS)
    if len(found) != 1 or not found[0].get("value"):
        raise metadata_error("identifiant externe absent")
    if found[0].get("registryObject") != element.get("id"):
        raise metadata_error("identifiant externe d'un autre objet")
    return found[0].get("value", "")


def _classified(element: Element) -> Classified:
    slots = _slots(element)
    return Classified(
        element.get("classificationScheme", ""),
        element.get("nodeRepresentation", ""),
        next(iter(slots.get("codingScheme", [])), ""),
        slots,
    )


def _slots(element: Element) -> dict[str, list[str]]:
    return {
        each.get("name", ""): [
            value.text or "" for value in each.iterfind("rim:ValueList/rim:Value", NS)
        ]
        for each in element.findall("rim:Slot", NS)
    }
