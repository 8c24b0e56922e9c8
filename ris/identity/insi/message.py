"""INSi on the wire: SOAP 1.2 requests built, answers read (WSDL DESIR_ICIR_EXP 1.5.0, ins.md §5).

No transport and no rule. Answers are read by local name, in any order: the service's own test
answers break its schema (R-INSI-03).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from lxml import etree
from lxml.builder import ElementMaker

from ris.core.soap import WSA, envelope
from ris.core.xml import Element, parse, serialise
from ris.identity.insi import provisional as insi_provisional
from ris.identity.insi.errors import InsiFault, InsiIncomplete, kept
from ris.identity.insi.provisional import Exchange
from ris.identity.insi.values import (
    AnswerCode,
    InsiAnswer,
    InsiPerson,
    InsiTraits,
    Query,
    TraitsQuery,
    VerifyQuery,
    VitaleQuery,
)
from ris.identity.matricule import key_of
from ris.identity.settings import InsiSettings
from ris.identity.values import Ins

BY_TRAITS: Final = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
BY_VITALE: Final = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecCarteVitale"
RECSANS: Final = "http://www.cnamts.fr/INSiRecSans"
RECVIT: Final = "http://www.cnamts.fr/INSiRecVit"
RESULTAT: Final = "http://www.cnamts.fr/INSiResultat"
BAM: Final = "urn:siram:bam:ctxbam"
LPS: Final = "urn:siram:lps:ctxlps"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_SEARCHED: Final = (AnswerCode.FOUND, AnswerCode.NONE, AnswerCode.SEVERAL)


@dataclass(frozen=True, slots=True)
class Context:
    """What heads a request: sender (OU of the structure certificate), instant, message id.

    In mode CPx *assertion* (XML) is the card's and the sender its NameID.
    """

    sender: str
    at: datetime
    message_id: str
    assertion: bytes = b""


def exchange(query: Query) -> Exchange:
    """Return action and body of *query*."""
    if isinstance(query, VerifyQuery):
        return insi_provisional.verification(query)
    if isinstance(query, TraitsQuery):
        return Exchange(BY_TRAITS, _by_traits(query))
    return Exchange(BY_VITALE, _by_vitale(query))


def request(query: Query, context: Context, settings: InsiSettings) -> bytes:
    """Return the SOAP request of *query* (ins.md §5.3)."""
    return framed(exchange(query), context, settings)


def framed(exchange: Exchange, context: Context, settings: InsiSettings) -> bytes:
    """Return the SOAP request of *exchange*, with its four mandatory headers, and the card's."""
    wsa = ElementMaker(namespace=WSA, nsmap={"wsa": WSA})
    headers = [
        _bam(context),
        _lps(context, settings),
        wsa.Action(exchange.action),
        wsa.MessageID(context.message_id),
    ]
    if context.assertion:
        security = ElementMaker(namespace=WSSE, nsmap={"wsse": WSSE})
        headers.append(security.Security(parse(context.assertion)))
    return serialise(envelope(headers, exchange.body))


def answer(result: Element, message_id: str) -> InsiAnswer:
    """Return the answer that a SOAP body holds.

    Raises `InsiFault` for a body or a code that nobody knows (never "none found"), and
    `InsiIncomplete` for a `00` without number or authority.
    """
    if etree.QName(result).namespace == insi_provisional.NAMESPACE:
        return insi_provisional.verdict(result, message_id)
    if etree.QName(result).localname != "RESULTAT":
        raise InsiFault(remote_code="UNKNOWN_BODY")
    code, label = _text(result, "CodeCR"), _text(result, "LibelleCR")
    returned = _returned(result)
    if code not in _SEARCHED:
        raise kept(InsiFault(remote_code=f"CR_{code[:8]}"), returned)
    if code != AnswerCode.FOUND:
        return InsiAnswer(AnswerCode(code), label, message_id, returned=returned)
    try:
        person = _person(result)
    except InsiIncomplete as error:
        raise kept(error, returned) from None
    return InsiAnswer(AnswerCode.FOUND, label, message_id, person, returned)


