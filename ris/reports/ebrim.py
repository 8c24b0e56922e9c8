"""The ebRIM 3.0 form of a submission: one `SubmitObjectsRequest`, for the DMP and for IHE_XDM.

Only writes; the values come from `ris.reports.xds`. No transport, no envelope, no choice of code.
Order inside an object is that of the schema: Slot, Name, Description, Classification,
ExternalIdentifier (dmp.md §6.1, mss.md §10.2).
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import count
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from ris.core.xml import Element
from ris.orders.values import Code
from ris.reports.xds import Association, Author, DocumentEntry, Submission, SubmissionSet

LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
APPROVED: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
HAS_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
SIGNS: Final = "urn:ihe:iti:2007:AssociationType:signs"
RPLC: Final = "urn:ihe:iti:2007:AssociationType:RPLC"
UPDATE_STATUS: Final = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
REFERENCE_IDS: Final = "urn:ihe:iti:xds:2013:referenceIdList"

_STABLE_DOCUMENT: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_ASSOCIATION: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"
_SET_AUTHOR: Final = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
_SET_CONTENT: Final = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
_SET_PATIENT: Final = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
_SET_SOURCE: Final = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
_SET_UNIQUE: Final = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
_AUTHOR: Final = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
_CLASS: Final = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
_CONFIDENTIALITY: Final = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
_EVENT: Final = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
_FORMAT: Final = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
_FACILITY: Final = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
_PRACTICE: Final = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
_TYPE: Final = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
_PATIENT: Final = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
_UNIQUE: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"

_rim: Final = ElementMaker(namespace=RIM, nsmap={"rim": RIM})
_lcm: Final = ElementMaker(namespace=LCM, nsmap={"lcm": LCM})
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


class Medium(StrEnum):
    """Where the request goes: the set marker and the document status differ."""

    XDS = "xds"
    XDM = "xdm"


def submit_objects(submission: Submission, medium: Medium = Medium.XDS) -> Element:
    """Return the `lcm:SubmitObjectsRequest` of *submission*.

    HasMember associations (`SubmissionSetStatus=Original`) are added for every document. In an
    XDM medium the set marker is a sibling and each document is `Approved`.
    """
    ids = (f"o{number:03d}" for number in count(1))
    set_id = submission.submission_set.entry_id
    package = _package(submission.submission_set, ids)
    marker = _rim.Classification(
        classificationNode=_SET_NODE, classifiedObject=set_id, id=next(ids), nodeRepresentation=""
    )
    if medium is Medium.XDS:
        package.insert(_first_identifier(package), marker)
    objects = [package]
    objects += [_extrinsic(document, ids, medium) for document in submission.documents]
    if medium is Medium.XDM:
        objects.append(marker)
    members = [
        Association(
            HAS_MEMBER, set_id, document.entry_id, (("SubmissionSetStatus", ("Original",)),)
        )
        for document in submission.documents
    ]
    links = (*members, *submission.associations)
    objects += [_link(association, next(ids)) for association in links]
    return _lcm.SubmitObjectsRequest(_rim.RegistryObjectList(*objects))


def _first_identifier(package: Element) -> int:
    return next(i for i, child in enumerate(package) if _is(child, "ExternalIdentifier"))


def _is(element: Element, name: str) -> bool:
    return etree.QName(element).localname == name


def _package(values: SubmissionSet, ids: Iterator[str]) -> Element:
    owner = values.entry_id
    parts = [_slot("submissionTime", [values.submission_time])]
    parts += _texts(values.title, values.comments)
    parts.append(_author(_SET_AUTHOR, owner, values.author, next(ids)))
    parts.append(_coded(_SET_CONTENT, owner, values.content_type, next(ids)))
    identifiers = (
        (_SET_PATIENT, "XDSSubmissionSet.patientId", values.patient_id),
        (_SET_SOURCE, "XDSSubmissionSet.sourceId", values.source_id),
        (_SET_UNIQUE, "XDSSubmissionSet.uniqueId", values.unique_id),
    )
    parts += [_identifier(*each, owner=owner, own_id=next(ids)) for each in identifiers]
    return _rim.RegistryPackage(*parts, id=owner)


def _extrinsic(entry: DocumentEntry, ids: Iterator[str], medium: Medium) -> Element:
    attributes = {
        "id": entry.entry_id, "mimeType": entry.mime_type, "objectType": _STABLE_DOCUMENT
    }  # fmt: skip
    if medium is Medium.XDM:
        attributes["status"] = APPROVED
    owner = entry.entry_id
    parts = [*_slots(entry), *_texts(entry.title, entry.comments)]
    parts += [_author(_AUTHOR, owner, author, next(ids)) for author in entry.authors]
    parts += [_coded(scheme, owner, code, next(ids)) for scheme, code in _codes(entry)]
    identifiers = (
        (_PATIENT, "XDSDocumentEntry.patientId", entry.patient_id),
        (_UNIQUE, "XDSDocumentEntry.uniqueId", entry.unique_id),
    )
    parts += [_identifier(*each, owner=owner, own_id=next(ids)) for each in identifiers]
    return _rim.ExtrinsicObject(*parts, **attributes)


def _slots(entry: DocumentEntry) -> list[Element]:
    values: tuple[tuple[str, Iterable[str]], ...] = (
        ("creationTime", [entry.creation_time]),
        ("hash", [entry.hash]),
        ("languageCode", [entry.language]),
        ("legalAuthenticator", [entry.legal_authenticator]),
        ("serviceStartTime", [entry.service_start]),
        ("serviceStopTime", [entry.service_stop]),
        ("size", [str(entry.size)]),
        ("sourcePatientId", [entry.source_patient_id]),
        ("sourcePatientInfo", entry.source_patient_info),
        ("URI", [entry.uri]),
        (REFERENCE_IDS, entry.reference_ids),
    )
    return [_slot(name, listed) for name, listed in values if any(listed)]


def _codes(entry: DocumentEntry) -> list[tuple[str, Code]]:
    return [
        (_CLASS, entry.class_code),
        *((_CONFIDENTIALITY, code) for code in entry.confidentiality),
        *((_EVENT, code) for code in entry.events),
        (_FORMAT, entry.format_code),
        (_FACILITY, entry.facility),
        (_PRACTICE, entry.practice_setting),
        (_TYPE, entry.type_code),
    ]


def _slot(name: str, values: Iterable[str]) -> Element:
    return _rim.Slot(_rim.ValueList(*(_rim.Value(value) for value in values)), name=name)


def _texts(title: str, comments: str) -> list[Element]:
    named = (("Name", title), ("Description", comments))
    return [_localised(tag, value) for tag, value in named if value]


def _localised(tag: str, value: str) -> Element:
    text = _rim.LocalizedString(value=value, charset="UTF-8", **{_XML_LANG: "FR"})
    return _rim(tag, text)


def _author(scheme: str, owner: str, author: Author, own_id: str) -> Element:
    named = (
        ("authorInstitution", author.institution),
        ("authorPerson", author.person),
        ("authorRole", author.role),
        ("authorSpecialty", author.specialty),
    )
    slots = [_slot(name, [value]) for name, value in named if value]
    return _rim.Classification(
        *slots, classificationScheme=scheme, classifiedObject=owner, id=own_id,
        nodeRepresentation="",
    )  # fmt: skip


def _coded(scheme: str, owner: str, code: Code, own_id: str) -> Element:
    return _rim.Classification(
        _slot("codingScheme", [code.system]), _localised("Name", code.label),
        classificationScheme=scheme, classifiedObject=owner, id=own_id,
        nodeRepresentation=code.code,
    )  # fmt: skip


def _identifier(scheme: str, name: str, value: str, *, owner: str, own_id: str) -> Element:
    return _rim.ExternalIdentifier(
        _localised("Name", name), id=own_id, identificationScheme=scheme, registryObject=owner,
        value=value,
    )  # fmt: skip


def _link(association: Association, own_id: str) -> Element:
    return _rim.Association(
        *(_slot(name, values) for name, values in association.slots),
        associationType=association.kind, id=own_id, objectType=_ASSOCIATION,
        sourceObject=association.source, targetObject=association.target,
    )  # fmt: skip
