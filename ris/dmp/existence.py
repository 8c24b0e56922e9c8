"""TD0.2: the question "has this patient an active DMP?" and how its answer reads (dmp.md §7).

Pure. Traits in the answer are never kept nor shown (RG_0320): only codes come out.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from ris.core.xml import Element
from ris.dmp.errors import DmpClosed, DmpRefused, InsMismatch, NoDmp
from ris.dmp.settings import DmpSettings
from ris.identity.values import INS_OIDS, Ins
from ris.reports.xds import dtm

HL7: Final = "urn:hl7-org:v3"
REQUEST: Final = "PRPA_IN201307UV02"
_DMP_OID: Final = "1.2.250.1.213.4.1.1.1"
_ATTACHED: Final = "RATTACHEMENT_ENS"
_NS: Final = {"h": HL7}
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_h: Final = ElementMaker(namespace=HL7, nsmap={None: HL7, "xsi": _XSI})


@dataclass(frozen=True, slots=True)
class Existence:
    """What TD0.2 says: does a DMP exist, its raw status code, is it attached to MES."""

    exists: bool
    status: str = ""
    attached: bool = False

    def must_be_active(self) -> None:
        """Raise `NoDmp` or `DmpClosed` when nothing may be sent now."""
        if not self.exists:
            raise NoDmp
        if self.status != "active":
            raise DmpClosed


def request(ins: Ins, settings: DmpSettings, *, message: str, at: datetime) -> Element:
    """Return the `PRPA_IN201307UV02` body about *ins*; *message* is this message's own id."""
    nil = {f"{{{_XSI}}}nil": "true"}
    query = _h.queryByParameter(
        _h.queryId(root=settings.source_oid, extension=message),
        _h.statusCode(code="new"),
        _h.parameterList(
            _h.dataSource(**nil),
            _h.patientIdentifier(
                _h.value(root=ins.oid, extension=ins.matricule), _h.semanticsText("Patient.id")
            ),
        ),
    )
    reason = _h.reasonCode(
        code="TEST_EXST", codeSystem="1.2.250.1.213.1.1.4.11", displayName="Test d'existence"
    )
    return _h(
        REQUEST,
        _h.id(root=settings.source_oid, extension=message),
        _h.creationTime(value=dtm(at)),
        _h.interactionId(root="2.16.840.1.113883.1.6", extension=REQUEST),
        _h.processingCode(code=settings.processing_code),
        _h.processingModeCode(code="T"),
        _h.acceptAckCode(code="AL"),
        _h.receiver(_device(_DMP_OID, "DMP"), typeCode="RCV"),
        _h.sender(_device(settings.source_oid, settings.software_name), typeCode="SND"),
        _h.attentionLine(**nil),
        _h.controlActProcess(reason, query, classCode="CACT", moodCode="EVN"),
        ITSVersion="XML_1.0",
    )


def read(answer: Element, ins: Ins) -> Existence:
    """Return what a `PRPA_IN201308UV02` says of *ins*.

    Raises `DmpRefused` when it is not an acknowledgement (`AA`), `InsMismatch` when the patient
    found has INS identifiers and none is ours.
    """
    if etree.QName(answer).localname != "PRPA_IN201308UV02":
        raise DmpRefused(remote_code="UNEXPECTED_ANSWER")
    acknowledgement = _attribute(answer, "h:acknowledgement/@typeCode")
    if acknowledgement != "AA":
        raise DmpRefused(remote_code=acknowledgement or "NO_ACKNOWLEDGEMENT")
    outcome = _attribute(answer, "h:controlActProcess/h:queryAck/h:queryResponseCode/@code")
    if outcome == "NF":
        return Existence(exists=False)
    patient = answer.find(".//h:registrationEvent/h:subject1/h:patient", _NS)
    if outcome != "OK" or patient is None:
        raise DmpRefused(remote_code=outcome or "NO_PATIENT")
    if (ins.oid, ins.matricule) not in _identifiers(patient):
        raise InsMismatch
    attached = _attribute(
        patient,
        f"h:subjectOf/h:administrativeObservation[h:code/@code='{_ATTACHED}']/h:value/@value",
    )
    return Existence(True, _attribute(patient, "h:statusCode/@code"), attached == "true")


def _identifiers(patient: Element) -> set[tuple[str, str]]:
    found = {
        (each.get("root", ""), each.get("extension", "")) for each in patient.findall("h:id", _NS)
    }
    return {each for each in found if each[0] in INS_OIDS}


def _device(oid: str, name: str) -> Element:
    return _h.device(
        _h.id(root=oid), _h.softwareName(name), classCode="DEV", determinerCode="INSTANCE"
    )


def _attribute(root: Element, path: str) -> str:
    found = root.xpath(path, namespaces=_NS)
    return str(found[0]) if isinstance(found, list) and found else ""
