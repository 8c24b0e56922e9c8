"""The signature of the submission set: a XAdES 1.1.1 document, IHE DSG shape (dmp.md §6.5).

Pure: the same lot, instant and key always give the same bytes. `signxml` cannot make it (ruling
38). No metadata of the signature document, no transport.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml.builder import ElementMaker

from ris.core.crypto import PrivateKey
from ris.core.xml import Element, parse, serialise
from ris.core.xmldsig import C14N_COMMENTS, DS, RSA_SHA1, RSA_SHA256, Suite, der_base64, inclusive

XADES: Final = "http://uri.etsi.org/01903/v1.1.1#"
PURPOSE: Final = "1.2.840.10065.1.12.1.14"
SUITES: Final = {"sha1": RSA_SHA1, "sha256": RSA_SHA256}
_SET_PLACEHOLDER: Final = "AA=="  # one zero byte: a set has no bytes of its own
_NS: Final = {"ds": DS, "x": XADES}

# Default namespaces only: the inclusive form of a subtree then needs no ancestor's declaration.
_ds: Final = ElementMaker(namespace=DS, nsmap={None: DS})
_xades: Final = ElementMaker(namespace=XADES, nsmap={None: XADES})


@dataclass(frozen=True, slots=True)
class SignedPart:
    """One document of the lot: its uniqueId and its exact bytes (XML or not)."""

    unique_id: str
    content: bytes
    is_xml: bool = True


def sign_lot(
    set_unique_id: str,
    parts: Sequence[SignedPart],
    *,
    signed_at: datetime,
    certificate: x509.Certificate,
    key: PrivateKey,
    suite: Literal["sha1", "sha256"] = "sha1",
) -> bytes:
    """Return the bytes of the signature document over the set and its *parts*.

    Digests are taken on the tree parsed back from its final bytes, so what is verified is what is
    sent. Raises `UnsafeXml` when an XML part is not well formed.
    """
    chosen = SUITES[suite]
    draft = _draft(set_unique_id, parts, signed_at, certificate, chosen)
    root = parse(serialise(draft, declaration=False))
    for path, target in (
        ("ds:SignedInfo/ds:Reference[1]", "ds:Object/ds:Manifest"),
        ("ds:SignedInfo/ds:Reference[2]", "ds:Object/x:QualifyingProperties/x:SignedProperties"),
    ):
        _at(root, f"{path}/ds:DigestValue").text = chosen.digest(inclusive(_at(root, target)))
    info = inclusive(_at(root, "ds:SignedInfo"))
    _at(root, "ds:SignatureValue").text = chosen.sign(info, key)
    return serialise(root, declaration=False)


def document_digest(part: SignedPart, suite: Suite = RSA_SHA1) -> str:
    """Return the base64 digest of *part*: XML canonicalised as a whole document, else raw bytes.

    Comments and processing instructions before the root count (vector V4).
    """
    if not part.is_xml:
        return suite.digest(part.content)
    return suite.digest(inclusive(parse(part.content, document=True).getroottree()))


def _at(root: Element, path: str) -> Element:
    found = root.find(path, _NS)
    if found is None:
        raise LookupError(path)
    return found


def _draft(
    set_unique_id: str,
    parts: Sequence[SignedPart],
    signed_at: datetime,
    certificate: x509.Certificate,
    suite: Suite,
) -> Element:
    own_id = f"sig-{set_unique_id}"
    return _ds.Signature(
        _ds.SignedInfo(
            _ds.CanonicalizationMethod(Algorithm=C14N_COMMENTS),
            _ds.SignatureMethod(Algorithm=suite.signature_uri),
            _reference(suite, URI="#IHEManifest", Type=f"{DS}Manifest"),
            _reference(suite, URI="#S0-SignedProperties", Type=f"{XADES}SignedProperties"),
        ),
        _ds.SignatureValue(),
        _ds.KeyInfo(_ds.X509Data(_ds.X509Certificate(der_base64(certificate)))),
        _ds.Object(_manifest(set_unique_id, parts, suite)),
        _ds.Object(
            _ds.SignatureProperties(
                _ds.SignatureProperty(PURPOSE, Id="purposeOfSignature", Target=f"#{own_id}")
            )
        ),
        _ds.Object(
            _xades.QualifyingProperties(
                _signed_properties(signed_at, certificate, suite), Target=f"#{own_id}"
            )
        ),
        Id=own_id,
    )


def _reference(suite: Suite, value: str = "", *transforms: Element, **attributes: str) -> Element:
    return _ds.Reference(
        *transforms,
        _ds.DigestMethod(Algorithm=suite.digest_uri),
        _ds.DigestValue(value),
        **attributes,
    )


def _manifest(set_unique_id: str, parts: Sequence[SignedPart], suite: Suite) -> Element:
    references = [_reference(suite, _SET_PLACEHOLDER, URI=f"urn:oid:{set_unique_id}")]
    for part in parts:
        whole = [_ds.Transforms(_ds.Transform(Algorithm=C14N_COMMENTS))] if part.is_xml else []
        uri = f"urn:oid:{part.unique_id}"
        references.append(_reference(suite, document_digest(part, suite), *whole, URI=uri))
    return _ds.Manifest(*references, Id="IHEManifest")


def _signed_properties(signed_at: datetime, certificate: x509.Certificate, suite: Suite) -> Element:
    der = certificate.public_bytes(Encoding.DER)
    return _xades.SignedProperties(
        _xades.SignedSignatureProperties(
            _xades.SigningTime(signed_at.strftime("%Y-%m-%dT%H:%M:%SZ")),
            _xades.SigningCertificate(
                _xades.Cert(
                    _xades.CertDigest(
                        _xades.DigestMethod(Algorithm=suite.digest_uri),
                        _xades.DigestValue(suite.digest(der)),
                    ),
                    _xades.IssuerSerial(
                        _ds.X509IssuerName(certificate.issuer.rfc4514_string()),
                        _ds.X509SerialNumber(str(certificate.serial_number)),
                    ),
                )
            ),
            _xades.SignaturePolicyIdentifier(_xades.SignaturePolicyImplied()),
        ),
        _xades.SignedDataObjectProperties(),
        Id="S0-SignedProperties",
    )