def _by_traits(query: TraitsQuery) -> Element:
    make = ElementMaker(namespace=RECSANS, nsmap={"r": RECSANS})
    parts = [
        make.NomNaissance(query.birth_family),
        *(make.Prenom(given) for given in query.given),
        make.Sexe(query.sex),
        make.DateNaissance(query.birth_date),
    ]
    if query.birth_place:
        parts.append(make.LieuNaissance(query.birth_place))
    return make.RECSANSVITALE(*parts)


def _by_vitale(query: VitaleQuery) -> Element:
    make = ElementMaker(namespace=RECVIT, nsmap={"v": RECVIT})

    def number(value: str) -> tuple[Element, Element]:
        return make.NumIdentifiant(value[:13]), make.Cle(value[13:])

    return make.RECVITALE(
        make.MatriculeIndividu(*number(query.matricule)),
        make.MatriculeOD(*number(query.opener)),
        make.NomNaissance(query.birth_family),
        make.DateNaissance(query.birth_date),
        make.RangNaissance(query.birth_rank),
    )


def _bam(context: Context) -> Element:
    make = ElementMaker(namespace=BAM, nsmap={"ctxbam": BAM})
    return make.ContexteBAM(
        make.Id(str(uuid4())),
        make.Temps(_instant(context.at)),
        make.Emetteur(context.sender),
        make.COUVERTURE(),
        Version="01_02",
    )


def _lps(context: Context, settings: InsiSettings) -> Element:
    make = ElementMaker(namespace=LPS, nsmap={"ctxlps": LPS})
    return make.ContexteLPS(
        make.Id(str(uuid4())),
        make.Temps(_instant(context.at)),
        make.Emetteur(context.sender),
        make.LPS(
            make.IDAM(settings.idam, R="4"),
            make.Version(settings.version),
            make.Instance(str(settings.instance)),
            make.Nom(f"urn:lps:{settings.software}:{settings.version}"),
        ),
        Nature="CTXLPS",
        Version="01_00",
    )


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _person(result: Element) -> InsiPerson:
    active = next(_all(result, "INSACTIF"), None)
    traits = next(_all(result, "TIQ"), None)
    if active is None or traits is None:
        raise InsiIncomplete
    ins = _ins(active)
    former = dict.fromkeys(_ins(element) for element in _all(result, "INSHISTO"))
    return InsiPerson(
        ins=ins,
        traits=InsiTraits(
            birth_family=_text(traits, "NomNaissance"),
            given_names=" ".join(_text(traits, "ListePrenom").split()),
            sex=_text(traits, "Sexe"),
            birth_date=_text(traits, "DateNaissance"),
            birth_place=_text(traits, "LieuNaissance"),
        ),
        history=tuple(one for one in former if one != ins),
    )


def _ins(element: Element) -> Ins:
    number, key, oid = (_text(element, name) for name in ("NumIdentifiant", "Cle", "OID"))
    if len(number) != 13 or not oid:
        raise InsiIncomplete
    number = number.upper()
    return Ins(number + (key or _computed(number)), oid)


def _computed(number: str) -> str:
    try:
        return key_of(number)
    except ValueError as error:
        raise InsiIncomplete from error


def _returned(element: Element) -> dict[str, Any]:
    """Return every element below, by local name; lists keep repetitions in order (RIS.INS.41)."""
    told: dict[str, Any] = {}
    for child in element.iterchildren(tag=etree.Element):
        value = _returned(child) if len(child) else (child.text or "").strip()
        told.setdefault(etree.QName(child).localname, []).append(value)
    return told


def _all(root: Element, name: str) -> Iterator[Element]:
    return root.iter(f"{{{RESULTAT}}}{name}")


def _text(root: Element, name: str) -> str:
    found = next(_all(root, name), None)
    return (found.text or "").strip() if found is not None else ""
