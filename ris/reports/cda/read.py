"""From CDA bytes back to plain values: what a reader (a person, the PDF) needs of a report.

The PDF is made from these values, so nobody can be shown something the CDA does not say
(ECO.2.1.5). XDS metadata have their own reader (`ris.reports.xds_source`).
"""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from ris.core.xml import Element, parse, text_of
from ris.identity.values import INS_OIDS, Ins
from ris.reports.cda.narrative import lines_of
from ris.reports.cda.vocabulary import XPATH
from ris.reports.content import Level
from ris.reports.errors import NotAReport

_BODY: Final = "h:component/h:nonXMLBody/h:text"
_ROLE: Final = "h:recordTarget/h:patientRole"
_NAME: Final = f"{_ROLE}/h:patient/h:name"


@dataclass(frozen=True, slots=True)
class CdaPatient:
    """The patient as the document names him; *ins* only when the header carries one."""

    ipp: str
    ins: Ins | None
    birth_family: str
    birth_given_names: str
    first_birth_given: str
    used_family: str
    used_given: str
    birth_date: date
    sex: str
    birth_place: str


@dataclass(frozen=True, slots=True)
class CdaPerson:
    """A professional as the document names him; empty strings where it is silent."""

    identifier: str
    title: str
    given: str
    family: str
    profession: str
    mail: str
    organisation: str
    organisation_id: str
    address: tuple[str, ...]
    phone: str


@dataclass(frozen=True, slots=True)
class CdaAct:
    """One act of `documentationOf` and the request number beside it."""

    study_uid: str
    procedure: str
    ccam: str
    modality: str
    region: str
    started_at: datetime
    accession_number: str


