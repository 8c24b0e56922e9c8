"""Calls by card in the INSi simulator: the signed assertion, its holder, its life (ins.md §5.2)."""

from datetime import datetime, timedelta
from typing import Final

from cryptography.x509.oid import NameOID
from lxml import etree

from ris.core import clock
from ris.core.soap import SOAP12
from ris.core.xml import Element
from ris.sandbox.dmp.signatures import BadSignature, Believes, verify_assertion
from ris.sandbox.insi_refusal import Refusal

WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
_SUBJECT: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_ORDER: Final = ["Issuer", "Signature", "Subject", "Conditions", "AuthnStatement",
                 "AttributeStatement"]  # fmt: skip
_SKEW: Final = timedelta(minutes=5)


def holder(header: Element, believes: Believes) -> str:
    """Return who signed the assertion of *header* (its NameID); raises `Refusal`."""
    security = header.findall(f"{{{WSSE}}}Security")
    if len(security) != 1 or len(security[0]) != 1:
        raise Refusal("desir_560", "Assertion attendue.")
    assertion = security[0][0]
    if assertion.tag != f"{{{_SAML}}}Assertion" or assertion.get("Version") != "2.0":
        raise Refusal("sandbox_assertion", "Assertion SAML 2.0 attendue.")
    if [etree.QName(child).localname for child in assertion] != _ORDER:
        raise Refusal("sandbox_assertion", "Contenu de l'assertion.")
    try:
        certificate = verify_assertion(assertion, believes)
    except BadSignature as error:
        raise Refusal("desir_560", f"Signature de l'assertion : {error}.") from error
    issuer, named = assertion[0], assertion.find(f"{{{_SAML}}}Subject/{{{_SAML}}}NameID")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if named is None or named.get("NameQualifier") != "CPS":
        raise Refusal("sandbox_assertion", "NameID d'une carte attendu.")
    if [name.value for name in names] != [named.text]:
        raise Refusal("desir_560", "Le NameID n'est pas le porteur de la carte.")
    if issuer.get("Format") != _SUBJECT or issuer.text != certificate.subject.rfc4514_string():
        raise Refusal("sandbox_assertion", "Emetteur de l'assertion.")
    _in_time(assertion[3])
    _attributes(assertion[5])
    return named.text or ""


def is_signed(root: Element) -> bool:
    """Say whether a request claims to come from a card."""
    return root.find(f"{{{SOAP12}}}Header/{{{WSSE}}}Security") is not None


def _in_time(conditions: Element) -> None:
    begin, end = (conditions.get(name, "") for name in ("NotBefore", "NotOnOrAfter"))
    try:
        valid = datetime.fromisoformat(begin) - _SKEW <= clock.now() < datetime.fromisoformat(end)
    except (ValueError, TypeError) as error:
        raise Refusal("sandbox_assertion", "Dates de l'assertion.") from error
    if not valid:
        raise Refusal("desir_560", "Assertion expiree.")


def _attributes(statement: Element) -> None:
    told = {one.get("Name"): "".join(one.itertext()).strip() for one in statement}
    if set(told) != {"identifiantFacturation", "secteurActivite"} or not all(told.values()):
        raise Refusal("sandbox_assertion", "Attributs de l'assertion.")
