"""XDS metadata read from a finished CDA header (cda.md §1.1): what is sent is what was signed.

Pure: bytes in, `DocumentEntry` out. Writes no XML, chooses no confidentiality beyond what it is
told, knows no channel.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from ris.core.xml import Element, parse, text_of
from ris.identity.values import INS_OIDS
from ris.orders.values import Code
from ris.rem.tags import satisfies
from ris.reports.content import Visibility
from ris.reports.xds import (
    NORMAL,
    PS_OID,
    STRUCTURE_OID,
    Author,
    DocumentEntry,
    IdType,
    MetadataError,
    cx,
    cxi,
    hl7_text,
    utc,
    xcn,
    xon,
)

_NS: Final = {"h": "urn:hl7-org:v3", "img": "urn:dicom-org:ps3-20"}
_LOINC: Final = "2.16.840.1.113883.6.1"
_VISIBILITY_SYSTEM: Final = "1.2.250.1.213.1.1.4.13"
_CLASS_OF_TYPE: Final = {"18748-4": Code("10", "1.2.250.1.213.1.1.4.1", "Compte rendu")}
_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"
FORMAT_N1: Final = Code(
    "urn:ihe:iti:xds-sd:pdf:2008", _FORMATS, "Document à corps non structuré en Pdf/A-1"
)
_FORMAT_OF_TEMPLATE: Final = {
    "1.2.250.1.213.1.1.1.45": Code(
        "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013", _FORMATS, "Compte rendu d'imagerie"
    )
}
_VISIBILITY_LABELS: Final = {
    Visibility.HIDDEN_FROM_PROFESSIONALS: "Masqué aux professionnels de santé",
    Visibility.HIDDEN_FROM_PATIENT: "Non visible par le patient",
    Visibility.HIDDEN_FROM_GUARDIANS: "Non visible par les représentants légaux du patient",
}
_SERVICE: Final = "h:documentationOf/h:serviceEvent"
_URN: Final = "urn:ihe:iti:xds:"


@satisfies("RIS.DMP.07")
def confidentiality(visibility: Iterable[Visibility]) -> tuple[Code, ...]:
    """Return `N` and the restriction codes of *visibility*, in a fixed order (dmp.md §6.4)."""
    chosen = frozenset(visibility)
    hidden = (
        Code(each.value, _VISIBILITY_SYSTEM, label)
        for each, label in _VISIBILITY_LABELS.items()
        if each in chosen
    )
    return (NORMAL, *hidden)


def document_entry(
    cda: bytes,
    *,
    visibility: Iterable[Visibility] = (),
    source_id: str = "",
    uri: str = "",
    entry_id: str = "Document01",
    pad_service_time: bool = False,
) -> DocumentEntry:
    """Return the DocumentEntry of the document *cda*, hash and size being those of these bytes.

    *source_id*: OID of this system, authority of the study UID; *uri*: file name in IHE_XDM. The
    patient identifier is the INS when the document carries one, else the local identifier.
    Raises `MetadataError` when the header lacks what a registry needs.
    """
    root = parse(cda, document=True)
    patient = _identifiers(root)
    type_code = _code(root, "h:code")
    return DocumentEntry(
        unique_id=_unique_id(root),
        title=_need(root, "h:title"),
        patient_id=patient[0],
        source_patient_id=patient[-1],
        source_patient_info=_traits(root),
        creation_time=utc(_need(root, "h:effectiveTime/@value")),
        legal_authenticator=_person(_one(root, "h:legalAuthenticator/h:assignedEntity")),
        service_start=utc(_need(root, f"{_SERVICE}/h:effectiveTime/h:low/@value"),
                          pad=pad_service_time),
        service_stop=_stop(root, pad_service_time),
        authors=tuple(_author(each) for each in _all(root, "h:author/h:assignedAuthor")),
        class_code=_class_of(type_code),
        type_code=type_code,
        format_code=_format(root),
        facility=_code(root, "h:componentOf/h:encompassingEncounter/h:location/"
                             "h:healthCareFacility/h:code"),
        practice_setting=_code(root, f"{_SERVICE}/h:performer/h:assignedEntity/"
                                     "h:representedOrganization/h:standardIndustryClassCode"),
        confidentiality=confidentiality(visibility),
        events=_events(root),
        reference_ids=_references(root, source_id),
        language=_need(root, "h:languageCode/@code"),
        hash=hashlib.sha1(cda, usedforsecurity=False).hexdigest(),
        size=len(cda),
        uri=uri,
        entry_id=entry_id,
    )  # fmt: skip


def _all(root: Element, path: str) -> list[Element]:
    found = root.xpath(path, namespaces=_NS)
    return [each for each in found if isinstance(each, Element)] if isinstance(found, list) else []


def _one(root: Element, path: str) -> Element:
    found = _all(root, path)
    if not found:
        raise MetadataError(f"En-tête du document incomplet : {path.replace('h:', '')}.")
    return found[0]


def _need(root: Element, path: str) -> str:
    value = text_of(root, path, _NS)
    if not value:
        raise MetadataError(f"En-tête du document incomplet : {path.replace('h:', '')}.")
    return value


def _code(root: Element, path: str) -> Code:
    return _as_code(_one(root, path))


def _as_code(element: Element) -> Code:
    code, system = element.get("code", ""), element.get("codeSystem", "")
    if not code or not system:
        raise MetadataError("Code de l'en-tête du document incomplet.")
    return Code(code, system, element.get("displayName", code))


def _unique_id(root: Element) -> str:
    extension = text_of(root, "h:id/@extension", _NS)
    unique = _need(root, "h:id/@root")
    return f"{unique}^{extension}" if extension else unique


def _identifiers(root: Element) -> list[str]:
    """Return the patient's CX, INS first and local identifier last."""
    ins, local = [], []
    for each in _all(root, "h:recordTarget/h:patientRole/h:id"):
        authority, value = each.get("root", ""), each.get("extension", "")
        if authority in INS_OIDS:
            ins.append(cx(value, authority, IdType.INS))
        elif value:
            local.append(cx(value, authority, IdType.LOCAL))
    if not ins and not local:
        raise MetadataError("Le document ne porte aucun identifiant de patient.")
    return ins[:1] + local[:1]


