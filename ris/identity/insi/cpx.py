"""Calls of INSi by card (CPx): the assertion that the card signs, and whether a card may (§5.2).

The card never leaves the workstation: we build the assertion, the workstation's connector has the
card sign its `SignedInfo`, we verify the signature and put the two together. Which cards are to be
believed is the sign-in's rule (`ris.auth.card.trust`). Otherwise pure.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from lxml.builder import ElementMaker

from ris.auth.errors import CardRefused
from ris.core.xml import Element, canonical, parse, serialise
from ris.core.xmldsig import enveloped, enveloped_info
from ris.identity.insi.errors import InsiCardRefused

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
ALGORITHM: Final = "RSASSA-PKCS1-v1_5-SHA256"
_SUBJECT_NAME: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_SMARTCARD: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI"
_saml: Final = ElementMaker(namespace=SAML, nsmap={None: SAML})
Trusted = Callable[[x509.Certificate], None]


@dataclass(frozen=True, slots=True)
class Card:
    """What the workstation read on a card: certificate, billing number, sector (`SA07`)."""

    certificate: x509.Certificate
    billing_id: str
    sector: str

    @property
    def holder(self) -> str:
        """The PS_IdNat of its holder: the common name, empty when there is none."""
        names = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if len(names) == 1 else ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One assertion to sign: its id, when it was made, how long it lasts (seconds)."""

    id: UUID
    at: datetime
    life_s: int

    @property
    def until(self) -> datetime:
        """The instant from which it serves no more."""
        return self.at + timedelta(seconds=self.life_s)


def read_certificate(text: str) -> x509.Certificate:
    """Return a certificate given as PEM or as base64 DER; raises `InsiCardRefused`."""
    try:
        if "-----BEGIN" in text:
            return x509.load_pem_x509_certificate(text.encode())
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise InsiCardRefused("Certificat de la carte illisible.") from error


def check_card(card: Card, holder: str, trusted: Trusted) -> None:
    """Raise `InsiCardRefused` unless *card* is *trusted* and belongs to *holder*.

    *holder* is the PS_IdNat of the person signed in: nobody calls with another's card. What
    *trusted* raises when it cannot tell goes through.
    """
    if not holder or card.holder != holder:
        raise InsiCardRefused("Cette carte n'est pas celle de la personne connectée.")
    if not isinstance(card.certificate.public_key(), RSAPublicKey):
        raise InsiCardRefused("Clé de la carte inattendue.")
    try:
        trusted(card.certificate)
    except CardRefused as error:
        raise InsiCardRefused(error.detail, reason=error.reason) from error


def to_sign(card: Card, statement: Statement) -> bytes:
    """Return the bytes that the card must sign (`ALGORITHM`): the canonical `SignedInfo`."""
    return canonical(enveloped_info(parse(serialise(_assertion(card, statement)))))


def signed(card: Card, statement: Statement, signature: str, now: datetime) -> bytes:
    """Return the assertion that the card signed, as XML; *signature* is base64.

    Raises `InsiCardRefused` when it is too old, or signed by another key, or was not this one.
    """
    if not statement.at - timedelta(minutes=1) <= now < statement.until:
        raise InsiCardRefused("Signature de la carte trop ancienne : recommencez.")
    key = card.certificate.public_key()
    try:
        value = base64.b64decode(signature, validate=True)
        if not isinstance(key, RSAPublicKey):
            raise InsiCardRefused("Clé de la carte inattendue.")
        key.verify(value, to_sign(card, statement), PKCS1v15(), SHA256())
    except (binascii.Error, InvalidSignature) as error:
        raise InsiCardRefused("Signature de la carte fausse.") from error
    text = base64.b64encode(value).decode()
    return serialise(enveloped(_assertion(card, statement), card.certificate, text))


def _assertion(card: Card, statement: Statement) -> Element:
    begin, end = (_instant(at) for at in (statement.at, statement.until))
    context = _saml.AuthnContext(_saml.AuthnContextClassRef(_SMARTCARD))
    return _saml.Assertion(
        _saml.Issuer(card.certificate.subject.rfc4514_string(), Format=_SUBJECT_NAME),
        _saml.Subject(_saml.NameID(card.holder, NameQualifier="CPS")),
        _saml.Conditions(NotBefore=begin, NotOnOrAfter=end),
        _saml.AuthnStatement(context, AuthnInstant=begin),
        _saml.AttributeStatement(
            _attribute("identifiantFacturation", card.billing_id),
            _attribute("secteurActivite", card.sector),
        ),
        ID=f"_{statement.id}",
        IssueInstant=begin,
        Version="2.0",
    )


def _attribute(name: str, value: str) -> Element:
    return _saml.Attribute(_saml.AttributeValue(value), Name=name)


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
