"""The DMP over the wire: one method for each transaction, mutual TLS, a fresh VIHF every time.

No state and no database: what happened is told to *observe* and raised as `RemoteError`s. What to
send and when belongs to `channel`.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx

from ris.core import clock, http
from ris.core.crypto import Credential
from ris.core.errors import Lost, NotConfigured, RemoteError, Throttled, Transient
from ris.core.soap import SoapFault, addressing, envelope
from ris.core.xml import Element, serialise
from ris.dmp import answers, existence, mtom, submission, vihf
from ris.dmp.certificates import CredentialFor, Usage, unusable
from ris.dmp.errors import CertificateRefused, ConfigMissing
from ris.dmp.errors_table import as_error, classify, nothing_done
from ris.dmp.settings import DmpSettings
from ris.identity.values import Ins
from ris.reports.xds import SubmissionSet

TD02: Final = "TD0.2"
TD21: Final = "TD2.1"
TD31: Final = "TD3.1"
TD33: Final = "TD3.3c"
_ACTIONS: Final = {
    TD02: "urn:hl7-org:v3:PRPA_IN201307UV02",
    TD21: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    TD31: "urn:ihe:iti:2007:RegistryStoredQuery",
    TD33: "urn:ihe:iti:2010:UpdateDocumentSet",
}
_QUESTIONS: Final = frozenset({TD02, TD31})


@dataclass(frozen=True, slots=True)
class Exchange:
    """The trace of one exchange: no body, no trait; *error_text* is masked, hashes are SHA-256."""

    transaction: str
    message_id: str
    endpoint: str
    struct_idnat: str
    started_at: datetime
    duration_ms: int
    outcome: str
    http_status: int | None = None
    error_codes: tuple[str, ...] = ()
    error_text: str = ""
    request_sha256: str = ""
    response_sha256: str = ""
    delivery_id: UUID | None = None


Observe = Callable[[Exchange], None]


class DmpClient:
    """Calls one DMP. *credential_for* gives the certificate of the structure that acts."""

    def __init__(
        self, settings: DmpSettings, trust: Path | None, credential_for: CredentialFor
    ) -> None:
        self._settings = settings
        self._trust = trust
        self._credential_for = credential_for

    def existence(self, sender: vihf.Sender, ins: Ins, observe: Observe) -> existence.Existence:
        """Ask TD0.2 about *ins*. Raises `RemoteError`s; never `Lost`, a question has no effect."""
        body = existence.request(ins, self._settings, message=uuid4().hex, at=clock.now())
        answer = self._ask(TD02, sender, body, observe)
        return existence.read(answer, ins)

    def feed(self, sender: vihf.Sender, lot: submission.Lot, observe: Observe) -> None:
        """Send TD2.1. Returns when the DMP took the lot, warnings or not; raises otherwise."""
        body = submission.provide_and_register(lot)
        self._ask(TD21, sender, body, observe, parts=lot.parts())

    def reference(self, sender: vihf.Sender, unique_id: str, observe: Observe) -> str | None:
        """Return the entryUUID of a document (TD3.1b), or None when the DMP does not have it."""
        body = submission.reference_query(unique_id)
        answer = self._ask(TD31, sender, body, observe)
        found = answers.references(answer)
        return found[0] if found else None

    def delete(
        self, sender: vihf.Sender, lot: SubmissionSet, entry_uuid: str, observe: Observe
    ) -> None:
        """Send TD3.3c: the document leaves the patient's view; raises when it is refused."""
        body = submission.status_update(lot, entry_uuid)
        self._ask(TD33, sender, body, observe)

    def _ask(
        self,
        transaction: str,
        sender: vihf.Sender,
        body: Element,
        observe: Observe,
        *,
        parts: Mapping[str, bytes] | None = None,
    ) -> Element:
        """Send one request and return the body of its answer; tells *observe* in every case."""
        url = self._url(transaction)
        if not url:
            raise ConfigMissing("Adresse du service DMP non renseignée.")
        message_id = f"urn:uuid:{uuid4()}"
        action = _ACTIONS[transaction]
        content = serialise(self._enveloped(sender, action, url, message_id, body))
        content_type = f'application/soap+xml; charset=UTF-8; action="{action}"'
        if parts is not None:
            content_type, content = mtom.build(content, parts, action=action)
        record = _Recorder(transaction, message_id, url, sender.structure.struct_idnat, content)
        try:
            answer = self._exchange(record, sender, content_type)
        except RemoteError as error:
            observe(record.ended(error))
            if isinstance(error, Lost) and transaction in _QUESTIONS:
                raise nothing_done(error) from error
            raise
        observe(record.ended(None))
        return answer

    def _url(self, transaction: str) -> str:
        settings = self._settings
        urls = {TD02: settings.patients_url, TD21: settings.repository_url}
        return urls.get(transaction, settings.registry_url)

    def _exchange(self, record: "_Recorder", sender: vihf.Sender, content_type: str) -> Element:
        credential = self._credential(sender.structure.struct_idnat, "AUTH_CLI")
        client = http.client(trust=self._trust, credential=credential, settings=self._settings.http)
        with client:
            request = client.build_request(
                "POST", record.url, content=record.content, headers={"Content-Type": content_type}
            )
            response = self._call(client, request, record.transaction)
        record.received(response)
        try:
            answer = answers.open_answer(
                response.headers.get("content-type", ""), response.content, record.message_id
            )
        except SoapFault as fault:
            code = answers.fault_code(fault)
            record.error_text = answers.masked(fault.reason)
            kind = classify(code, fault.reason, self._settings.extra_codes)
            raise as_error(
                "permanent" if kind in ("duplicate", "warning") else kind, code
            ) from fault
        errors = answers.registry_errors(answer)
        record.error_codes = tuple(each.code for each in errors)
        record.error_text = " ".join(each.context for each in errors)
        if record.transaction != TD02:
            answers.check_registry(answer, self._settings.extra_codes)
        return answer

    def _call(
        self, client: httpx.Client, request: httpx.Request, transaction: str
    ) -> httpx.Response:
        """Send; a 5xx without SOAP after a write says nothing of the effect (dmp.md §8.2)."""
        try:
            return http.call(client, request, keep_5xx=True)
        except Throttled:
            raise
        except Transient as error:
            if transaction in _QUESTIONS or not (error.remote_code or "").startswith("HTTP_"):
                raise
            raise Lost(remote_code=error.remote_code) from error

    def _enveloped(
        self, sender: vihf.Sender, action: str, url: str, message_id: str, body: Element
    ) -> Element:
        credential = self._credential(sender.structure.struct_idnat, "SIGN")
        certificate, key = credential.load()
        draft = vihf.assertion(
            sender,
            self._settings,
            certificate,
            issued_at=clock.now(),
            assertion_id=f"_{uuid4()}",
        )
        security = vihf.security_header(vihf.signed(draft, certificate, key))
        return envelope([*addressing(action, url, message_id), security], body)

    def _credential(self, struct: str, usage: Usage) -> Credential:
        try:
            credential = self._credential_for(struct, usage)
            certificate = credential.chain()[0]
        except NotConfigured as error:
            raise ConfigMissing(error.detail) from error
        if problem := unusable(certificate, struct, usage, clock.now()):
            raise CertificateRefused(problem)
        return credential


