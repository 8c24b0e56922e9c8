"""Judging a VIHF: shape, instants, declared values, who signed and in whose name (dmp.md §5).

Raises `SoapRefusal` with the texts seen in the field where they are known.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from lxml import etree

from ris.core.xml import Element
from ris.sandbox.dmp.signatures import BadSignature, Believes, units, verify_assertion
from ris.sandbox.dmp.wire import SoapRefusal

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
_NS: Final = {"s": SAML}
_ORDER: Final = ["Issuer", "Signature", "Subject", "AuthnStatement", "AttributeStatement"]
_NAME_FORMAT: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_ROLE: Final = "urn:oasis:names:tc:xacml:2.0:subject:role"
_PURPOSE: Final = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
_PATIENT: Final = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
_USER: Final = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
_CONTEXTS: Final = {
    f"urn:oasis:names:tc:SAML:2.0:ac:classes:{name}"
    for name in ("SmartcardPKI", "Password", "TLSClient", "unspecified")
}
_PATTERNS: Final = {
    "Identifiant_Structure": r"[0-3]\w+|4\d{14}",
    "Secteur_Activite": r"SA\d\d\^1\.2\.250\.1\.71\.4\.2\.4",
    _PATIENT: r"\w{15}\^\^\^&1\.2\.250\.1\.213\.1\.4\.(8|9|10|11)&ISO\^NH",
    "Ressource_URN": r"urn:dmp",
    _USER: r"\S.*\s\S.*",
    "LPS_Nom": r".+",
    "LPS_Version": r".+",
    "LPS_ID_HOMOLOGATION_DMP": r".+",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What this DMP accepts. *links*: structure → users bound to it; None accepts any."""

    believes: Believes
    versions: frozenset[str] = frozenset({"3.0"})
    homologations: frozenset[str] | None = None
    links: Mapping[str, frozenset[str]] | None = None
    skew: timedelta = field(default=timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, once the VIHF is believed."""

    user: str
    structure: str
    mode: str
    patient: str
    authenticated_at: datetime


def judge(security: Element, tls: x509.Certificate, policy: Policy, at: datetime) -> Caller:
    """Return the caller that the VIHF in *security* proves; *tls* is the client's certificate."""
    assertions = security.findall("s:Assertion", _NS)
    if len(assertions) != 1:
        raise SoapRefusal("DMPInvalidVIHF", "Une assertion attendue")
    assertion = assertions[0]
    _check_shape(assertion)
    authenticated_at = _authenticated_at(assertion, policy, at)
    try:
        signer = verify_assertion(assertion, policy.believes)
    except BadSignature as error:
        code = "DMPInvalidCertificate" if error.certificate else "DMPInvalidVIHF"
        raise SoapRefusal(code, f"Signature du VIHF invalide : {error}") from error
    issuer = assertion.find("s:Issuer", _NS)
    if issuer is None or issuer.text != signer.subject.rfc4514_string():
        raise SoapRefusal("DMPInvalidVIHF", "Issuer différent du certificat")
    values = _values(assertion)
    _check_values(values, policy)
    _check_roles(assertion)
    structure = values["Identifiant_Structure"]
    if structure not in units(signer) or structure not in units(tls):
        raise SoapRefusal("DMPInvalidVIHF", "Structure différente de celle du certificat")
    user = assertion.findtext("s:Subject/s:NameID", "", _NS)
    if not re.fullmatch(r"8\d{11}", user):
        raise SoapRefusal("DMPInvalidVIHF", "NameID invalide")
    _check_link(user, structure, policy)
    return Caller(user, structure, _mode(values), values[_PATIENT], authenticated_at)


def _check_shape(assertion: Element) -> None:
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", assertion.get("ID", "")):
        raise SoapRefusal("DMPInvalidVIHF", "ID d'assertion invalide")
    if assertion.get("Version") != "2.0":
        raise SoapRefusal("DMPInvalidVIHF", "Version SAML")
    names = [etree.QName(child).localname for child in assertion]
    if "Conditions" in names:
        raise SoapRefusal("DMPInvalidVIHF", "AudienceRestriction non attendue")
    if names != _ORDER:
        raise SoapRefusal("DMPInvalidVIHF", "Ordre des éléments de l'assertion")
    issuer = assertion.find("s:Issuer", _NS)
    if issuer is None or issuer.get("Format") != _NAME_FORMAT:
        raise SoapRefusal("DMPInvalidVIHF", "Format de l'Issuer")
    reference = "s:AuthnStatement/s:AuthnContext/s:AuthnContextClassRef"
    if assertion.findtext(reference, "", _NS) not in _CONTEXTS:
        raise SoapRefusal("DMPInvalidVIHF", "AuthnContextClassRef")


def _authenticated_at(assertion: Element, policy: Policy, at: datetime) -> datetime:
    statement = assertion.find("s:AuthnStatement", _NS)
    issued = _instant(assertion.get("IssueInstant", ""))
    authenticated = _instant(statement.get("AuthnInstant", "") if statement is not None else "")
    if abs(issued - at) > policy.skew:
        raise SoapRefusal("DMPInvalidVIHF", "VIHF expiré ou émis dans le futur")
    if authenticated > issued:
        raise SoapRefusal("DMPInvalidVIHF", "AuthnInstant après IssueInstant")
    return authenticated


def _instant(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise SoapRefusal("DMPInvalidVIHF", "Instant invalide") from error


def _values(assertion: Element) -> dict[str, str]:
    values: dict[str, str] = {}
    for attribute in assertion.iterfind("s:AttributeStatement/s:Attribute", _NS):
        name = attribute.get("Name", "")
        if name in values:
            raise SoapRefusal("DMPInvalidVIHF", f"Attribut en double : {name}")
        values[name] = attribute.findtext("s:AttributeValue", "", _NS) or ""
    return values


def _mode(values: Mapping[str, str]) -> str:
    return values.get("Authentification_Mode") or values.get("Authentification_mode", "")


def _check_values(values: Mapping[str, str], policy: Policy) -> None:
    for name, pattern in _PATTERNS.items():
        if not re.fullmatch(pattern, values.get(name, "")):
            raise SoapRefusal("DMPInvalidVIHF", f"Attribut absent ou invalide : {name}")
    if values.get("VIHF_Version") not in policy.versions:
        raise SoapRefusal("DMPInvalidVIHF", "VIHF_Version non supportée")
    if _mode(values) not in ("INDIRECTE", "INDIRECTE_RENFORCEE"):
        raise SoapRefusal("DMPInvalidVIHF", "Authentification_Mode incompatible avec le certificat")
    known = policy.homologations
    if known is not None and values["LPS_ID_HOMOLOGATION_DMP"] not in known:
        raise SoapRefusal("DMPInvalidVIHF", "Logiciel non homologué")


def _check_roles(assertion: Element) -> None:
    roles = _coded(assertion, _ROLE, "Role")
    systems = [each.get("codeSystem") for each in roles]
    if not systems or systems[0] != "1.2.250.1.71.1.2.7" or len(systems) > 2:
        raise SoapRefusal("DMPInvalidVIHF", "Profession absente du VIHF")
    if roles[0].get("code") in ("10", "21") and systems[1:] != ["1.2.250.1.71.4.2.5"]:
        raise SoapRefusal("DMPInvalidVIHF", "Aucune spécialité dans le vihf")
    purpose = _coded(assertion, _PURPOSE, "PurposeOfUse")
    codes = [(each.get("code"), each.get("codeSystem")) for each in purpose]
    if codes != [("normal", "1.2.250.1.213.1.1.4.248")]:
        raise SoapRefusal("DMPInvalidVIHF", "Mode d'accès")


def _coded(assertion: Element, name: str, tag: str) -> list[Element]:
    path = (
        f"s:AttributeStatement/s:Attribute[@Name='{name}']/s:AttributeValue/{{urn:hl7-org:v3}}{tag}"
    )
    found = assertion.findall(path, _NS)
    if any(each.get(_XSI_TYPE, "").rpartition(":")[2] != "CE" for each in found):
        raise SoapRefusal("DMPInvalidVIHF", f"{tag} doit être de type CE")
    return found


def _check_link(user: str, structure: str, policy: Policy) -> None:
    if policy.links is None:
        return
    if structure not in policy.links:
        raise SoapRefusal("DMPInvalidVIHF", "Structure introuvable ou Inactive")
    if user not in policy.links[structure]:
        raise SoapRefusal("DMPInvalidVIHF", "PS et Structure non liés")
