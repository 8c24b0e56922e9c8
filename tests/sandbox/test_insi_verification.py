"""Verifications in the INSi sandbox: strict, and scripted by the test."""

from uuid import UUID, uuid4

import pytest
from lxml import etree

from ris.core.xml import parse
from ris.sandbox.insi_people import PEOPLE
from ris.sandbox.insi_refusal import Refusal
from ris.sandbox.insi_verification import NAMESPACE, Verifications

ZOE = (
    "<p:NumIdentifiant>2751263220749</p:NumIdentifiant><p:Cle>74</p:Cle>"
    "<p:OID>1.2.250.1.213.1.4.8</p:OID><p:NomNaissance>ADRUN</p:NomNaissance>"
    "<p:ListePrenom>ZOE</p:ListePrenom><p:Sexe>F</p:Sexe>"
    "<p:DateNaissance>1975-12-31</p:DateNaissance>"
)
LOT = UUID("0198c0de-0000-7000-8000-000000000001")


@pytest.fixture
def service() -> Verifications:
    return Verifications(list(PEOPLE))


def ask(service: Verifications, name: str, content: str) -> bytes:
    body = parse(f'<p:{name} xmlns:p="{NAMESPACE}">{content}</p:{name}>'.encode())
    return etree.tostring(service.answer(body))


def lot(*ranks: object, number: UUID = LOT, content: str = ZOE) -> str:
    items = "".join(f"<p:Identite><p:Rang>{rank}</p:Rang>{content}</p:Identite>" for rank in ranks)
    return f"<p:Lot>{number}</p:Lot>{items}"


def test_one_is_confirmed_or_denied(service: Verifications) -> None:
    assert b"<CodeCR>OK<" in ask(service, "VERIFICATION", ZOE)
    assert b"<CodeCR>KO<" in ask(service, "VERIFICATION", ZOE.replace("ADRUN", "ADRDEUX"))
    assert b"<CodeCR>KO<" in ask(service, "VERIFICATION", ZOE.replace(">74<", ">75<"))
    service.denied.add("275126322074974")
    assert b"<CodeCR>KO<" in ask(service, "VERIFICATION", ZOE)


@pytest.mark.parametrize(
    "content",
    [
        ZOE.replace("<p:Sexe>F</p:Sexe>", ""),
        ZOE.replace(">F<", ">I<"),
        ZOE.replace(">74<", ">7<"),
        ZOE.replace("ADRUN", "adrun"),
        ZOE + "<p:Plus/>",
        ZOE + "<p:LieuNaissance>632</p:LieuNaissance>",
    ],
)
def test_what_is_malformed_is_refused(service: Verifications, content: str) -> None:
    with pytest.raises(Refusal):
        ask(service, "VERIFICATION", content)
    with pytest.raises(Refusal):
        ask(service, "DEPOT", lot(1, content=content))


def test_a_lot_is_unknown_then_under_way_then_done(service: Verifications) -> None:
    service.polls = 1
    fetch = f"<p:Lot>{LOT}</p:Lot>"
    assert b"<Etat>INCONNU<" in ask(service, "RELEVE", fetch)
    assert b"<Etat>RECU<" in ask(service, "DEPOT", lot(1, 3))
    assert b"<Etat>EN_COURS<" in ask(service, "RELEVE", fetch)
    done = ask(service, "RELEVE", fetch)
    assert done.count(b"<Reponse>") == 2
    assert b"<Rang>3</Rang><CodeCR>OK</CodeCR>" in done


def test_a_lot_left_twice_is_the_same_and_may_not_change(service: Verifications) -> None:
    ask(service, "DEPOT", lot(1))
    ask(service, "DEPOT", lot(1))
    with pytest.raises(Refusal):
        ask(service, "DEPOT", lot(1, 2))
    for ranks in ((), (1, 1), ("x",)):
        with pytest.raises(Refusal):
            ask(service, "DEPOT", lot(*ranks, number=uuid4()))
    with pytest.raises(Refusal):
        ask(service, "RELEVE", "<p:Lot>42</p:Lot>")
