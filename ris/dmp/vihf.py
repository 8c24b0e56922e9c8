"""The VIHF: the signed SAML 2.0 assertion that every DMP request carries (dmp.md §5).

Pure: values, an instant and a key in, an element out. It decides nobody's identity: the caller
brings the radiologist who signed the report, his acting structure and his sign-in.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from lxml import etree
from lxml.builder import ElementMaker

from ris.auth.values import Authentication, Professional, Structure
from ris.core.crypto import PrivateKey
from ris.core.xml import Element, canonical, parse, serialise
from ris.core.xmldsig import RSA_SHA256, enveloped, enveloped_info
from ris.dmp.errors import ConfigMissing
from ris.dmp.settings import DmpSettings
from ris.rem import satisfies
from ris.reports.xds import hl7_text

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_HL7: Final = "urn:hl7-org:v3"
_NAME_FORMAT: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_PROFESSIONS: Final = {"10": "Médecin", "21": "Pharmacien"}
_SPECIALTIES: Final = {
    "SM28": "Médecine nucléaire (SM)",
    "SM44": "Radio-diagnostic (SM)",
    "SM45": "Radio-thérapie (SM)",
    "SM74": "Radiologie et imagerie médicale (SM)",
}
_saml: Final = ElementMaker(namespace=SAML, nsmap={"saml2": SAML, "xsi": _XSI})


@dataclass(frozen=True, slots=True)
class Sender:
    """In whose name a request leaves: the radiologist, his acting structure, the patient's CX.

    *authentication* is his sign-in behind the act that is sent, however long ago.
    """

    user: Professional
    structure: Structure
    patient: str
    authentication: Authentication


@satisfies("RIS.AUTH.01")
def sender_of(author: Professional, patient: str, authentication: Authentication) -> Sender:
    """Return the sender of a report signed by *author*: his own structure, nobody else's.

    Raises `ConfigMissing` when the author has no RPPS-style identifier or no acting structure, or
    when a physician or pharmacist has no savoir-faire (the DMP asks for a second role).
    """
    if author.structure is None:
        raise ConfigMissing("Le radiologue signataire n'a pas de structure d'exercice.")
    if not author.ps_idnat:
        raise ConfigMissing("Le radiologue signataire n'a pas d'identifiant national.")
    if author.profession in _PROFESSIONS and not author.specialty:
        raise ConfigMissing("Le radiologue signataire n'a pas de savoir-faire.")
    return Sender(author, author.structure, patient, authentication)


def assertion(
    sender: Sender,
    settings: DmpSettings,
    certificate: x509.Certificate,
    *,
    issued_at: datetime,
    assertion_id: str,
) -> Element:
    """Return the unsigned assertion of *sender*; *assertion_id* is an NCName (`_…`).

    `AuthnInstant` is the sign-in of the sender, never after the issue: the clock of Pro Santé
    Connect may be ahead of ours. Raises `ConfigMissing` without a homologation number.
    """
    if not settings.homologation:
        raise ConfigMissing("Numéro d'homologation DMP non renseigné.")
    authentication = sender.authentication
    declared = settings.authn_contexts.get(authentication.method, settings.authn_context)
    attributes = [_attribute(name, value) for name, value in _texts(sender, settings) if value]
    context = _saml.AuthnContext(_saml.AuthnContextClassRef(declared))
    return _saml.Assertion(
        _saml.Issuer(certificate.subject.rfc4514_string(), Format=_NAME_FORMAT),
        _saml.Subject(_saml.NameID(sender.user.ps_idnat)),
        _saml.AuthnStatement(context, AuthnInstant=_utc(min(authentication.at, issued_at))),
        _saml.AttributeStatement(*attributes, _purpose(), _roles(sender.user)),
        ID=assertion_id,
        IssueInstant=_utc(issued_at),
        Version="2.0",
    )


def signed(unsigned: Element, certificate: x509.Certificate, key: PrivateKey) -> Element:
    """Return *unsigned* with its enveloped signature after `Issuer` (RSA-SHA256, exc-C14N).

    The result must be inserted and serialised as it is: nothing inside may be re-indented.
    """
    info = canonical(enveloped_info(parse(serialise(unsigned))))
    return enveloped(unsigned, certificate, RSA_SHA256.sign(info, key))


def security_header(signed_assertion: Element) -> Element:
    """Return the `wsse:Security` header around a signed assertion."""
    wsse = ElementMaker(namespace=WSSE, nsmap={"wsse": WSSE})
    return wsse.Security(signed_assertion)


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _texts(sender: Sender, settings: DmpSettings) -> tuple[tuple[str, str], ...]:
    user, structure = sender.user, sender.structure
    return (
        ("VIHF_Version", settings.vihf_version),
        (settings.mode_attribute, settings.feed),
        ("Identifiant_Structure", structure.struct_idnat),
        ("Secteur_Activite", f"{structure.sector}^1.2.250.1.71.4.2.4"),
        ("urn:oasis:names:tc:xacml:2.0:resource:resource-id", sender.patient),
        ("Ressource_URN", "urn:dmp"),
        (
            "urn:oasis:names:tc:xspa:1.0:subject:subject-id",
            f"{hl7_text(user.given)} {hl7_text(user.family)}",
        ),
        ("LPS_ID", settings.installation_id),
        ("LPS_Nom", settings.software_name),
        ("LPS_Version", settings.software_version),
        ("LPS_ID_HOMOLOGATION_DMP", settings.homologation),
    )


def _attribute(name: str, *values: Element | str) -> Element:
    return _saml.Attribute(*(_saml.AttributeValue(value) for value in values), Name=name)


def _coded(tag: str, **attributes: str) -> Element:
    # `xsi:type="CE"` under a default namespace: a prefix used only in a value would be lost by
    # exclusive canonicalisation (dmp.md §5.3).
    element = etree.Element(f"{{{_HL7}}}{tag}", nsmap={None: _HL7, "xsi": _XSI})
    element.attrib.update({**attributes, _XSI_TYPE: "CE"})
    return element


def _purpose() -> Element:
    return _attribute(
        "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse",
        _coded(
            "PurposeOfUse",
            code="normal",
            codeSystem="1.2.250.1.213.1.1.4.248",
            codeSystemName="mode acces VIHF 2.0",
            displayName="Accès normal",
        ),
    )


def _roles(user: Professional) -> Element:
    roles = [
        _coded(
            "Role",
            code=user.profession,
            codeSystem="1.2.250.1.71.1.2.7",
            codeSystemName="G15",
            displayName=_PROFESSIONS.get(user.profession, user.profession),
        )
    ]
    if user.specialty:
        roles.append(
            _coded(
                "Role",
                code=user.specialty,
                codeSystem="1.2.250.1.71.4.2.5",
                codeSystemName="R01",
                displayName=_SPECIALTIES.get(user.specialty, user.specialty),
            )
        )
    return _attribute("urn:oasis:names:tc:xacml:2.0:subject:role", *roles)
