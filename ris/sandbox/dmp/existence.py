"""TD0.2 as the DMP answers it: the question read, the patient's record told."""

from typing import Final
from uuid import uuid4

from lxml import etree
from lxml.builder import ElementMaker

from ris.core import clock
from ris.core.xml import Element, text_of
from ris.sandbox.dmp.assertion import Caller
from ris.sandbox.dmp.registry import Registry
from ris.sandbox.dmp.wire import SoapRefusal

_HL7: Final = "urn:hl7-org:v3"
_NS: Final = {"h": _HL7}
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_h: Final = ElementMaker(namespace=_HL7, nsmap={None: _HL7, "xsi": _XSI})
_ORDER: Final = [
    "id", "creationTime", "interactionId", "processingCode", "processingModeCode", "acceptAckCode",
    "receiver", "sender", "attentionLine", "controlActProcess",
]  # fmt: skip
_QUERY: Final = "h:controlActProcess/h:queryByParameter"
_VALUE: Final = f"{_QUERY}/h:parameterList/h:patientIdentifier/h:value"


def answer(question: Element, caller: Caller, registry: Registry) -> Element:
    """Return the `PRPA_IN201308UV02` about the patient asked for. Raises `SoapRefusal`."""
    if question.tag != f"{{{_HL7}}}PRPA_IN201307UV02" or question.get("ITSVersion") != "XML_1.0":
        raise SoapRefusal("DMPInvalidRequest", "PRPA_IN201307UV02 attendu")
    if [etree.QName(child).localname for child in question] != _ORDER:
        raise SoapRefusal("DMPInvalidRequest", "Ordre des éléments de TD0.2")
    for path in ("h:id/@root", "h:sender/h:device/h:id/@root", f"{_QUERY}/h:queryId/@extension"):
        if not text_of(question, path, _NS):
            raise SoapRefusal("DMPInvalidRequest", f"Absent de TD0.2 : {path}")
    if text_of(question, "h:controlActProcess/h:reasonCode/@code", _NS) != "TEST_EXST":
        raise SoapRefusal("DMPInvalidRequest", "reasonCode")
    oid, matricule = (text_of(question, f"{_VALUE}/@{each}", _NS) for each in ("root", "extension"))
    cx = f"{matricule}^^^&{oid}&ISO^NH"
    if cx != caller.patient:
        raise SoapRefusal("DMPInvalidRequest", "Patient différent de celui du VIHF")
    return _found(question, cx, registry)


def _found(question: Element, cx: str, registry: Registry) -> Element:
    patient = registry.patient(cx)
    record: list[Element] = []
    if patient is not None:
        attached = _h.value(value=str(patient.attached).lower())
        attached.set(f"{{{_XSI}}}type", "BL")
        observation = _h.administrativeObservation(
            _h.code(code="RATTACHEMENT_ENS", codeSystem="1.2.250.1.213.4.1.2.3"),
            attached,
            classCode="OBS",
            moodCode="EVN",
        )
        described = _h.patient(
            _h.id(root=patient.oid, extension=patient.matricule),
            _h.statusCode(code=patient.status),
            _h.subjectOf(observation, typeCode="SBJ"),
            classCode="PAT",
        )
        event = _h.registrationEvent(
            _h.statusCode(code="completed"),
            _h.subject1(described, typeCode="SBJ"),
            classCode="REG",
            moodCode="EVN",
        )
        record = [_h.subject(event, typeCode="SUBJ", contextConductionInd="false")]
    query = _h.queryId(extension=text_of(question, f"{_QUERY}/h:queryId/@extension", _NS))
    found = _h.queryAck(query, _h.queryResponseCode(code="OK" if patient else "NF"))
    act = _h.controlActProcess(
        _h.reasonCode(code="TEST_EXST", codeSystem="1.2.250.1.213.1.1.4.11"),
        *record,
        found,
        classCode="CACT",
        moodCode="EVN",
    )
    return _h.PRPA_IN201308UV02(
        _h.id(root=str(uuid4())),
        _h.creationTime(value=clock.now().strftime("%Y%m%d%H%M%S")),
        _h.interactionId(root="2.16.840.1.113883.1.6", extension="PRPA_IN201308UV02"),
        _h.processingCode(code="P"),
        _h.processingModeCode(code="T"),
        _h.acceptAckCode(code="NE"),
        _h.acknowledgement(typeCode="AA"),
        act,
        ITSVersion="XML_1.0",
    )
