"""Verification on the wire by a contract of OUR OWN, which only the sandbox speaks.

The real one (unit and bulk, WS INS3 to INS5) is not public: when the national operator gives it,
this file is replaced and nothing else. Its namespace is not the operator's, on purpose; production
refuses it (`ris.app`). No transport and no rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from lxml import etree
from lxml.builder import ElementMaker

from ris.core.xml import Element
from ris.identity.bulk.values import LotAnswer, LotItem, LotState
from ris.identity.insi.errors import InsiFault
from ris.identity.insi.values import AnswerCode, InsiAnswer, VerifyQuery

NAMESPACE: Final = "urn:ris:insi:provisional:1"
VERIFY: Final = f"{NAMESPACE}:verifier"
DEPOSIT: Final = f"{NAMESPACE}:deposer"
COLLECT: Final = f"{NAMESPACE}:relever"
_make: Final = ElementMaker(namespace=NAMESPACE, nsmap={"p": NAMESPACE})
_VERDICTS: Final = (AnswerCode.CONFIRMED, AnswerCode.DENIED)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question: the WS-Addressing action and the only child of the Body."""

    action: str
    body: Element


def verification(query: VerifyQuery) -> Exchange:
    """Return one unit verification."""
    return Exchange(VERIFY, _make.VERIFICATION(*_identity(query)))


def deposit(lot: UUID, items: Sequence[LotItem]) -> Exchange:
    """Return the deposit of a lot."""
    listed = (_make.Identite(_make.Rang(str(item.rank)), *_identity(item.query)) for item in items)
    return Exchange(DEPOSIT, _make.DEPOT(_make.Lot(str(lot)), *listed))


def collection(lot: UUID) -> Exchange:
    """Return the question of what became of a lot."""
    return Exchange(COLLECT, _make.RELEVE(_make.Lot(str(lot))))


def verdict(body: Element, message_id: str) -> InsiAnswer:
    """Return the answer of a unit verification; raises `InsiFault` on anything else."""
    code = _text(body, "CodeCR")
    if etree.QName(body).localname != "RESULTAT" or code not in _VERDICTS:
        raise InsiFault(remote_code=f"CR_{code[:8]}")
    return InsiAnswer(AnswerCode(code), _text(body, "LibelleCR"), message_id)


def check_receipt(body: Element, lot: UUID) -> None:
    """Raise `InsiFault` unless *body* acknowledges *lot*."""
    if body.tag != f"{{{NAMESPACE}}}ACCUSE" or _text(body, "Lot") != str(lot):
        raise InsiFault(remote_code="UNKNOWN_BODY")


def lot_answer(body: Element, lot: UUID) -> LotAnswer:
    """Return what became of *lot*; raises `InsiFault` on an answer nobody knows."""
    state = _text(body, "Etat")
    if body.tag != f"{{{NAMESPACE}}}LOT" or _text(body, "Lot") != str(lot):
        raise InsiFault(remote_code="UNKNOWN_BODY")
    answers = body.findall(f"{{{NAMESPACE}}}Reponse")
    said = {_text(one, "Rang"): _text(one, "CodeCR") for one in answers}
    wrong = any(not rank.isdecimal() or code not in _VERDICTS for rank, code in said.items())
    if state not in list(LotState) or wrong or len(said) != len(answers):
        raise InsiFault(remote_code="UNKNOWN_LOT_ANSWER")
    return LotAnswer(LotState(state), {int(r): AnswerCode(code) for r, code in said.items()})


def _identity(query: VerifyQuery) -> list[Element]:
    number = query.ins.matricule
    parts = [
        _make.NumIdentifiant(number[:13]),
        _make.Cle(number[13:]),
        _make.OID(query.ins.oid),
        _make.NomNaissance(query.birth_family),
        _make.ListePrenom(query.given_names),
        _make.Sexe(query.sex),
        _make.DateNaissance(query.birth_date),
    ]
    return [*parts, _make.LieuNaissance(query.birth_place)] if query.birth_place else parts


def _text(parent: Element, name: str) -> str:
    return (parent.findtext(f"{{{NAMESPACE}}}{name}") or "").strip()
