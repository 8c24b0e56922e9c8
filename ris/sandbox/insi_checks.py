"""What the INSi simulator demands of a request, from the service's WSDL and XSD (ins.md §5).

Written from the wire contract, stricter than the published types where the bench is: names,
dates, contexts. Each refusal is a `Refusal` with the SOAP codes the caller sees. The real codes
of format errors are not public: those start with `sandbox_`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography import x509
from cryptography.x509.oid import NameOID
from lxml import etree

from ris.core import clock
from ris.core.soap import SOAP12, WSA
from ris.core.xml import Element, UnsafeXml, parse
from ris.sandbox import insi_cards, insi_verification
from ris.sandbox.dmp.signatures import Believes
from ris.sandbox.insi_refusal import Refusal

RECSANS: Final = "http://www.cnamts.fr/INSiRecSans"
RECVIT: Final = "http://www.cnamts.fr/INSiRecVit"
BAM: Final = "urn:siram:bam:ctxbam"
LPS: Final = "urn:siram:lps:ctxlps"
ACTIONS: Final = {
    f"{{{RECSANS}}}RECSANSVITALE": (
        "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
    ),
    f"{{{RECVIT}}}RECVITALE": "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecCarteVitale",
    **insi_verification.ACTIONS,
}
CALLERS: Final = ("INSI-MANU", "INSI-AUTO")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_NAME: Final = re.compile(r"[A-Z]+(?:(?:-{1,2}|[' ])[A-Z]+)*")
_SEX: Final = re.compile(r"[MF]")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_COG: Final = re.compile(r"\d[0-9AB]\d{3}")
_NUMBER: Final = re.compile(r"\d{6}[AB0-9]\d{6}")
_KEY: Final = re.compile(r"\d{2}")
_RANK: Final = re.compile(r"\d")
_NOM: Final = re.compile(r"urn:lps:[^:\s]+:[^:\s]+")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed every check."""

    body: Element
    message_id: str
    sender: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What an installation of the service admits.

    *software*: the known IDAM numbers; *believes* judges the certificates of cards (None: no call
    by card); *max_skew_s*: how far a caller's clock may be.
    """

    software: frozenset[str]
    believes: Believes | None = None
    max_skew_s: float = 600


def read(data: bytes, content_type: str, certificate: str, rules: Rules) -> Request:
    """Return the request in *data*, or raise `Refusal`. *certificate* is the caller's (PEM)."""
    try:
        root = parse(data)
    except UnsafeXml as error:
        _caller(certificate)
        raise Refusal("sandbox_xml", "Message illisible.") from error
    by_card = not certificate and rules.believes is not None
    if certificate and insi_cards.is_signed(root):
        raise Refusal("sandbox_header", "Security ne se joint pas a un certificat.")
    unit = "" if by_card else _caller(certificate)
    if root.tag != f"{{{SOAP12}}}Envelope" or [child.tag for child in root] != [
        f"{{{SOAP12}}}Header", f"{{{SOAP12}}}Body",
    ]:  # fmt: skip
        raise Refusal("sandbox_envelope", "Enveloppe SOAP 1.2 attendue.")
    header, body = root
    if by_card and rules.believes is not None:
        unit = insi_cards.holder(header, rules.believes)
    if len(body) != 1 or body[0].tag not in ACTIONS:
        raise Refusal("sandbox_body", "Operation inconnue.")
    action = _only(header, WSA, "Action")
    declared = f'action="{action.text}"' in content_type.replace("'", '"')
    if action.text != ACTIONS[body[0].tag] or not declared:
        raise Refusal("sandbox_action", "Action et corps ne correspondent pas.")
    if not content_type.startswith("application/soap+xml"):
        raise Refusal("sandbox_content_type", "Type de contenu SOAP 1.2 attendu.")
    message_id = _uuid(_only(header, WSA, "MessageID"), prefix="uuid:")
    _context_bam(_only(header, BAM, "ContexteBAM"), unit, rules)
    _context_lps(_only(header, LPS, "ContexteLPS"), unit, rules)
    if body[0].tag not in insi_verification.ACTIONS:
        _body(body[0])
    return Request(body[0], message_id, unit)


def _caller(certificate: str) -> str:
    """Return the OU of the caller's certificate, whose CN must be one of the two allowed."""
    if not certificate:
        raise Refusal("desir_560", "Certificat absent.")
    subject = x509.load_pem_x509_certificate(certificate.encode()).subject
    names = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names[:1] not in [[caller] for caller in CALLERS]:
        raise Refusal("desir_560", "Niveau d'acces insuffisant.")
    units = subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return str(units[0].value) if units else ""


