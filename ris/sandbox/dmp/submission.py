"""Judging an ITI-41 lot: parts, metadata, CDA, signature, patient, duplicates, replacement.

Raises `SoapRefusal` when the message itself is wrong, `RegistryRefusal` otherwise; returns the
entries to register. It changes nothing.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ris.core.errors import RisError
from ris.core.xml import Element, parse, text_of
from ris.sandbox.dmp import ebrim
from ris.sandbox.dmp.assertion import Caller
from ris.sandbox.dmp.ebrim import NS, Described, RegistryObject, metadata_error
from ris.sandbox.dmp.registry import APPROVED, DEPRECATED, Entry, Registry
from ris.sandbox.dmp.signatures import BadSignature, Believes, units, verify_lot
from ris.sandbox.dmp.wire import Incoming, RegistryRefusal, SoapRefusal, content_id

_SIGNATURE_FORMAT: Final = "http://www.w3.org/2000/09/xmldsig#"
_RESTRICTIONS: Final = {"MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"}
_CDA: Final = {"h": "urn:hl7-org:v3"}
_XCN: Final = re.compile(
    r"[^\^]+\^[^\^]+\^[^\^]+\^{6}&1\.2\.250\.1\.71\.4\.2\.1&ISO\^D\^{3}(IDNPS|EI)"
)
_XON: Final = re.compile(r"[^\^]+\^{5}&1\.2\.250\.1\.71\.4\.2\.2&ISO\^IDNST\^{3}([^\^]+)")
_SPECIALTY: Final = re.compile(r"[^\^]+\^[^\^]+\^1\.2\.250\.1\.213\.1\.1\.4\.5")
_DTM: Final = re.compile(r"\d{14}")
_REQUIRED: Final = {
    ebrim.AUTHOR: "author",
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": "classCode",
    ebrim.TYPE: "typeCode",
    ebrim.FORMAT: "formatCode",
    ebrim.CONFIDENTIALITY: "confidentialityCode",
    "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": "healthcareFacilityTypeCode",
    "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": "practiceSettingCode",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A lot that may be registered: its set, its entries, the entryUUID it replaces."""

    set_unique_id: str
    entries: tuple[Entry, ...]
    replaced: str | None


def judge(incoming: Incoming, caller: Caller, registry: Registry, believes: Believes) -> Judged:
    """Return the lot of *incoming* when nothing is wrong with it."""
    submit = incoming.body.find("lcm:SubmitObjectsRequest", NS)
    if submit is None:
        raise metadata_error("SubmitObjectsRequest absent")
    described = ebrim.read(submit)
    contents = _contents(incoming, described)
    _check_patient(described, caller, registry)
    _check_identifiers(described, contents, registry)
    _check_set(described, caller)
    reports, signature = _roles(described)
    for document in described.documents:
        _check_entry(document, contents[document.own_id])
    for document in reports:
        _check_cda(document, contents[document.own_id])
        _check_author(document, caller)
    signed = {each.unique_id: contents[each.own_id] for each in reports}
    _check_signature(
        described, signature, contents[signature.own_id], signed, believes=believes, caller=caller
    )
    replaced = _replaced(described, reports, caller, registry)
    lot = described.submission_set.unique_id
    entries = tuple(_entry(each, contents[each.own_id], lot) for each in described.documents)
    return Judged(lot, entries, replaced)


def _contents(incoming: Incoming, described: Described) -> dict[str, bytes]:
    """Return documentId → bytes; everything must travel as XOP parts, each used once."""
    if incoming.parts is None:
        raise SoapRefusal("DMPInvalidRequest", "XOP requis : message MTOM attendu")
    contents: dict[str, bytes] = {}
    unused = dict(incoming.parts)
    for document in incoming.body.findall("xds:Document", NS):
        include = document.find("xop:Include", NS)
        if include is None or (document.text or "").strip():
            raise SoapRefusal("DMPInvalidRequest", "XOP requis : document en ligne refusé")
        part = unused.pop(content_id(include.get("href", "")), None)
        if part is None:
            raise RegistryRefusal("XDSMissingDocument", "partie MTOM absente")
        contents[document.get("id", "")] = part
    described_ids = {each.own_id for each in described.documents}
    if described_ids - set(contents):
        raise RegistryRefusal("XDSMissingDocument", "document absent")
    if set(contents) - described_ids or unused:
        raise RegistryRefusal("XDSMissingDocumentMetadata", "métadonnées absentes")
    return contents


def _check_patient(described: Described, caller: Caller, registry: Registry) -> None:
    patient = described.submission_set.patient
    if {each.patient for each in described.documents} != {patient} or caller.patient != patient:
        raise RegistryRefusal("XDSPatientIdDoesNotMatch", "patients différents")
    known = registry.patient(patient)
    if known is None or known.status != "active":
        raise RegistryRefusal("XDSUnknownPatientId", "patient inconnu ou DMP fermé")


