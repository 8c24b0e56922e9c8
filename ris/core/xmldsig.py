"""XML signature primitives: digests, keys, algorithm URIs, the enveloped signature of an assertion.

No document shape: what is signed, and by whom, belongs to the callers.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from lxml.builder import ElementMaker

from ris.core.crypto import PrivateKey
from ris.core.xml import Element, canonical, parse, serialise

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
C14N_COMMENTS: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_ds: Final = ElementMaker(namespace=DS, nsmap={"ds": DS})


@dataclass(frozen=True, slots=True)
class Suite:
    """One pair of algorithms: RSA PKCS#1 v1.5 signature and digest, as XML signature URIs."""

    hash_name: str
    signature_uri: str
    digest_uri: str

    def digest(self, data: bytes) -> str:
        """Return the base64 digest of *data*."""
        value = hashlib.new(self.hash_name, data, usedforsecurity=False).digest()
        return base64.b64encode(value).decode()

    def sign(self, data: bytes, key: PrivateKey) -> str:
        """Return the base64 RSA PKCS#1 v1.5 signature of *data*."""
        algorithm = SHA1() if self.hash_name == "sha1" else SHA256()  # noqa: S303 - imposed (§6.5)
        return base64.b64encode(key.sign(data, PKCS1v15(), algorithm)).decode()


RSA_SHA1: Final = Suite("sha1", f"{DS}rsa-sha1", f"{DS}sha1")
RSA_SHA256: Final = Suite(
    "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmlenc#sha256",
)


def inclusive(node: Element | etree._ElementTree) -> bytes:
    """Return inclusive C14N 1.0 with comments; an ElementTree keeps what precedes its root."""
    return etree.tostring(node, method="c14n", exclusive=False, with_comments=True)


def der_base64(certificate: x509.Certificate) -> str:
    """Return the certificate as the text of `ds:X509Certificate`."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def enveloped_info(root: Element) -> Element:
    """Return the `SignedInfo` of the enveloped signature of *root* (RSA-SHA256, exclusive C14N).

    Its canonical form is what the key signs. *root* bears its `ID` and no signature yet.
    """
    return _ds.SignedInfo(
        _ds.CanonicalizationMethod(Algorithm=EXC_C14N),
        _ds.SignatureMethod(Algorithm=RSA_SHA256.signature_uri),
        _ds.Reference(
            _ds.Transforms(_ds.Transform(Algorithm=ENVELOPED), _ds.Transform(Algorithm=EXC_C14N)),
            _ds.DigestMethod(Algorithm=RSA_SHA256.digest_uri),
            _ds.DigestValue(RSA_SHA256.digest(canonical(root))),
            URI=f"#{root.get('ID')}",
        ),
    )


def enveloped(unsigned: Element, certificate: x509.Certificate, value: str) -> Element:
    """Return *unsigned* with its signature *value* (base64) after `Issuer`, its first child.

    The result must be inserted and serialised as it is: nothing inside may be re-indented.
    """
    root = parse(serialise(unsigned))
    signature = _ds.Signature(
        enveloped_info(root),
        _ds.SignatureValue(value),
        _ds.KeyInfo(_ds.X509Data(_ds.X509Certificate(der_base64(certificate)))),
    )
    root.insert(1, signature)
    return root
