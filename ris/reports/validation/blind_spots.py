"""What the official kit lets pass and we refuse (cda.md §7), read on any CDA, ours or foreign.

The builder applies the same rules to its content before writing; here they judge finished XML.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from ris.core.xml import Element, parse, text_of
from ris.identity.matricule import is_valid
from ris.identity.values import INS_OIDS
from ris.reports.cda import codes
from ris.reports.cda.vocabulary import XPATH
from ris.reports.validation.findings import Finding, Severity, tidy

Said = tuple[str, str, str]

_ZONED: Final = re.compile(r"\d{8}|\d{9,14}(\.\d+)?[+-]\d{4}|\d{4,6}")
_EVENT: Final = "h:documentationOf/h:serviceEvent"
_MODALITY: Final = f"{_EVENT}/h:code/h:translation[@codeSystem='{codes.DCM}']/@code"
_REGION: Final = f"{_EVENT}/h:code/h:translation[h:qualifier/h:name/@code='39111-0']/@code"
_EXPOSURE: Final = f"//h:section[h:code/@code='{codes.EXPOSURE_SECTION}']"


def blind_spot_findings(document: bytes, *, source: str = "") -> list[Finding]:
    """Return what is wrong with *document* though the kit accepts it; raises `UnsafeXml`."""
    root = parse(document, document=True)
    wrong = chain(
        _body(root),
        _narrative(root),
        _versions(root),
        _times(root),
        _people(root),
        _exam(root),
    )
    found = [Finding(source, "cda", code, place, message) for code, place, message in wrong]
    warned = [
        Finding(source, "cda", code, place, message, Severity.WARNING)
        for code, place, message in _radiation(root)
    ]
    return tidy([*found, *warned])


def _all(root: Element, path: str) -> list[str]:
    return [str(value) for value in root.xpath(path, namespaces=XPATH)]


def _body(root: Element) -> Iterator[Said]:
    for text in root.xpath("h:component/h:nonXMLBody/h:text", namespaces=XPATH):
        if text.get("mediaType") != "application/pdf" or text.get("representation") != "B64":
            yield "CDA-PDF-01", "nonXMLBody/text", "Le corps n'est pas annoncé PDF en base64."


def _narrative(root: Element) -> Iterator[Said]:
    targets = {f"#{one}" for one in _all(root, "//@ID")}
    for cited in sorted(set(_all(root, "//h:reference/@value")) - targets):
        if cited.startswith("#"):
            yield "CDA-NAR-01", cited, "Référence vers un texte absent."
    for section in root.xpath(
        f"//h:section[h:code/@code='{codes.CONCLUSION_SECTION}']", namespaces=XPATH
    ):
        if not "".join(section.xpath("h:text//text()", namespaces=XPATH)).strip():
            yield "CDA-NAR-02", "section 19005-8", "La conclusion est vide."


def _versions(root: Element) -> Iterator[Said]:
    number = text_of(root, "h:versionNumber/@value", XPATH)
    replaced = bool(root.xpath("h:relatedDocument[@typeCode='RPLC']", namespaces=XPATH))
    if not number.isdigit() or int(number) < 1:
        yield "CDA-VER-02", "versionNumber", "Le numéro de version commence à 1."
    elif (int(number) > 1) is not replaced:
        yield "CDA-VER-01", "relatedDocument", "Numéro de version et remplacement incohérents."
    if text_of(root, "h:id/@root", XPATH) == text_of(root, "h:setId/@root", XPATH):
        yield "CDA-VER-03", "setId", "Le document et sa série portent le même identifiant."


def _times(root: Element) -> Iterator[Said]:
    timed = "//*[self::h:effectiveTime or self::h:time or self::h:low or self::h:high]/@value"
    for value in sorted(set(_all(root, timed))):
        if value.isascii() and value[:4].isdigit() and not _ZONED.fullmatch(value):
            yield "CDA-TS-01", value, "Horodatage sans fuseau horaire."
    for event in root.xpath(_EVENT, namespaces=XPATH):
        low = text_of(event, "h:effectiveTime/h:low/@value", XPATH)
        high = text_of(event, "h:effectiveTime/h:high/@value", XPATH)
        if high and low[-5:] == high[-5:] and high < low:
            yield "CDA-TS-02", "serviceEvent", "L'examen finit avant de commencer."


def _people(root: Element) -> Iterator[Said]:
    for one in root.xpath("h:recordTarget/h:patientRole/h:id", namespaces=XPATH):
        if one.get("root") in INS_OIDS and not is_valid(one.get("extension", "")):
            yield "CDA-INS-01", "patientRole/id", "Matricule INS incohérent."
    for who in ("h:author/h:assignedAuthor", "h:legalAuthenticator/h:assignedEntity"):
        for entity in root.xpath(who, namespaces=XPATH):
            roots = _all(entity, "h:id/@root")
            if entity.xpath("h:assignedPerson", namespaces=XPATH) and codes.PS_ID not in roots:
                yield "CDA-PS-01", who, "Professionnel sans identifiant national."
            if not entity.xpath("h:code and h:representedOrganization", namespaces=XPATH):
                yield "CDA-PS-03", who, "Professionnel sans profession ou sans structure."


def _exam(root: Element) -> Iterator[Said]:
    if text_of(root, "h:code/@code", XPATH) != codes.REPORT_TYPE.code:
        return
    if not root.xpath("h:inFulfillmentOf/h:order/d:accessionNumber", namespaces=XPATH):
        yield "CDA-ORD-01", "inFulfillmentOf", "Numéro d'examen absent."
    modalities = _all(root, _MODALITY)
    if not modalities or not codes.MODALITIES.issuperset(modalities):
        yield "CDA-TERM-02", "serviceEvent/code", "Modalité absente ou hors du jeu de valeurs."
    if not codes.REGIONS.issuperset(_all(root, _REGION)):
        yield "CDA-TERM-02", "serviceEvent/code", "Région anatomique hors du jeu de valeurs."


def _radiation(root: Element) -> Iterator[Said]:
    ionising = codes.IONISING.intersection(_all(root, _MODALITY))
    structured = root.xpath("h:component/h:structuredBody", namespaces=XPATH)
    if ionising and structured and not root.xpath(_EXPOSURE, namespaces=XPATH):
        yield "CDA-RAD-01", "structuredBody", "Acte irradiant sans information d'exposition."
