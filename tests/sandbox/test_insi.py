"""The INSi sandbox refuses what the service would refuse. Requests are written here by hand."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from lxml import etree

from ris.core import clock, http
from ris.core.settings import HttpSettings
from ris.sandbox.faults import Fault, Faults
from ris.sandbox.insi import BY_TRAITS, IDAM, PATH, InsiSandbox, build, result
from ris.sandbox.pki import TestPki
from ris.sandbox.server import Running, serve

UNIT = "10B0000001"
ACTION = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
KIND = f'application/soap+xml; charset=utf-8; action="{ACTION}"'
BODY = (
    '<r:RECSANSVITALE xmlns:r="http://www.cnamts.fr/INSiRecSans">'
    "<r:NomNaissance>ADRUN</r:NomNaissance><r:Prenom>ZOE</r:Prenom><r:Sexe>F</r:Sexe>"
    "<r:DateNaissance>1975-12-31</r:DateNaissance></r:RECSANSVITALE>"
)
BAM = (
    '<b:ContexteBAM xmlns:b="urn:siram:bam:ctxbam" Version="01_02"><b:Id>{id}</b:Id>'
    "<b:Temps>{at}.000Z</b:Temps><b:Emetteur>{unit}</b:Emetteur>"
    "<b:COUVERTURE/></b:ContexteBAM>"
)
LPS = (
    '<l:ContexteLPS xmlns:l="urn:siram:lps:ctxlps" Nature="CTXLPS" Version="01_00">'
    "<l:Id>{id}</l:Id><l:Temps>{at}Z</l:Temps><l:Emetteur>{unit}</l:Emetteur>"
    '<l:LPS><l:IDAM R="4">{idam}</l:IDAM><l:Version>1.0</l:Version><l:Instance>{id}</l:Instance>'
    "<l:Nom>urn:lps:essai:1.0</l:Nom></l:LPS></l:ContexteLPS>"
)
WSA = (
    '<w:Action xmlns:w="http://www.w3.org/2005/08/addressing">{action}</w:Action>'
    '<w:MessageID xmlns:w="http://www.w3.org/2005/08/addressing">{message}</w:MessageID>'
)


def message(
    *, body: str = BODY, bam: str = BAM, lps: str = LPS, wsa: str = WSA, idam: str = IDAM,
    unit: str = UNIT, action: str = ACTION, message_id: str = "", at: str = "",
) -> str:  # fmt: skip
    values = {"id": uuid4(), "unit": unit, "idam": idam, "action": action}
    values["at"] = at or f"{clock.now():%Y-%m-%dT%H:%M:%S}"
    values["message"] = message_id or f"uuid:{uuid4()}"
    header = (bam + lps + wsa).format(**values)
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )


@pytest.fixture(scope="module")
def served(pki: TestPki) -> Iterator[tuple[Running, InsiSandbox]]:
    app = build(Faults())
    with serve(app, tls=pki.server(), client_ca=pki.trust, client_cert="required") as running:
        yield running, app.state.insi


@pytest.fixture
def caller(served: tuple[Running, InsiSandbox], pki: TestPki) -> Iterator[httpx.Client]:
    with http.client(
        trust=pki.trust,
        credential=pki.organisation(UNIT, "AUTH_CLI", name="INSI-MANU"),
        settings=HttpSettings(),
    ) as client:
        client.base_url = httpx.URL(served[0].url)
        yield client


def post(caller: httpx.Client, content: str, kind: str = KIND) -> httpx.Response:
    return caller.post(PATH, content=content.encode(), headers={"Content-Type": kind})


def fault_code(answer: httpx.Response) -> str:
    assert answer.status_code == 500
    root = etree.fromstring(answer.content)
    return str(root.find(".//{urn:siram}Erreur").get("code"))


def test_a_sound_request_is_answered(caller: httpx.Client) -> None:
    answer = post(caller, message())
    assert answer.status_code == 200
    assert b"<CodeCR>00</CodeCR>" in answer.content
    assert b"2751263220749" in answer.content


def test_a_caller_without_certificate_gets_no_connection(
    served: tuple[Running, InsiSandbox], pki: TestPki
) -> None:
    with (
        http.client(trust=pki.trust, settings=HttpSettings()) as nobody,
        pytest.raises(httpx.TransportError),
    ):
        nobody.post(served[0].url + PATH, content=message())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bam": ""}, "sandbox_header"),
        ({"lps": ""}, "sandbox_header"),
        ({"wsa": WSA.split("</w:Action>", maxsplit=1)[0] + "</w:Action>"}, "sandbox_header"),
        ({"bam": BAM.replace("01_02", "01_01")}, "sandbox_bam"),
        ({"bam": BAM.replace("<b:COUVERTURE/>", "")}, "sandbox_context"),
        ({"bam": BAM.replace("<b:COUVERTURE/>", "<b:COUVERTURE>x</b:COUVERTURE>")}, "sandbox_bam"),
        ({"bam": BAM.replace("000Z", "000")}, "sandbox_context"),
        ({"lps": LPS.replace('R="4"', 'R="3"')}, "desir_550"),
        ({"lps": LPS.replace('Nature="CTXLPS" ', "")}, "sandbox_lps"),
        ({"lps": LPS.replace("urn:lps:essai:1.0", "essai")}, "sandbox_lps"),
        ({"idam": "INCONNU"}, "desir_550"),
        ({"unit": "10B9999999"}, "sandbox_context"),
        ({"message_id": "42"}, "sandbox_context"),
        ({"at": "2026-01-01T00:00:00"}, "sandbox_clock"),
        ({"action": ACTION + "X"}, "sandbox_action"),
        ({"body": BODY.replace("RECSANSVITALE", "RECHERCHE")}, "sandbox_body"),
        ({"body": BODY.replace("<r:Sexe>F</r:Sexe>", "")}, "sandbox_body"),
        ({"body": BODY.replace("</r:RECSANS", "<r:Plus/></r:RECSANS")}, "sandbox_body"),
        ({"body": BODY.replace(">F<", ">I<")}, "sandbox_value"),
        ({"body": BODY.replace("1975-12-31", "31/12/1975")}, "sandbox_value"),
        ({"body": BODY.replace("ADRUN", "Adrun")}, "sandbox_value"),
        ({"body": BODY.replace("ZOE", "ZOÉ")}, "sandbox_value"),
    ],
)
def test_a_request_that_breaks_the_contract_is_refused(
    caller: httpx.Client, changes: dict[str, str], code: str
) -> None:
    assert fault_code(post(caller, message(**changes))) == code


def test_the_order_of_the_traits_matters(caller: httpx.Client) -> None:
    moved = BODY.replace("<r:Sexe>F</r:Sexe>", "").replace(
        "</r:DateNaissance>", "</r:DateNaissance><r:Sexe>F</r:Sexe>"
    )
    assert fault_code(post(caller, message(body=moved))) == "sandbox_body"


def test_the_content_type_must_be_soap_12_with_its_action(caller: httpx.Client) -> None:
    assert fault_code(post(caller, message(), "application/soap+xml")) == "sandbox_action"
    plain = f'text/xml; action="{ACTION}"'
    assert fault_code(post(caller, message(), plain)) == "sandbox_content_type"
    assert fault_code(post(caller, "<a><b></a>")) == "sandbox_xml"


def test_a_message_id_serves_once(caller: httpx.Client) -> None:
    content = message()
    assert post(caller, content).status_code == 200
    assert fault_code(post(caller, content)) == "sandbox_duplicate"


def test_scripted_answers_come_first_and_faults_strike(
    caller: httpx.Client, served: tuple[Running, InsiSandbox]
) -> None:
    state = served[1]
    state.scripted.append(result("02"))
    assert b"<CodeCR>02</CodeCR>" in post(caller, message()).content
    state.faults.inject(BY_TRAITS, Fault(kind="soap", code="insi_102"))
    assert fault_code(post(caller, message())) == "insi_102"
    assert post(caller, message()).status_code == 200
