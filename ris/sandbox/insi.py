"""A strict simulator of INSi: searches and verifications, by certificate or by card.

It refuses what the service would refuse and answers for fictitious people. It does not check: the
issuer's name in the certificate, the rates of calls.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ris.core.soap import SOAP12
from ris.core.xml import Element, serialise
from ris.sandbox.dmp.signatures import Believes
from ris.sandbox.faults import Fault, Faults
from ris.sandbox.insi_checks import ACTIONS, RECSANS, RECVIT, Request, Rules, read
from ris.sandbox.insi_people import PEOPLE, Person, Wanted, by_card, by_traits
from ris.sandbox.insi_refusal import Refusal
from ris.sandbox.insi_verification import NAMESPACE, Verifications
from ris.sandbox.server import Cut

PATH: Final = "/lps"
IDAM: Final = "IDAM-SANDBOX"
BY_TRAITS: Final = "insi.search_by_traits"
BY_VITALE: Final = "insi.search_by_vitale"
VERIFY: Final = "insi.verify"
DEPOSIT: Final = "insi.deposit"
COLLECT: Final = "insi.collect"
_OPERATIONS: Final = dict(
    zip(ACTIONS, (BY_TRAITS, BY_VITALE, VERIFY, DEPOSIT, COLLECT), strict=True)
)
RESULTAT: Final = "http://www.cnamts.fr/INSiResultat"
SIRAM: Final = "urn:siram"
_UNDONE: Final = ("drop", "http", "soap")
_KIND: Final = "application/soap+xml; charset=utf-8"
_LABELS: Final = {
    "00": "OK",
    "01": "Aucune identite trouvee",
    "02": "Plusieurs identites trouvees",
}


@dataclass
class InsiSandbox:
    """The simulator's state: who is known, what is scripted, what was received.

    *scripted* is a queue of whole answers and of faults: each request that passes the checks
    takes the next. *requests* keeps every body received, *peers* the certificate (PEM, empty
    without one) that each came under.
    """

    faults: Faults
    people: list[Person]
    rules: Rules
    verifications: Verifications
    scripted: deque[bytes | Fault] = field(default_factory=deque)
    requests: list[bytes] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    async def answer(self, request: HttpRequest) -> Response:
        """Answer one POST."""
        data = await request.body()
        peer = _certificate(request)
        self.requests.append(data)
        self.peers.append(peer)
        try:
            asked = read(data, request.headers.get("content-type", ""), peer, self.rules)
            if asked.message_id in self._seen:
                raise Refusal("sandbox_duplicate", "MessageID deja recu.")
            self._seen.add(asked.message_id)
            step = self.scripted.popleft() if self.scripted else None
            operation = _OPERATIONS[str(asked.body.tag)]
            fault = step if isinstance(step, Fault) else self.faults.next(operation)
            undone = fault is not None and fault.kind in _UNDONE and not fault.after
            content = step if isinstance(step, bytes) else b"" if undone else self._content(asked)
        except Refusal as refusal:
            return _fault(refusal, "")
        if fault is not None and fault.kind == "delay":
            await fault.wait_async()
        broken = _broken(fault, content, asked.message_id) if fault else None
        return broken or Response(content, media_type=_KIND)

    def _content(self, asked: Request) -> bytes:
        if etree.QName(asked.body).namespace == NAMESPACE:
            return _enveloped(self.verifications.answer(asked.body))
        return _result(self._found(asked))

    def _found(self, asked: Request) -> list[Person]:
        body = asked.body
        if etree.QName(body).namespace == RECVIT:
            number = _text(body[0], RECVIT, "NumIdentifiant") + _text(body[0], RECVIT, "Cle")
            return by_card(self.people, number, _text(body, RECVIT, "DateNaissance"))
        given = tuple(element.text or "" for element in body.findall(f"{{{RECSANS}}}Prenom"))
        family, sex, born, place = (
            _text(body, RECSANS, name)
            for name in ("NomNaissance", "Sexe", "DateNaissance", "LieuNaissance")
        )
        return by_traits(self.people, Wanted(family, given, sex, born, place))


def build(
    faults: Faults,
    *,
    people: Iterable[Person] = PEOPLE,
    software: Iterable[str] = (IDAM,),
    believes: Believes | None = None,
    max_skew_s: float = 600,
) -> Starlette:
    """Return the ASGI app (`POST /lps`); its `InsiSandbox` is `app.state.insi`.

    *believes* admits calls by card. Faults strike the operations `insi.search_by_traits`,
    `insi.search_by_vitale`, `insi.verify`, `insi.deposit` and `insi.collect`.
    """
    known = list(people)
    rules = Rules(frozenset(software), believes, max_skew_s)
    sandbox = InsiSandbox(faults, known, rules, Verifications(known))
    app = Starlette(routes=[Route(PATH, sandbox.answer, methods=["POST"])])
    app.state.insi = sandbox
    return app


def result(code: str, person: Person | None = None) -> bytes:
    """Return a whole answer, for `scripted`."""
    make = ElementMaker(namespace=RESULTAT, nsmap={None: RESULTAT})
    parts = [make.CR(make.CodeCR(code), make.LibelleCR(_LABELS.get(code, "Code inconnu")))]
    if person is not None:
        former = [make.INSHISTO(*_ins(make, number, person.oid)) for number in person.former]
        if former and person.former_dates:
            begin, end = person.former_dates
            former[0][:0] = [make.DateDeb(begin), make.DateFin(end)]
        active = make.INSACTIF(*_ins(make, person.number, person.oid))
        parts.append(make.INDIVIDU(active, *former, _traits(make, person)))
    return _enveloped(make.RESULTAT(*parts))


def _certificate(request: HttpRequest) -> str:
    tls = request.scope.get("extensions", {}).get("tls") or {}
    chain = tls.get("client_cert_chain") or [""]
    return str(chain[0])


def _result(found: list[Person]) -> bytes:
    if len(found) == 1:
        return result("00", found[0])
    return result("02" if found else "01")


def _ins(make: ElementMaker, number: str, oid: str) -> tuple[Element, Element]:
    individual = make.IdIndividu(make.NumIdentifiant(number[:13]), make.Cle(number[13:]))
    return individual, make.OID(oid)


def _traits(make: ElementMaker, person: Person) -> Element:
    parts = [
        make.NomNaissance(person.family),
        make.ListePrenom(person.given),
        make.Sexe(person.sex),
        make.DateNaissance(person.born),
    ]
    if person.place:
        parts.append(make.LieuNaissance(person.place))
    return make.TIQ(*parts)


def _broken(fault: Fault, content: bytes, message_id: str) -> Response | None:
    if fault.kind == "drop":
        return Cut()
    if fault.kind == "close_mid_message":
        return Cut(content)
    if fault.kind == "drip":
        return StreamingResponse(_drip(content, fault.seconds), media_type=_KIND)
    if fault.kind == "http":
        return Response("service indisponible", fault.status, media_type="text/plain")
    if fault.kind == "soap":
        code = fault.code or "insi_102"
        refusal = Refusal(code, "Erreur technique.", subcode="siram_40")
        refusal.who = "Receiver" if code.startswith("insi_") else "Sender"
        return _fault(refusal, message_id)
    return None


async def _drip(content: bytes, seconds: float) -> AsyncIterator[bytes]:
    for byte in content:
        yield bytes([byte])
        await asyncio.sleep(seconds)


def _fault(refusal: Refusal, message_id: str) -> Response:
    make = ElementMaker(namespace=SOAP12, nsmap={"soap": SOAP12})
    error = ElementMaker(namespace=SIRAM, nsmap={"siram": SIRAM}).Erreur(
        refusal.text, code=refusal.code, severite="fatal", messageID=message_id
    )
    reason = make.Text(refusal.text)
    reason.set("{http://www.w3.org/XML/1998/namespace}lang", "fr")
    fault = make.Fault(
        make.Code(
            make.Value(f"soap:{refusal.who}"), make.Subcode(make.Value(f"soap:{refusal.subcode}"))
        ),
        make.Reason(reason),
        make.Detail(error),
    )
    return Response(_enveloped(fault), 500, media_type=_KIND)


def _enveloped(body: Element) -> bytes:
    make = ElementMaker(namespace=SOAP12, nsmap={"soap": SOAP12})
    return serialise(make.Envelope(make.Body(body)))


def _text(parent: Element, namespace: str, name: str) -> str:
    return parent.findtext(f"{{{namespace}}}{name}") or ""
