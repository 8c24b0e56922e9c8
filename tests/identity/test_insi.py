"""The INSi client against the official schemas and answers, and against the strict sandbox."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from lxml import etree

from ris.core import clock, soap
from ris.core.errors import NotConfigured, RemoteError, RisError
from ris.core.xml import Element, parse
from ris.identity.insi.attempts import next_query
from ris.identity.insi.calls import ask
from ris.identity.insi.client import InsiClient
from ris.identity.insi.errors import InsiFault, InsiIncomplete, InsiRefused, InsiUnavailable
from ris.identity.insi.faults import body as read_body
from ris.identity.insi.message import BAM, LPS, Context, answer, request
from ris.identity.insi.values import (
    AnswerCode,
    InsiAnswer,
    Subject,
    TraitsQuery,
    VitaleQuery,
    person_of,
)
from ris.identity.rules import check_insi_answer
from ris.identity.settings import InsiSettings
from ris.identity.values import NIA, Ins, Sex, Traits
from ris.sandbox.faults import Fault
from ris.sandbox.insi import BY_TRAITS, BY_VITALE, result
from ris.sandbox.insi_people import Person
from ris.sandbox.pki import TestPki
from tests.identity.conftest import CALLER, ClientFor, Insi, insi_settings

AT = datetime(2026, 11, 22, 20, 0, 0, 123000, tzinfo=UTC)
CONTEXT = Context("10B0000001", AT, f"uuid:{uuid4()}")
PLAIN = TraitsQuery("PAT-TROIS", ("DOMINIQUE",), "F", "1979-03-28")
QUERIES = {
    "plain": PLAIN,
    "refined": TraitsQuery("D'ARTAGNAN", ("PIERRE-ALAIN", "JEAN"), "M", "2001-06-17", "2A004"),
    "vitale": VitaleQuery("279035121518989", "279035121518989", "PAT-TROIS", "1979-03-28", "1"),
}
BODIES = {"RECSANSVITALE": "INSi_RECSANS_INS.xsd", "RECVITALE": "INSi_RECVITALE_INS.xsd"}


def schema(path: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(path)))


@pytest.mark.parametrize("name", list(QUERIES))
def test_our_requests_are_valid_against_the_official_schemas(name: str, conformance: Path) -> None:
    settings = insi_settings("https://localhost")
    root = parse(request(QUERIES[name], CONTEXT, settings))
    header, body = root
    xsd = conformance / "ins" / "wsdl" / "xsd"
    content = body[0]
    file = BODIES[etree.QName(content).localname]
    schema(xsd / "ServiceIdentiteCertifiee" / file).assertValid(content)
    bam, lps = header.find(f"{{{BAM}}}ContexteBAM"), header.find(f"{{{LPS}}}ContexteLPS")
    schema(xsd / "CTX" / "ROOT_ctxbam_CTXBAM_V01_02.xsd").assertValid(bam)
    schema(xsd / "CTX" / "ROOT_ctxlps_CTXLPS_V01_00.xsd").assertValid(lps)
    cover = bam.find(f"{{{BAM}}}COUVERTURE")
    assert cover is not None
    assert len(cover) == 0
    assert bam.findtext(f"{{{BAM}}}Temps") == "2026-11-22T20:00:00.123Z"


def official(conformance: Path, name: str) -> InsiAnswer:
    body = soap.body_of((conformance / "ins" / "insi" / name).read_bytes())
    return answer(body, "uuid:0")


def test_the_official_answers_are_read_whatever_their_order(conformance: Path) -> None:
    """CNDA acceptance answers: history, authority of the NIA, doubled history, nobody."""
    history = official(conformance, "cnda/TEST_2.04_cas2.xml").person
    assert history is not None
    assert history.ins.matricule == "109076322083489"
    assert [ins.matricule for ins in history.history] == ["209076322083439", "209066322012355"]
    assert history.traits.given_names == "PIERRE-ALAIN MURIEL FLORIANT"
    waiting = official(conformance, "cnda/TEST_2.05.xml").person
    assert waiting is not None
    assert waiting.ins == Ins("109076322088835", NIA)
    doubled = official(conformance, "cnda/TEST_2.08_cas1.xml").person
    assert doubled is not None
    assert doubled.history == ()
    assert official(conformance, "cnda/REP_CR01.xml").code is AnswerCode.NONE
    assert official(conformance, "insi/authored/resp_02.xml".removeprefix("insi/")).person is None


def test_the_official_answer_with_a_wrong_key_is_kept_and_not_imported(conformance: Path) -> None:
    person = official(conformance, "cnda/TEST_2.08_cas2.xml").person
    assert person is not None
    assert person.ins.matricule == "181036322045660"
    with pytest.raises(RisError) as caught:
        check_insi_answer(person, (), production=True)
    assert caught.value.code == "INSI_KEY_MISMATCH"


def test_an_answer_without_birthplace_is_read(conformance: Path) -> None:
    person = official(conformance, "authored/resp_00_sans_lieu.xml").person
    assert person is not None
    assert person.traits.birth_place == ""
    check_insi_answer(person, (), production=True)


def test_the_list_comes_from_liste_prenom(conformance: Path) -> None:
    person = official(conformance, "authored/resp_00_corse_prenom_and_liste.xml").person
    assert person is not None
    assert person.traits.given_names == "ANGE TOUSSAINT"
    kept = InsiAnswer(AnswerCode.FOUND, "OK", "uuid:0", person)
    assert person_of(kept.as_record()) == person


@pytest.mark.parametrize(
    ("name", "expected", "code"),
    [
        ("cnda/fault_siram_100_desir_550.xml", InsiFault, "siram_100/desir_550"),
        ("authored/fault_desir_560.xml", InsiFault, "siram_100/desir_560"),
        ("authored/fault_siram_40_insi_102.xml", InsiUnavailable, "siram_40/insi_102"),
    ],
)
def test_the_official_faults_are_told_apart(
    conformance: Path, name: str, expected: type[RisError], code: str
) -> None:
    content = (conformance / "ins" / "insi" / name).read_bytes()
    with pytest.raises(expected) as caught:
        read_body(500, content)
    assert caught.value.remote_code == code  # type: ignore[attr-defined]


def body(xml: bytes) -> Element:
    return soap.body_of(xml)


def test_an_unknown_code_is_not_nobody_found() -> None:
    with pytest.raises(InsiFault) as caught:
        answer(body(result("07")), "uuid:0")
    assert caught.value.remote_code == "CR_07"


def test_a_found_without_a_person_is_incomplete() -> None:
    with pytest.raises(InsiIncomplete):
        answer(body(result("00")), "uuid:0")


def search(insi: Insi, query: TraitsQuery | VitaleQuery = PLAIN) -> InsiAnswer:
    return insi.client.search(query, caller=CALLER, message_id=f"uuid:{uuid4()}")


def test_the_three_codes_come_back(insi: Insi) -> None:
    found = search(insi)
    assert found.code is AnswerCode.FOUND
    assert found.person is not None
    assert found.person.ins.matricule == "279035121518989"
    nobody = TraitsQuery("HOUILLES", ("PIERRE",), "M", "1993-01-27")
    assert search(insi, nobody).code is AnswerCode.NONE
    twins = TraitsQuery("TESTRIS JUMEAUX", ("LEO",), "M", "1992-05-04")
    assert search(insi, twins).code is AnswerCode.SEVERAL
    assert search(insi, QUERIES["vitale"]).code is AnswerCode.FOUND


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(kind="http", status=503), "HTTP_503"),
        (Fault(kind="soap", code="insi_102"), "siram_40/insi_102"),
        (Fault(kind="drop"), "CUT"),
        (Fault(kind="close_mid_message"), "CUT"),
        (Fault(kind="delay", seconds=1.2), "TIMEOUT"),
    ],
)
def test_an_outage_is_never_nobody_found(
    insi: Insi, fault: Fault, code: str, client_for: ClientFor
) -> None:
    client = client_for(insi.settings.model_copy(update={"total_timeout_s": 0.6}))
    insi.faults.inject(BY_TRAITS, fault)
    with pytest.raises(InsiUnavailable) as caught:
        client.search(PLAIN, caller=CALLER, message_id=f"uuid:{uuid4()}")
    assert caught.value.remote_code == code


@pytest.mark.parametrize("times", [1, 2])
def test_a_cut_is_tried_once_more_as_a_new_message(insi: Insi, times: int) -> None:
    insi.faults.inject(BY_TRAITS, Fault(kind="drop", times=times))
    asked = ask(insi.client, Subject(LOCAL), None, caller=CALLER, limit=6)
    assert len({one.message_id for one in asked}) == len(asked)
    assert asked[0].error is not None
    assert (asked[-1].answer is None) is (times == 2)
    assert len(asked) == (2 if times == 2 else 3)


def test_a_fault_is_not_tried_again(insi: Insi) -> None:
    insi.faults.inject(BY_VITALE, Fault(kind="soap", code="desir_550"))
    (asked,) = ask(insi.client, Subject(LOCAL), QUERIES["vitale"], caller=CALLER, limit=6)
    assert isinstance(asked.error, InsiFault)


@pytest.mark.parametrize("which", ["rogue", "expired"])
def test_a_certificate_of_another_authority_gets_no_answer(
    insi: Insi, pki: TestPki, client_for: ClientFor, which: str
) -> None:
    client = client_for(insi.settings, lambda idnat, _mode: getattr(pki, which)(idnat))
    with pytest.raises(RemoteError) as caught:
        client.search(PLAIN, caller=CALLER, message_id=f"uuid:{uuid4()}")
    assert caught.value.remote_code in ("TLS", "HANDSHAKE")
    assert insi.state.requests == []


def test_a_server_of_another_authority_is_not_trusted(insi: Insi, pki: TestPki) -> None:
    other = pki.rogue().certificate
    with (
        closing(
            InsiClient(insi.settings, lambda idnat, _mode: pki.expired(idnat), other)
        ) as client,
        pytest.raises(InsiFault) as caught,
    ):
        client.search(PLAIN, caller=CALLER, message_id=f"uuid:{uuid4()}")
    assert caught.value.remote_code == "TLS"


def test_a_certificate_with_another_name_is_refused(
    insi: Insi, pki: TestPki, client_for: ClientFor
) -> None:
    client = client_for(
        insi.settings, lambda idnat, _mode: pki.organisation(idnat, "AUTH_CLI", name="Insi-Manu")
    )
    with pytest.raises(InsiFault) as caught:
        client.search(PLAIN, caller=CALLER, message_id=f"uuid:{uuid4()}")
    assert caught.value.remote_code == "siram_100/desir_560"


def test_without_an_address_nothing_leaves(pki: TestPki) -> None:
    client = InsiClient(InsiSettings(), lambda idnat, _mode: pki.rogue(idnat), pki.trust)
    with pytest.raises(NotConfigured):
        client.search(PLAIN, caller=CALLER, message_id="uuid:0")


LOCAL = Traits("TCHITCHI", ("OLA", "CATARINA"), "OLA", date(1936, 6, 21), Sex.FEMALE, "63220")


def test_after_nobody_each_other_given_name_is_tried() -> None:
    tried: list[tuple[TraitsQuery, AnswerCode]] = []
    given = []
    while (query := next_query(Subject(LOCAL), tried, limit=6)) is not None:
        given.append(query.given)
        tried.append((query, AnswerCode.NONE))
    assert given == [("OLA",), ("CATARINA",), ("OLA CATARINA",)]


def test_a_composite_given_name_is_tried_with_a_space_and_the_limit_holds() -> None:
    composite = Traits("A", ("JEAN-PIERRE",), "JEAN-PIERRE", LOCAL.birth_date, Sex.MALE, "99999")
    first = next_query(Subject(composite), [], limit=6)
    assert first is not None
    second = next_query(Subject(composite), [(first, AnswerCode.NONE)], limit=6)
    assert second is not None
    assert second.given == ("JEAN PIERRE",)
    assert next_query(Subject(composite), [(first, AnswerCode.NONE)], limit=1) is None
    assert next_query(Subject(composite), [(first, AnswerCode.FOUND)], limit=6) is None


def test_after_several_the_given_names_then_the_birthplace_are_added() -> None:
    first = next_query(Subject(LOCAL), [], limit=6)
    assert first is not None
    second = next_query(Subject(LOCAL), [(first, AnswerCode.SEVERAL)], limit=6)
    assert second is not None
    assert (second.given, second.birth_place) == (("OLA", "CATARINA"), "")
    tried = [(first, AnswerCode.SEVERAL), (second, AnswerCode.SEVERAL)]
    third = next_query(Subject(LOCAL), tried, limit=6)
    assert third is not None
    assert third.birth_place == "63220"
    assert next_query(Subject(LOCAL), [*tried, (third, AnswerCode.SEVERAL)], limit=6) is None


def test_everything_that_insi_returned_is_kept(conformance: Path) -> None:
    kept = official(conformance, "cnda/TEST_2.04_cas2.xml").as_record()["returned"]
    former = kept["INDIVIDU"][0]["INSHISTO"]
    assert [one.get("DateDeb") for one in former] == [["2019-03-01"], None]
    assert kept["CR"] == [{"CodeCR": ["00"], "LibelleCR": ["OK"]}]
    assert kept["INDIVIDU"][0]["TIQ"][0]["ListePrenom"] == ["PIERRE-ALAIN MURIEL FLORIANT"]


def test_an_answer_nobody_knows_is_kept_too_and_told_to_no_screen() -> None:
    person = Person("ADRUN", "ZOE", "F", "1975-12-31", "63220", "275126322074974")
    for xml in (result("07", person), result("00", replace(person, oid=""))):
        with pytest.raises(InsiRefused) as caught:
            answer(body(xml), "uuid:0")
        assert "2751263220749" in str(caught.value.returned)
        assert "2751263220749" not in str((caught.value.extensions, caught.value.detail))


@pytest.mark.parametrize(
    ("code", "expected"),
    [("Receiver", InsiUnavailable), ("Sender", InsiFault), ("VersionMismatch", InsiFault),
     ("MustUnderstand", InsiFault), ("DataEncodingUnknown", InsiFault)],
)  # fmt: skip
def test_a_fault_without_detail_is_judged_by_who_is_to_blame(
    code: str, expected: type[RemoteError]
) -> None:
    soap12 = "http://www.w3.org/2003/05/soap-envelope"
    fault = f"<s:Fault><s:Code><s:Value>s:{code}</s:Value></s:Code></s:Fault>"
    content = f'<s:Envelope xmlns:s="{soap12}"><s:Body>{fault}</s:Body></s:Envelope>'
    with pytest.raises(expected) as caught:
        read_body(500, content.encode())
    assert caught.value.remote_code == code


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [(200, b"", InsiUnavailable), (200, b"<html>", InsiUnavailable), (502, b"", InsiUnavailable),
     (404, b"not found", InsiFault), (200, b"<!DOCTYPE a><a/>", InsiUnavailable)],
)  # fmt: skip
def test_what_is_no_soap_is_no_answer(
    status: int, content: bytes, expected: type[RemoteError]
) -> None:
    with pytest.raises(expected):
        read_body(status, content)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_wrong_is_refused_and_finds_nobody(insi: Insi, hours: int) -> None:
    with clock.frozen(clock.now() + timedelta(hours=hours)), pytest.raises(InsiFault) as caught:
        search(insi)
    assert caught.value.remote_code == "siram_100/sandbox_clock"


def test_the_person_whose_history_is_dated_backwards_is_read(insi: Insi) -> None:
    asked = TraitsQuery("ECETINSI", ("PIERRE-ALAIN",), "M", "2009-07-14")
    found = search(insi, asked).person
    assert found is not None
    assert [ins.matricule for ins in found.history] == ["209076322083439", "209066322012355"]


def test_a_wrong_key_is_tolerated_on_the_bench_only(insi: Insi) -> None:
    found = search(insi, TraitsQuery("HERMANN", ("GATIEN",), "M", "1981-03-24")).person
    assert found is not None
    check_insi_answer(found, (), production=False, tolerate_bad_key=True)
    with pytest.raises(RisError):
        check_insi_answer(found, (), production=True)