def _context_bam(context: Element, unit: str, rules: Rules) -> None:
    if context.get("Version") != "01_02":
        raise Refusal("sandbox_bam", "Version du contexte BAM.")
    identifier, instant, sender, cover = _children(
        context, BAM, "Id", "Temps", "Emetteur", "COUVERTURE"
    )
    _common(identifier, instant, sender, unit, rules)
    if len(cover) or (cover.text or "").strip():
        raise Refusal("sandbox_bam", "COUVERTURE doit etre vide.")


def _context_lps(context: Element, unit: str, rules: Rules) -> None:
    if (context.get("Nature"), context.get("Version")) != ("CTXLPS", "01_00"):
        raise Refusal("sandbox_lps", "Nature ou version du contexte LPS.")
    identifier, instant, sender, lps = _children(context, LPS, "Id", "Temps", "Emetteur", "LPS")
    _common(identifier, instant, sender, unit, rules)
    idam, version, instance, name = _children(lps, LPS, "IDAM", "Version", "Instance", "Nom")
    if idam.get("R") != "4" or (idam.text or "") not in rules.software:
        raise Refusal("desir_550", "Numero d'autorisation du logiciel inconnu.")
    _uuid(instance)
    if not (version.text or "").strip() or not _NOM.fullmatch(name.text or ""):
        raise Refusal("sandbox_lps", "Nom ou version du logiciel.")


def _common(
    identifier: Element, instant: Element, sender: Element, unit: str, rules: Rules
) -> None:
    _uuid(identifier)
    if not _INSTANT.fullmatch(instant.text or ""):
        raise Refusal("sandbox_context", "Temps doit etre un xs:dateTime avec fuseau.")
    skew = clock.now() - datetime.fromisoformat(instant.text or "")
    if abs(skew.total_seconds()) > rules.max_skew_s:
        raise Refusal("sandbox_clock", "Horloge de l'appelant.")
    if sender.text != unit:
        raise Refusal("sandbox_context", "Emetteur n'est ni l'OU du certificat ni le porteur.")


def _body(body: Element) -> None:
    names = [etree.QName(child).localname for child in body]
    if body.tag == f"{{{RECSANS}}}RECSANSVITALE":
        given = max(1, names.count("Prenom"))
        _ordered(
            names,
            ["NomNaissance", *["Prenom"] * given, "Sexe", "DateNaissance"],
            optional="LieuNaissance",
        )
        forms = {
            "NomNaissance": _NAME, "Prenom": _NAME, "Sexe": _SEX, "DateNaissance": _DATE,
            "LieuNaissance": _COG,
        }  # fmt: skip
    else:
        _ordered(names, ["MatriculeIndividu", "MatriculeOD", "NomNaissance", "DateNaissance"],
                 optional="RangNaissance")  # fmt: skip
        for number in body[:2]:
            digits, key = _children(number, RECVIT, "NumIdentifiant", "Cle")
            _formed(digits, _NUMBER)
            _formed(key, _KEY)
        forms = {"NomNaissance": _NAME, "DateNaissance": _DATE, "RangNaissance": _RANK}
    for child in body:
        if etree.QName(child).namespace != etree.QName(body).namespace:
            raise Refusal("sandbox_body", "Espace de noms inattendu.")
        if form := forms.get(etree.QName(child).localname):
            _formed(child, form)


def _ordered(names: list[str], wanted: list[str], *, optional: str) -> None:
    if names not in (wanted, [*wanted, optional]):
        raise Refusal("sandbox_body", "Elements absents, inconnus ou dans le desordre.")


def _formed(element: Element, form: re.Pattern[str]) -> None:
    if not form.fullmatch(element.text or ""):
        raise Refusal("sandbox_value", f"{etree.QName(element).localname} mal forme.")


def _only(parent: Element, namespace: str, name: str) -> Element:
    found = parent.findall(f"{{{namespace}}}{name}")
    if len(found) != 1:
        raise Refusal("sandbox_header", f"En-tete {name} attendu une fois.")
    return found[0]


def _children(parent: Element, namespace: str, *names: str) -> list[Element]:
    if [child.tag for child in parent] != [f"{{{namespace}}}{name}" for name in names]:
        raise Refusal("sandbox_context", f"Contenu de {etree.QName(parent).localname} inattendu.")
    return list(parent)


def _uuid(element: Element, *, prefix: str = "") -> str:
    value = element.text or ""
    try:
        if not value.startswith(prefix):
            raise ValueError
        UUID(value.removeprefix(prefix))
    except ValueError as error:
        name = etree.QName(element).localname
        raise Refusal("sandbox_context", f"{name} n'est pas un UUID.") from error
    return value
