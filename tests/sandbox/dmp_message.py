"""One sound DMP message and the ways to spoil it. Used by `test_dmp.py` only."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import httpx
from lxml import etree

from ris.auth.values import Authentication
from ris.core import clock, ids
from ris.core.crypto import Credential
from ris.core.http import context
from ris.core.soap import addressing, envelope
from ris.core.xml import Element, serialise
from ris.dmp import metadata, mtom, vihf
from ris.dmp.lot_signature import SignedPart, sign_lot
from ris.dmp.submission import Lot, provide_and_register
from ris.reports.cda.build import build_n1
from ris.reports.xds import dtm
from ris.sandbox.pki import TestPki
from tests.dmp.bench import CABINET_A, DOCTOR_A, PDF, report, settings

TD21 = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"


def _untouched(_assertion: Element) -> None:
    """Change nothing."""


@dataclass
class Sender:
    """Sends as cabinet A; every step may be changed by the test."""

    pki: TestPki
    url: str

    def lot(self, *, signer: Credential | None = None, cda: bytes | None = None) -> Lot:
        """Return a sound lot, or one over other bytes, or signed by somebody else."""
        cda = cda or build_n1(report(), PDF)
        chosen = settings(self.url)
        entry = metadata.describe(cda, (), chosen)
        unique_id, now = ids.new_oid(), clock.now()
        own = metadata.submission_set(entry, chosen, unique_id=unique_id, submitted_at=dtm(now))
        certificate, key = (signer or self.sign).load()
        signature = sign_lot(
            unique_id,
            [SignedPart(entry.unique_id, cda)],
            signed_at=now,
            certificate=certificate,
            key=key,
        )
        return self.with_signature(
            Lot(own, entry, metadata.signature_entry(entry, own, b"", ids.new_oid()), cda, b""),
            signature,
        )

    def with_signature(self, lot: Lot, signature: bytes) -> Lot:
        """Return *lot* with another signature document, described truthfully."""
        described = metadata.signature_entry(
            lot.report, lot.submission_set, signature, lot.signature.unique_id
        )
        return replace(lot, signature=described, signature_bytes=signature)

    @property
    def sign(self) -> Credential:
        return self.pki.organisation(CABINET_A.struct_idnat, "SIGN")

    def assertion(
        self,
        lot: Lot,
        *,
        edit: Callable[[Element], None] = _untouched,
        spoil: Callable[[Element], None] = _untouched,
        signer: Credential | None = None,
        at: datetime | None = None,
    ) -> Element:
        """Return a signed VIHF: *edit* before the signature, *spoil* after it."""
        certificate, key = (signer or self.sign).load()
        issued = at or clock.now()
        signed_in = Authentication(issued - timedelta(hours=1))
        who = vihf.Sender(DOCTOR_A, CABINET_A, lot.report.patient_id, signed_in)
        draft = vihf.assertion(
            who, settings(self.url), certificate, issued_at=issued, assertion_id=f"_{ids.new()}"
        )
        edit(draft)
        made = vihf.signed(draft, certificate, key)
        spoil(made)
        return made

    def root(self, lot: Lot, assertion: Element | None = None) -> bytes:
        security = vihf.security_header(assertion if assertion is not None else self.assertion(lot))
        url = f"{self.url}/repository"
        message_id = f"urn:uuid:{ids.new()}"
        headers = [*addressing(TD21, url, message_id), security]
        return serialise(envelope(headers, provide_and_register(lot)))

    def send(
        self,
        lot: Lot,
        *,
        root: bytes | None = None,
        parts: dict[str, bytes] | None = None,
        path: str = "repository",
        credential: Credential | None = None,
    ) -> str:
        """Send and return `OK`, the registry error code or the fault subcode."""
        content_type, body = mtom.build(
            root if root is not None else self.root(lot),
            parts if parts is not None else lot.parts(),
            action=TD21,
        )
        return self.post(content_type, body, path, credential)

    def ask(self, path: str, action: str, body: Element, lot: Lot) -> str:
        """Send a request without parts about the patient of *lot*, as cabinet A."""
        security = vihf.security_header(self.assertion(lot))
        message_id = f"urn:uuid:{ids.new()}"
        headers = [*addressing(action, f"{self.url}/{path}", message_id), security]
        content = serialise(envelope(headers, body))
        return self.post(f'application/soap+xml; action="{action}"', content, path)

    def post(
        self,
        content_type: str,
        body: bytes,
        path: str = "repository",
        credential: Credential | None = None,
    ) -> str:
        chosen = credential or self.pki.organisation(CABINET_A.struct_idnat, "AUTH_CLI")
        tls = context(trust=self.pki.trust, credential=chosen)
        headers = {"Content-Type": content_type}
        with httpx.Client(verify=tls, trust_env=False) as client:
            answer = client.post(f"{self.url}/{path}", content=body, headers=headers)
        return outcome(answer.content)


def outcome(content: bytes) -> str:
    root = etree.fromstring(content)
    subcodes = root.xpath("//*[local-name()='Subcode']/*[local-name()='Value']/text()")
    errors = root.xpath("//*[local-name()='RegistryError']/@errorCode")
    return str((subcodes or errors or ["OK"])[0]).rpartition(":")[2]


def changed(content: bytes, before: str, after: str, count: int = -1) -> bytes:
    """Return *content* with a text replaced, which must be there."""
    assert before.encode() in content
    return content.replace(before.encode(), after.encode(), count)


def drop(assertion: Element, path: str) -> None:
    found = assertion.find(path, {"s": vihf.SAML})
    assert found is not None
    parent = found.getparent()
    assert parent is not None
    parent.remove(found)


def attribute(name: str, value: str) -> Callable[[Element], None]:
    def edit(assertion: Element) -> None:
        path = f"s:AttributeStatement/s:Attribute[@Name='{name}']/s:AttributeValue"
        found = assertion.find(path, {"s": vihf.SAML})
        assert found is not None
        found.text = value

    return edit


LATE = timedelta(minutes=6)
