"""SOAP envelopes and faults, in both versions."""

import pytest
from lxml import etree

from ris.core.soap import SOAP11, SOAP12, WSA, SoapFault, addressing, body_of, envelope
from ris.core.xml import UnsafeXml, serialise

FAULT12 = f"""<s:Envelope xmlns:s="{SOAP12}"><s:Body><s:Fault>
<s:Code><s:Value>s:Sender</s:Value>
<s:Subcode><s:Value xmlns:d="urn:d">d:INVALID</s:Value></s:Subcode>
</s:Code><s:Reason><s:Text xml:lang="fr">Patient inconnu</s:Text></s:Reason>
<s:Detail><x/></s:Detail></s:Fault></s:Body></s:Envelope>""".encode()
FAULT11 = f"""<s:Envelope xmlns:s="{SOAP11}"><s:Body><s:Fault><faultcode>s:Server</faultcode>
<faultstring> panne </faultstring><detail><y/></detail></s:Fault></s:Body></s:Envelope>""".encode()


@pytest.mark.parametrize("namespace", [SOAP11, SOAP12])
def test_a_body_travels_in_an_envelope_and_comes_back(namespace: str) -> None:
    body = etree.Element("{urn:b}question")
    headers = addressing("urn:act", "https://service.example/x", "urn:uuid:1", namespace=namespace)
    data = serialise(envelope(headers, body, namespace=namespace))
    assert body_of(data).tag == "{urn:b}question"
    action = etree.fromstring(data).find(f".//{{{WSA}}}Action")
    assert action is not None
    assert action.text == "urn:act"
    assert action.get(f"{{{namespace}}}mustUnderstand") in ("1", "true")


def test_a_fault_of_soap_1_2_is_raised_with_its_codes() -> None:
    with pytest.raises(SoapFault) as raised:
        body_of(FAULT12)
    fault = raised.value
    assert (fault.fault_code, fault.subcodes, fault.reason) == (
        "Sender", ("INVALID",), "Patient inconnu",
    )  # fmt: skip
    assert fault.remote_code == "Sender/INVALID"
    assert fault.detail_element is not None
    assert fault.detail_element[0].tag == "x"
    assert "Patient" not in str(fault)  # the reason may hold traits


def test_a_fault_of_soap_1_1_is_raised_with_its_code() -> None:
    with pytest.raises(SoapFault) as raised:
        body_of(FAULT11)
    assert (raised.value.fault_code, raised.value.reason) == ("Server", "panne")
    assert raised.value.detail_element is not None


def test_an_answer_without_a_body_is_a_fault() -> None:
    with pytest.raises(SoapFault) as raised:
        body_of(f'<s:Envelope xmlns:s="{SOAP12}"><s:Body/></s:Envelope>'.encode())
    assert raised.value.fault_code == "NoBody"


def test_an_html_page_is_not_taken_for_an_answer() -> None:
    with pytest.raises(UnsafeXml):
        body_of(b"<!DOCTYPE html><html></html>")


def test_a_comment_before_the_answer_is_no_answer() -> None:
    data = f'<s:Envelope xmlns:s="{SOAP12}"><s:Body><!--x--><?y?><ok/></s:Body></s:Envelope>'
    assert body_of(data.encode()).tag == "ok"
    with pytest.raises(SoapFault):
        body_of(data.replace("<ok/>", "").encode())