def _check_identifiers(
    described: Described, contents: dict[str, bytes], registry: Registry
) -> None:
    lot = described.submission_set
    unique = [lot.unique_id, *(each.unique_id for each in described.documents)]
    if len(unique) != len(set(unique)):
        raise RegistryRefusal("XDSRegistryDuplicateUniqueIdInMessage", "uniqueId en double")
    if any(len(each) > 64 or not re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", each) for each in unique):
        raise metadata_error("uniqueId : OID attendu")
    if registry.has_set(lot.unique_id):
        raise RegistryRefusal("XDSDuplicateUniqueIdInRegistry", f"uniqueId={lot.unique_id}")
    for document in described.documents:
        known = registry.by_unique_id(document.unique_id)
        if known is None:
            continue
        same = known.content == contents[document.own_id]
        code = "XDSDuplicateUniqueIdInRegistry" if same else "XDSNonIdenticalHash"
        raise RegistryRefusal(code, f"uniqueId={document.unique_id}")


def _check_set(described: Described, caller: Caller) -> None:
    lot = described.submission_set
    if not _DTM.fullmatch(lot.slot("submissionTime")):
        raise metadata_error("submissionTime")
    if not re.fullmatch(r"[0-2](\.\d+)+", lot.source):
        raise metadata_error("sourceId")
    if len(lot.codes("urn:uuid:aa543740-bdda-424e-8c96-df4873be8500")) != 1:
        raise metadata_error("contentTypeCode")
    institutions = lot.author_slots(ebrim.SET_AUTHOR, "authorInstitution")
    _match_structure(institutions, caller)
    persons = lot.author_slots(ebrim.SET_AUTHOR, "authorPerson")
    if len(persons) != 1 or not _XCN.fullmatch(persons[0]):
        raise metadata_error("authorPerson du lot")
    members = {(each.source, each.target) for each in described.targets("HasMember")}
    if members != {(lot.own_id, each.own_id) for each in described.documents}:
        raise metadata_error("HasMember")
    for link in described.targets("HasMember"):
        if link.slots.get("SubmissionSetStatus") != ["Original"]:
            raise metadata_error("SubmissionSetStatus")


def _roles(described: Described) -> tuple[list[RegistryObject], RegistryObject]:
    """Return the reports and the one signature document of a lot."""
    signatures = [
        each for each in described.documents if each.codes(ebrim.FORMAT) == [_SIGNATURE_FORMAT]
    ]
    reports = [each for each in described.documents if each not in signatures]
    if len(signatures) != 1 or not reports:
        raise metadata_error("un document de signature et un document au moins attendus")
    return reports, signatures[0]


def _check_entry(document: RegistryObject, content: bytes) -> None:
    for scheme, name in _REQUIRED.items():
        if not document.codes(scheme):
            raise metadata_error(f"{name} absent")
    for name in ("creationTime", "serviceStartTime"):
        if not _DTM.fullmatch(document.slot(name)):
            raise metadata_error(f"{name} : UTC AAAAMMJJHHMMSS attendu")
    if document.mime_type != "text/xml" or not document.title:
        raise metadata_error("mimeType ou titre")
    if not document.slot("languageCode") or not document.slot("sourcePatientId"):
        raise metadata_error("languageCode ou sourcePatientId absent")
    if not _XCN.fullmatch(document.slot("legalAuthenticator")):
        raise metadata_error("legalAuthenticator")
    _check_confidentiality(document.codes(ebrim.CONFIDENTIALITY))
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if document.slot("hash") not in ("", digest):
        raise RegistryRefusal("XDSRepositoryMetadataError", "hash")
    if document.slot("size") not in ("", str(len(content))):
        raise RegistryRefusal("XDSRepositoryMetadataError", "size")


def _check_confidentiality(codes: list[str]) -> None:
    if codes.count("N") != 1 or len(codes) != len(set(codes)):
        raise metadata_error("confidentialityCode : N attendu une fois")
    if set(codes) - {"N"} - _RESTRICTIONS:
        raise metadata_error("confidentialityCode inconnu")


def _check_cda(document: RegistryObject, content: bytes) -> None:
    try:
        root = parse(content, document=True)
    except RisError as error:
        raise RegistryRefusal("XDSRepositoryMetadataError", "document illisible") from error
    if root.tag != "{urn:hl7-org:v3}ClinicalDocument":
        raise RegistryRefusal("XDSRepositoryMetadataError", "CDA attendu")
    if text_of(root, "h:id/@root", _CDA) != document.unique_id:
        raise RegistryRefusal("XDSRepositoryMetadataError", "uniqueId différent de l'id du CDA")
    matricule, _, rest = document.patient.partition("^^^&")
    role = "h:recordTarget/h:patientRole"
    same = f"count({role}/h:id[@root='{rest.partition('&')[0]}'][@extension='{matricule}'])"
    if root.xpath(same, namespaces=_CDA) != 1:
        raise RegistryRefusal("XDSRepositoryMetadataError", "patient différent dans le CDA")
    if text_of(root, "h:code/@code", _CDA) not in document.codes(ebrim.TYPE):
        raise RegistryRefusal("XDSRepositoryMetadataError", "typeCode différent dans le CDA")
    if _utc(root) != document.slot("creationTime"):
        raise RegistryRefusal("XDSRepositoryMetadataError", "creationTime différent dans le CDA")


def _utc(root: Element) -> str:
    value = text_of(root, "h:effectiveTime/@value", _CDA)
    try:
        return datetime.strptime(value, "%Y%m%d%H%M%S%z").astimezone(UTC).strftime("%Y%m%d%H%M%S")
    except ValueError as error:
        raise RegistryRefusal("XDSRepositoryMetadataError", "effectiveTime du CDA") from error


def _check_author(document: RegistryObject, caller: Caller) -> None:
    persons = document.author_slots(ebrim.AUTHOR, "authorPerson")
    if not persons or not all(map(_XCN.fullmatch, persons)):
        raise metadata_error("authorPerson : nom et prénom obligatoires")
    specialties = document.author_slots(ebrim.AUTHOR, "authorSpecialty")
    if not specialties or not all(map(_SPECIALTY.fullmatch, specialties)):
        raise metadata_error("authorSpecialty")
    _match_structure(document.author_slots(ebrim.AUTHOR, "authorInstitution"), caller)


def _match_structure(institutions: list[str], caller: Caller) -> None:
    found = [match.group(1) for match in map(_XON.fullmatch, institutions) if match]
    if caller.structure not in found:
        raise metadata_error("Aucun AuthorInstitution ne correspond à l'utilisateur du VIHF")


def _check_signature(
    described: Described,
    signature: RegistryObject,
    content: bytes,
    signed: dict[str, bytes],
    *,
    believes: Believes,
    caller: Caller,
) -> None:
    lot = described.submission_set
    signs = [(each.source, each.target) for each in described.targets("signs")]
    if signs != [(signature.own_id, lot.own_id)]:
        raise metadata_error("association signs")
    hidden = set(signature.codes(ebrim.CONFIDENTIALITY))
    if hidden != {"N", "MASQUE_PS", "INVISIBLE_PATIENT"} or signature.slot("languageCode") != "art":
        raise metadata_error("métadonnées du document de signature")
    try:
        signer = verify_lot(content, lot.unique_id, signed, believes)
    except BadSignature as error:
        if error.certificate:
            raise SoapRefusal("DMPInvalidCertificate", f"Signature du lot : {error}") from error
        raise metadata_error(f"signature du lot : {error}") from error
    if caller.structure not in units(signer):
        raise metadata_error("lot signé par une autre structure")


def _replaced(
    described: Described, reports: list[RegistryObject], caller: Caller, registry: Registry
) -> str | None:
    links = described.targets("RPLC")
    if not links:
        return None
    if len(links) != 1 or links[0].source not in {each.own_id for each in reports}:
        raise RegistryRefusal("XDSReplaceFailed", "association RPLC")
    target = links[0].target
    if not target.startswith("urn:uuid:"):
        raise RegistryRefusal("XDSDocumentUniqueIdError", "entryUUID attendu")
    former = registry.by_entry_uuid(target)
    if former is None:
        raise RegistryRefusal("XDSReplaceFailed", "document remplacé inconnu")
    if former.status == DEPRECATED:
        raise RegistryRefusal("XDSRegistryDeprecatedDocumentError", target)
    if former.status != APPROVED or former.structure != caller.structure:
        raise RegistryRefusal("XDSReplaceFailed", "document non remplaçable")
    if former.patient != described.submission_set.patient:
        raise RegistryRefusal("XDSPatientIdDoesNotMatch", "patient du document remplacé")
    return target


def _entry(document: RegistryObject, content: bytes, lot: str) -> Entry:
    institutions = document.author_slots(ebrim.AUTHOR, "authorInstitution")
    match = next((each for each in map(_XON.fullmatch, institutions) if each), None)
    person = next(iter(document.author_slots(ebrim.AUTHOR, "authorPerson")), "")
    return Entry(
        unique_id=document.unique_id,
        patient=document.patient,
        structure=match.group(1) if match else "",
        author=person.partition("^")[0],
        hash=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        size=len(content),
        confidentiality=tuple(document.codes(ebrim.CONFIDENTIALITY)),
        format_code=next(iter(document.codes(ebrim.FORMAT))),
        content=content,
        set_unique_id=lot,
    )