class _Recorder:
    """Gathers the trace of one exchange while it happens."""

    def __init__(
        self, transaction: str, message_id: str, url: str, struct_idnat: str, content: bytes
    ) -> None:
        self.transaction = transaction
        self.message_id = message_id
        self.url = url
        self.struct_idnat = struct_idnat
        self.content = content
        self.status: int | None = None
        self.response = b""
        self.error_codes: tuple[str, ...] = ()
        self.error_text = ""
        self._started_at = clock.now()
        self._started = time.monotonic()

    def received(self, response: httpx.Response) -> None:
        """Keep the status and the bytes of *response*."""
        self.status = response.status_code
        self.response = response.content

    def ended(self, error: RemoteError | None) -> Exchange:
        """Return the trace; *error* is what the exchange raised."""
        codes = self.error_codes
        if error is not None and error.remote_code:
            codes = tuple(dict.fromkeys((*codes, error.remote_code)))
        return Exchange(
            transaction=self.transaction,
            message_id=self.message_id,
            endpoint=self.url,
            struct_idnat=self.struct_idnat,
            started_at=self._started_at,
            duration_ms=int((time.monotonic() - self._started) * 1000),
            outcome=error.code if error else "OK",
            http_status=self.status,
            error_codes=codes,
            error_text=self.error_text,
            request_sha256=hashlib.sha256(self.content).hexdigest(),
            response_sha256=hashlib.sha256(self.response).hexdigest() if self.response else "",
        )