@dataclass(frozen=True, slots=True)
class CdaSection:
    """One narrative section: its code, its title, its paragraphs, how deep it hangs (from 1)."""

    code: str
    title: str
    paragraphs: tuple[str, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class CdaDocument:
    """An imaging report as read; *pdf* at level 1, *sections* at level 3."""

    level: Level
    unique_id: str
    set_id: str
    version: int
    replaces: str | None
    title: str
    created_at: datetime
    patient: CdaPatient
    author: CdaPerson
    signer: CdaPerson
    signed_at: datetime
    requester: CdaPerson | None
    recipients: tuple[CdaPerson, ...]
    acts: tuple[CdaAct, ...]
    sections: tuple[CdaSection, ...]
    pdf: bytes | None


def read(xml: bytes) -> CdaDocument:
    """Return the values of the CDA *xml*.

    Raises `UnsafeXml` for XML that may not be parsed, `NotAReport` when what a report must say is
    absent or unreadable.
    """
    root = parse(xml, document=True)
    try:
        return _document(root)
    except (ValueError, IndexError) as error:
        raise NotAReport("En-tête CDA incomplet ou illisible.") from error


def _document(root: Element) -> CdaDocument:
    body = text_of(root, _BODY, XPATH)
    signer = root.xpath("h:legalAuthenticator", namespaces=XPATH)[0]
    return CdaDocument(
        level=Level.N1 if body else Level.N3,
        unique_id=_at(root, "h:id/@root"),
        set_id=_at(root, "h:setId/@root"),
        version=int(_at(root, "h:versionNumber/@value")),
        replaces=_at(root, "h:relatedDocument/h:parentDocument/h:id/@root") or None,
        title=_at(root, "h:title"),
        created_at=_instant(root, "h:effectiveTime/@value"),
        patient=_patient(root),
        author=_person(root.xpath("h:author/h:assignedAuthor", namespaces=XPATH)[0]),
        signer=_person(signer.xpath("h:assignedEntity", namespaces=XPATH)[0]),
        signed_at=_instant(signer, "h:time/@value"),
        requester=_requester(root),
        recipients=tuple(
            _person(one)
            for one in root.xpath("h:informationRecipient/h:intendedRecipient", namespaces=XPATH)
        ),
        acts=tuple(_acts(root)),
        sections=tuple(_sections(root.xpath("h:component/h:structuredBody", namespaces=XPATH), 1)),
        pdf=b64decode(body, validate=False) if body else None,
    )


def embedded_pdf(xml: bytes) -> bytes | None:
    """Return the PDF of a level 1 CDA, whoever made it; None at level 3.

    Raises `UnsafeXml`, or `NotAReport` when the body is not base64.
    """
    body = text_of(parse(xml, document=True), _BODY, XPATH)
    try:
        return b64decode("".join(body.split()), validate=True) if body else None
    except ValueError as error:
        raise NotAReport("Le corps du document n'est pas en base64.") from error


def _requester(root: Element) -> CdaPerson | None:
    found = root.xpath("h:participant[@typeCode='REF']/h:associatedEntity", namespaces=XPATH)
    return _person(found[0]) if found else None


def _patient(root: Element) -> CdaPatient:
    ins: Ins | None = None
    ipp = ""
    for one in root.xpath(f"{_ROLE}/h:id", namespaces=XPATH):
        if one.get("root") in INS_OIDS:
            ins = Ins(one.get("extension", ""), one.get("root", ""))
        else:
            ipp = ipp or one.get("extension", "")
    patient = f"{_ROLE}/h:patient"
    return CdaPatient(
        ipp=ipp,
        ins=ins,
        birth_family=_at(root, f"{_NAME}/h:family[@qualifier='BR']"),
        birth_given_names=_at(root, f"{_NAME}/h:given[not(@qualifier)]"),
        first_birth_given=_at(root, f"{_NAME}/h:given[@qualifier='BR']"),
        used_family=_at(root, f"{_NAME}/h:family[@qualifier='CL']"),
        used_given=_at(root, f"{_NAME}/h:given[@qualifier='CL']"),
        birth_date=date.fromisoformat(_at(root, f"{patient}/h:birthTime/@value")[:8]),
        sex=_at(root, f"{patient}/h:administrativeGenderCode/@code"),
        birth_place=_at(root, f"{patient}/h:birthplace/h:place/h:addr/h:county"),
    )


def _person(entity: Element) -> CdaPerson:
    names = "(h:assignedPerson|h:associatedPerson|h:informationRecipient)/h:name"
    home = "(h:representedOrganization|h:scopingOrganization|h:receivedOrganization)"
    mail = _at(entity, "h:telecom[starts-with(@value,'mailto:')]/@value")
    phone = _at(entity, "h:telecom[starts-with(@value,'tel:')]/@value")
    lines = entity.xpath(f"{home}/h:addr/h:streetAddressLine/text()", namespaces=XPATH)
    return CdaPerson(
        identifier=_at(entity, "h:id/@extension"),
        title=_at(entity, f"{names}/h:suffix") or _at(entity, f"{names}/h:prefix"),
        given=_at(entity, f"{names}/h:given"),
        family=_at(entity, f"{names}/h:family"),
        profession=_at(entity, "h:code/@displayName"),
        mail=mail.removeprefix("mailto:"),
        organisation=_at(entity, f"{home}/h:name"),
        organisation_id=_at(entity, f"{home}/h:id/@extension"),
        address=tuple(str(line) for line in lines),
        phone=phone.removeprefix("tel:"),
    )


def _acts(root: Element) -> Iterator[CdaAct]:
    numbers = root.xpath("h:inFulfillmentOf/h:order/d:accessionNumber/@extension", namespaces=XPATH)
    for rank, event in enumerate(root.xpath("h:documentationOf/h:serviceEvent", namespaces=XPATH)):
        label = "h:code/h:translation[h:qualifier/h:name/@code='{}']/@displayName"
        yield CdaAct(
            study_uid=_at(event, "h:id/@root"),
            procedure=_at(event, "h:code/@displayName"),
            ccam=_at(event, "h:code/h:translation[not(h:qualifier)]/@code"),
            modality=_at(event, label.format("121139")),
            region=_at(event, label.format("39111-0")),
            started_at=_instant(event, "h:effectiveTime/h:low/@value"),
            accession_number=str(numbers[rank]) if rank < len(numbers) else "",
        )


def _sections(parents: list[Element], depth: int) -> Iterator[CdaSection]:
    for parent in parents:
        for section in parent.xpath("h:component/h:section", namespaces=XPATH):
            text = section.xpath("h:text", namespaces=XPATH)
            yield CdaSection(
                code=_at(section, "h:code/@code"),
                title=_at(section, "h:title"),
                paragraphs=lines_of(text[0]) if text else (),
                depth=depth,
            )
            yield from _sections([section], depth + 1)


def _at(element: Element, path: str) -> str:
    return text_of(element, path, XPATH)


def _instant(element: Element, path: str) -> datetime:
    return datetime.strptime(_at(element, path), "%Y%m%d%H%M%S%z")
