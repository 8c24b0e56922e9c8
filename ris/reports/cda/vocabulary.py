"""Typed elements of CDA R2: the only module of the reports that knows namespaces and child order.

Functions read like the standard (`ii`, `coded`, `when`); no report, no rule of content here.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from lxml import etree

from ris.auth.values import Address
from ris.core import clock
from ris.core.text import clean_text
from ris.core.xml import Element
from ris.orders.values import Code
from ris.reports.cda import codes

HL7: Final = "urn:hl7-org:v3"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
PS3_20: Final = "urn:dicom-org:ps3-20"
NAMESPACES: Final = {None: HL7, "xsi": XSI, "ps3-20": PS3_20}
XPATH: Final = {"h": HL7, "xsi": XSI, "d": PS3_20}
ACCESSION_NUMBER: Final = "accessionNumber"

_ENTITY = "id code addr telecom assignedPerson representedOrganization"
_OBSERVATION = "templateId id code text statusCode effectiveTime value targetSiteCode"
ORDER: Final[dict[str, Sequence[str]]] = {
    tag: children.split()
    for tag, children in {
        "ClinicalDocument": "realmCode typeId templateId id code title effectiveTime "
        "confidentialityCode languageCode setId versionNumber recordTarget author dataEnterer "
        "custodian informationRecipient legalAuthenticator participant inFulfillmentOf "
        "documentationOf relatedDocument componentOf component",
        "patientRole": "id addr telecom patient",
        "patient": "name administrativeGenderCode birthTime birthplace",
        "author": "time assignedAuthor",
        "assignedAuthor": _ENTITY,
        "assignedEntity": _ENTITY,
        "dataEnterer": "time assignedEntity",
        "representedOrganization": "id name telecom addr standardIndustryClassCode",
        "representedCustodianOrganization": "id name telecom addr",
        "legalAuthenticator": "time signatureCode assignedEntity",
        "intendedRecipient": "id addr telecom informationRecipient receivedOrganization",
        "receivedOrganization": "id name telecom addr standardIndustryClassCode",
        "participant": "time associatedEntity participantRole",
        "associatedEntity": "id code addr telecom associatedPerson scopingOrganization",
        "scopingOrganization": "id name telecom addr standardIndustryClassCode",
        "order": "id accessionNumber",
        "serviceEvent": "id code effectiveTime performer",
        "parentDocument": "id setId versionNumber",
        "encompassingEncounter": "code effectiveTime location",
        "healthCareFacility": "id code",
        "section": "templateId id code title text author entry component",
        "procedure": "templateId id code text effectiveTime methodCode targetSiteCode participant",
        "observation": _OBSERVATION,
        "act": "templateId id code effectiveTime entryRelationship",
        "participantRole": "id code playingEntity",
    }.items()
}
_NOT_PHONE: Final = re.compile(r"[^+0-9]")


def node(tag: str, *children: Element | str | None, **attributes: str | None) -> Element:
    """Return element *tag*; None is left out and children are put in the order of the schema.

    A child that the order table does not know raises `ValueError`: a programming error.
    """
    element = etree.Element(f"{{{HL7}}}{tag}", nsmap=NAMESPACES)
    for name, value in attributes.items():
        if value is not None:
            element.set(name, plain(value))
    elements = [child for child in children if isinstance(child, etree._Element)]
    if order := ORDER.get(tag):
        elements.sort(key=lambda child: order.index(etree.QName(child).localname))
    element.extend(elements)
    text = [child for child in children if isinstance(child, str)]
    if text:
        element.text = plain("".join(text))
    return element


def plain(text: str) -> str:
    """Return *text* as a document may hold it: NFC, XML characters only, LF line ends."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", clean_text(lines))


def typed(tag: str, xsi_type: str, *children: Element | str | None, **attributes: str) -> Element:
    """Return element *tag* with its `xsi:type` (unprefixed, the HL7 namespace being default)."""
    element = node(tag, *children, **attributes)
    element.set(f"{{{XSI}}}type", xsi_type)
    return element


def ii(tag: str, root: str, extension: str | None = None) -> Element:
    """Return an instance identifier (II): OID *root*, and *extension* when there is one."""
    return node(tag, root=root, extension=extension)


def accession(root: str, extension: str) -> Element:
    """Return the `ps3-20:accessionNumber` of DICOM PS3.20 (cda.md §3.8)."""
    element = etree.Element(f"{{{PS3_20}}}{ACCESSION_NUMBER}", nsmap=NAMESPACES)
    element.set("root", root)
    element.set("extension", plain(extension))
    return element


def coded(tag: str, code: Code, *children: Element | None) -> Element:
    """Return a coded element (CE/CD) with its label."""
    return node(tag, *children, **_code(code))


def coded_value(code: Code, *children: Element | None) -> Element:
    """Return `value xsi:type="CD"`."""
    return typed("value", "CD", *children, **_code(code))


def qualified(code: Code, qualifier: Code) -> Element:
    """Return a `translation` whose qualifier names what the code says (cda.md §3.9)."""
    return coded("translation", code, node("qualifier", coded("name", qualifier)))


def when(tag: str, at: datetime) -> Element:
    """Return a time stamp with the local offset of Paris: `20261122143000+0100`."""
    return node(tag, value=stamp(at))


def stamp(at: datetime) -> str:
    """Return the HL7 TS of an aware instant, in Paris time with its offset."""
    return at.astimezone(clock.PARIS).strftime("%Y%m%d%H%M%S%z")


def interval(tag: str, low: datetime, high: datetime | None = None) -> Element:
    """Return an interval (IVL_TS)."""
    return node(tag, when("low", low), when("high", high) if high else None)


def address(value: Address) -> Element:
    """Return an `addr` made of address lines only, or the null flavour UNK (cda.md §3.2)."""
    lines = [*value.lines, f"{value.postal_code} {value.city}".strip(), value.country]
    kept = [node("streetAddressLine", line) for line in lines if line.strip()]
    return node("addr", *kept) if kept else node("addr", nullFlavor="UNK")


def telecoms(phone: str = "", mail: str | None = None) -> list[Element]:
    """Return the telephone (`tel:`) and the MSSanté address (`mailto:`) that are known."""
    number = _NOT_PHONE.sub("", phone)
    found = [node("telecom", value=f"tel:{number}", use="WP")] if number else []
    return [*found, node("telecom", value=f"mailto:{mail}")] if mail else found


def person_name(family: str, given: str, title: str) -> Element:
    """Return the name of a professional; DR… are suffixes, M and MME prefixes (JDV_J245/246)."""
    return node(
        "name",
        node("prefix", title) if title in codes.NAME_PREFIXES else None,
        node("given", given) if given else None,
        node("family", family),
        node("suffix", title) if title in codes.NAME_SUFFIXES else None,
    )


def _code(code: Code) -> dict[str, str]:
    return {"code": code.code, "codeSystem": code.system, "displayName": code.label or code.code}
