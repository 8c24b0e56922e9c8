"""Verifications in the INSi simulator: one INS, or a lot left and fetched later.

The real contract is not public: this is the provisional one of the product's tests, in a namespace
of its own. Strict all the same: it refuses what any service would refuse of such a message.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from lxml import etree
from lxml.builder import ElementMaker

from ris.core.xml import Element
from ris.sandbox.insi_people import Person
from ris.sandbox.insi_refusal import Refusal

NAMESPACE: Final = "urn:ris:insi:provisional:1"
ACTIONS: Final = {
    f"{{{NAMESPACE}}}VERIFICATION": f"{NAMESPACE}:verifier",
    f"{{{NAMESPACE}}}DEPOT": f"{NAMESPACE}:deposer",
    f"{{{NAMESPACE}}}RELEVE": f"{NAMESPACE}:relever",
}
MAX_LOT: Final = 10_000
_FIELDS: Final = (
    "NumIdentifiant", "Cle", "OID", "NomNaissance", "ListePrenom", "Sexe", "DateNaissance",
)  # fmt: skip
_FORMS: Final = {
    "NumIdentifiant": r"\d{6}[AB0-9]\d{6}",
    "Cle": r"\d{2}",
    "OID": r"[0-9.]+",
    "NomNaissance": r"[A-Z' -]+",
    "ListePrenom": r"[A-Z' -]+",
    "Sexe": r"[MF]",
    "DateNaissance": r"\d{4}-\d{2}-\d{2}",
    "LieuNaissance": r"\d[0-9AB]\d{3}",
}
_make: Final = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


@dataclass
class Verifications:
    """What a test scripts and sees. *denied*: whole numbers answered KO whatever their traits.

    *polls* is how many times a lot is said to be under way before it is done; *lots* holds what
    was left, by lot: each rank's answer.
    """

    people: list[Person]
    denied: set[str] = field(default_factory=set)
    polls: int = 0
    lots: dict[UUID, dict[int, str]] = field(default_factory=dict)
    _asked: dict[UUID, int] = field(default_factory=dict)
    _content: dict[UUID, bytes] = field(default_factory=dict)

    def answer(self, body: Element) -> Element:
        """Answer one body of `ACTIONS`; raises `Refusal`."""
        match etree.QName(body).localname:
            case "VERIFICATION":
                code = self._code(body, 0)
                label = "INS verifiee" if code == "OK" else "INS non verifiee"
                return _make.RESULTAT(_make.CodeCR(code), _make.LibelleCR(label))
            case "DEPOT":
                return self._deposit(body)
            case _:
                return self._collect(body)

    def _deposit(self, body: Element) -> Element:
        lot, listed = _lot(body), body[1:]
        content = etree.tostring(body, method="c14n")
        if self._content.get(lot, content) != content:
            raise Refusal("sandbox_lot", "Ce lot a deja ete depose avec un autre contenu.")
        if not 1 <= len(listed) <= MAX_LOT:
            raise Refusal("sandbox_lot", "Taille du lot.")
        ranks = [one.findtext(f"{{{NAMESPACE}}}Rang") or "" for one in listed]
        if len(set(ranks)) != len(ranks) or not all(rank.isdecimal() for rank in ranks):
            raise Refusal("sandbox_lot", "Rangs.")
        self.lots[lot] = {
            int(rank): self._code(one, 1) for rank, one in zip(ranks, listed, strict=True)
        }
        self._content[lot] = content
        return _make.ACCUSE(_make.Lot(str(lot)), _make.Etat("RECU"))

    def _collect(self, body: Element) -> Element:
        lot = _lot(body)
        if lot not in self.lots:
            return _make.LOT(_make.Lot(str(lot)), _make.Etat("INCONNU"))
        self._asked[lot] = self._asked.get(lot, 0) + 1
        if self._asked[lot] <= self.polls:
            return _make.LOT(_make.Lot(str(lot)), _make.Etat("EN_COURS"))
        answers = (
            _make.Reponse(_make.Rang(str(rank)), _make.CodeCR(code))
            for rank, code in self.lots[lot].items()
        )
        return _make.LOT(_make.Lot(str(lot)), _make.Etat("TRAITE"), *answers)

    def _code(self, identity: Element, skipped: int) -> str:
        """Return OK or KO of the identity in *identity*, *skipped* children apart."""
        told = {etree.QName(child).localname: child.text or "" for child in identity[skipped:]}
        names = [etree.QName(child).localname for child in identity[skipped:]]
        if names not in ([*_FIELDS], [*_FIELDS, "LieuNaissance"]):
            raise Refusal("sandbox_body", "Elements absents, inconnus ou dans le desordre.")
        for name, value in told.items():
            if re.fullmatch(_FORMS[name], value) is None:
                raise Refusal("sandbox_value", f"{name} mal forme.")
        number = told["NumIdentifiant"] + told["Cle"]
        traits = (told["NomNaissance"], told["ListePrenom"], told["Sexe"], told["DateNaissance"])
        found = any(
            (one.number, one.oid) == (number, told["OID"])
            and (one.family, one.given, one.sex, one.born) == traits
            for one in self.people
        )
        return "OK" if found and number not in self.denied else "KO"


def _lot(body: Element) -> UUID:
    try:
        return UUID(body.findtext(f"{{{NAMESPACE}}}Lot") or "")
    except ValueError as error:
        raise Refusal("sandbox_lot", "Numero de lot.") from error