def _traits(root: Element) -> tuple[str, ...]:
    path = "h:recordTarget/h:patientRole/h:patient"
    family = text_of(root, f"{path}/h:name/h:family[@qualifier='BR']", _NS) or text_of(
        root, f"{path}/h:name/h:family", _NS
    )
    given = text_of(root, f"{path}/h:name/h:given[@qualifier='BR']", _NS) or text_of(
        root, f"{path}/h:name/h:given", _NS
    )
    sex = text_of(root, f"{path}/h:administrativeGenderCode/@code", _NS)
    born = text_of(root, f"{path}/h:birthTime/@value", _NS)[:8]
    values = [f"PID-5|{hl7_text(family)}^{hl7_text(given)}^^^^^L"]
    values += [f"PID-7|{born}"] if born else []
    values.append(f"PID-8|{sex if sex in ('F', 'M') else 'U'}")
    return tuple(values)


def _stop(root: Element, pad: bool) -> str:
    value = text_of(root, f"{_SERVICE}/h:effectiveTime/h:high/@value", _NS)
    return utc(value, pad=pad) if value else ""


def _person(entity: Element) -> str:
    identifier = _need(entity, f"h:id[@root='{PS_OID}']/@extension")
    names = "h:assignedPerson/h:name"
    return xcn(identifier, _need(entity, f"{names}/h:family"), _need(entity, f"{names}/h:given"))


def _author(entity: Element) -> Author:
    structure = f"h:representedOrganization[h:id/@root='{STRUCTURE_OID}']"
    name = text_of(entity, f"{structure}/h:name", _NS)
    number = text_of(entity, f"{structure}/h:id[@root='{STRUCTURE_OID}']/@extension", _NS)
    code = _all(entity, "h:code")
    specialty = _as_code(code[0]) if code else None
    return Author(
        person=_person(entity),
        institution=xon(name, number) if number else "",
        specialty=f"{specialty.code}^{hl7_text(specialty.label)}^{specialty.system}"
        if specialty
        else "",
    )


def _class_of(type_code: Code) -> Code:
    if type_code.system != _LOINC or type_code.code not in _CLASS_OF_TYPE:
        raise MetadataError("Type de document sans classe connue.")
    return _CLASS_OF_TYPE[type_code.code]


def _format(root: Element) -> Code:
    if _all(root, "h:component/h:nonXMLBody"):
        return FORMAT_N1
    templates = {each.get("root", "") for each in _all(root, "h:templateId")}
    known = [code for template, code in _FORMAT_OF_TEMPLATE.items() if template in templates]
    if not known:
        raise MetadataError("Modèle de document sans format connu.")
    return known[0]


def _events(root: Element) -> tuple[Code, ...]:
    found = _all(root, f"{_SERVICE}/h:code | {_SERVICE}/h:code/h:translation")
    coded = (_as_code(each) for each in found if each.get("code") and each.get("codeSystem"))
    return tuple({(code.code, code.system): code for code in coded}.values())


def _references(root: Element, source_id: str) -> tuple[str, ...]:
    order = "h:inFulfillmentOf/h:order"
    named = (
        (f"{order}/img:accessionNumber", f"{_URN}2013:accession"),
        (f"{order}/h:id", f"{_URN}2013:order"),
    )
    values = [
        cxi(each.get("extension", ""), each.get("root", ""), kind)
        for path, kind in named
        for each in _all(root, path)
        if each.get("extension")
    ]
    studies = (each.get("root", "") for each in _all(root, f"{_SERVICE}/h:id[not(@extension)]"))
    values += [cxi(uid, source_id, f"{_URN}2016:studyInstanceUID") for uid in studies if uid]
    return tuple(dict.fromkeys(values))
