"""Checking XML signatures, independently of whoever made them: certificate, value, references.

Two shapes are known: the enveloped VIHF signature and the XAdES lot signature. Nothing here knows
the product's signer.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from copy import deepcopy
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from ris.core.errors import RisError
from ris.core.xml import Element, canonical, parse

NS: Final = {
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xades": "http://uri.etsi.org/01903/v1.1.1#",
}
_DS: Final = NS["ds"]
_C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
_EXC: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_HASHES: Final[dict[str, tuple[str, HashAlgorithm]]] = {
    f"{_DS}rsa-sha1": ("sha1", SHA1()),  # noqa: S303 - imposed by the guide
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": ("sha256", SHA256()),
}
_DIGESTS: Final = {f"{_DS}sha1": "sha1", "http://www.w3.org/2001/04/xmlenc#sha256": "sha256"}
_PURPOSE: Final = "1.2.840.10065.1.12.1.14"

Believes = Callable[[x509.Certificate], bool]


class BadSignature(Exception):
    """The signature does not hold; the message says why. *certificate*: the key itself is wrong."""

    def __init__(self, why: str, *, certificate: bool = False) -> None:
        super().__init__(why)
        self.certificate = certificate


def units(certificate: x509.Certificate) -> list[str]:
    """Return the `OU`s of a certificate: the structure it belongs to."""
    found = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return [str(each.value) for each in found]


def verify_assertion(assertion: Element, believes: Believes) -> x509.Certificate:
    """Return the signer of an enveloped assertion. Raises `BadSignature`."""
    found = assertion.findall("ds:Signature", NS)
    if len(found) != 1:
        raise BadSignature("une signature attendue")
    signature = found[0]
    certificate = _signer(signature, believes)
    info = _one(signature, "ds:SignedInfo")
    if _one(info, "ds:CanonicalizationMethod").get("Algorithm") != _EXC:
        raise BadSignature("canonicalisation du VIHF")
    references = info.findall("ds:Reference", NS)
    if len(references) != 1 or references[0].get("URI") != f"#{assertion.get('ID')}":
        raise BadSignature("la signature ne couvre pas l'assertion")
    transforms = [each.get("Algorithm") for each in references[0].iterfind(".//ds:Transform", NS)]
    if transforms != [f"{_DS}enveloped-signature", _EXC]:
        raise BadSignature("transformations du VIHF")
    bare = deepcopy(assertion)
    bare.remove(_one(bare, "ds:Signature"))
    bare.tail = None
    _same_digest(references[0], canonical(bare))
    _verify_value(signature, certificate, canonical(info))
    return certificate


def verify_lot(
    document: bytes, set_unique_id: str, parts: dict[str, bytes], believes: Believes
) -> x509.Certificate:
    """Return the signer of a lot: set uniqueId and each of *parts* (uniqueId → bytes).

    Raises `BadSignature`.
    """
    try:
        signature = parse(document)
    except RisError as error:
        raise BadSignature("document de signature illisible") from error
    if signature.tag != f"{{{_DS}}}Signature" or not signature.get("Id"):
        raise BadSignature("document de signature inattendu")
    certificate = _signer(signature, believes)
    info = _one(signature, "ds:SignedInfo")
    if _one(info, "ds:CanonicalizationMethod").get("Algorithm") != _C14N:
        raise BadSignature("canonicalisation du lot")
    manifest = _one(signature, "ds:Object/ds:Manifest")
    properties = _one(signature, "ds:Object/xades:QualifyingProperties/xades:SignedProperties")
    signed = {each.get("Type"): each for each in info.findall("ds:Reference", NS)}
    for kind, target in (
        (f"{_DS}Manifest", manifest),
        (f"{NS['xades']}SignedProperties", properties),
    ):
        reference = signed.get(kind)
        if reference is None or reference.get("URI") != f"#{target.get('Id')}":
            raise BadSignature("référence signée absente")
        _same_digest(reference, _inclusive(target))
    _verify_value(signature, certificate, _inclusive(info))
    _check_properties(signature, properties, certificate)
    _check_manifest(manifest, set_unique_id, parts)
    return certificate


def _check_manifest(manifest: Element, set_unique_id: str, parts: dict[str, bytes]) -> None:
    listed = {each.get("URI", ""): each for each in manifest.findall("ds:Reference", NS)}
    lot = listed.pop(f"urn:oid:{set_unique_id}", None)
    if lot is None or _text(lot, "ds:DigestValue") != "AA==":
        raise BadSignature("le lot n'est pas signé")
    if set(listed) != {f"urn:oid:{unique_id}" for unique_id in parts}:
        raise BadSignature("la signature ne couvre pas tous les documents")
    for unique_id, content in parts.items():
        reference = listed[f"urn:oid:{unique_id}"]
        transforms = [each.get("Algorithm") for each in reference.iterfind(".//ds:Transform", NS)]
        if transforms not in ([], [_C14N]):
            raise BadSignature("transformation de document")
        whole = _inclusive(parse(content, document=True).getroottree()) if transforms else content
        _same_digest(reference, whole)


def _check_properties(
    signature: Element, properties: Element, certificate: x509.Certificate
) -> None:
    purpose = _one(signature, "ds:Object/ds:SignatureProperties/ds:SignatureProperty")
    if (purpose.text or "").strip() != _PURPOSE:
        raise BadSignature("objet de la signature")
    if purpose.get("Target") != f"#{signature.get('Id')}":
        raise BadSignature("cible de l'objet de la signature")
    signing = "xades:SignedSignatureProperties/xades:SigningCertificate/xades:Cert"
    cert = _one(properties, signing)
    uri = _one(cert, "xades:CertDigest/xades:DigestMethod").get("Algorithm", "")
    digest = hashlib.new(_DIGESTS.get(uri, "sha256"), certificate.public_bytes(Encoding.DER))
    if _text(cert, "xades:CertDigest/xades:DigestValue") != _b64(digest.digest()):
        raise BadSignature("certificat signataire")
    if _text(cert, "xades:IssuerSerial/ds:X509SerialNumber") != str(certificate.serial_number):
        raise BadSignature("numéro de série du certificat signataire")
    _one(properties, "xades:SignedSignatureProperties/xades:SigningTime")
    _one(properties, "xades:SignedSignatureProperties/xades:SignaturePolicyIdentifier/"
                     "xades:SignaturePolicyImplied")  # fmt: skip


def _signer(signature: Element, believes: Believes) -> x509.Certificate:
    text = _text(signature, "ds:KeyInfo/ds:X509Data/ds:X509Certificate")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(text))
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, binascii.Error, x509.ExtensionNotFound) as error:
        raise BadSignature("certificat illisible", certificate=True) from error
    if not usage.content_commitment:
        raise BadSignature("certificat d'authentification", certificate=True)
    if not believes(certificate):
        raise BadSignature("certificat non reconnu, expiré ou révoqué", certificate=True)
    return certificate


def _verify_value(signature: Element, certificate: x509.Certificate, info: bytes) -> None:
    algorithm = _one(signature, "ds:SignedInfo/ds:SignatureMethod").get("Algorithm", "")
    key = certificate.public_key()
    if algorithm not in _HASHES or not isinstance(key, RSAPublicKey):
        raise BadSignature("algorithme de signature")
    try:
        value = base64.b64decode(_text(signature, "ds:SignatureValue"))
        key.verify(value, info, PKCS1v15(), _HASHES[algorithm][1])
    except (InvalidSignature, binascii.Error) as error:
        raise BadSignature("valeur de la signature") from error


def _same_digest(reference: Element, content: bytes) -> None:
    uri = _one(reference, "ds:DigestMethod").get("Algorithm", "")
    if uri not in _DIGESTS:
        raise BadSignature("algorithme d'empreinte")
    digest = hashlib.new(_DIGESTS[uri], content, usedforsecurity=False).digest()
    if _text(reference, "ds:DigestValue") != _b64(digest):
        raise BadSignature("empreinte")


def _inclusive(node: Element | etree._ElementTree) -> bytes:
    return etree.tostring(node, method="c14n", exclusive=False, with_comments=True)


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _one(root: Element, path: str) -> Element:
    found = root.findall(path, NS)
    if len(found) != 1:
        raise BadSignature(f"{path} : un élément attendu")
    return found[0]


def _text(root: Element, path: str) -> str:
    return "".join((_one(root, path).text or "").split())
