"""The DMP's HTTP face: three endpoints over mutual TLS, one judgement for each, scripted faults.

Operations for faults: `dmp.td02`, `dmp.td21`, `dmp.td31`, `dmp.td33`. A fault of kind `soap` whose
code begins with `XDS` is told as a `RegistryError`, as the real service would.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ris.core import clock
from ris.core.xml import Element
from ris.sandbox.dmp import assertion, existence, query, submission
from ris.sandbox.dmp.registry import DmpPatient, Registry
from ris.sandbox.dmp.signatures import Believes
from ris.sandbox.dmp.wire import (
    Incoming,
    RegistryRefusal,
    SoapRefusal,
    answer,
    fault,
    open_request,
    registry_response,
)
from ris.sandbox.faults import Fault, Faults
from ris.sandbox.server import Cut

_SOAP: Final = "application/soap+xml; charset=UTF-8"
_ACTIONS: Final = {
    "urn:hl7-org:v3:PRPA_IN201307UV02": ("patients", "dmp.td02"),
    "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b": ("repository", "dmp.td21"),
    "urn:ihe:iti:2007:RegistryStoredQuery": ("registry", "dmp.td31"),
    "urn:ihe:iti:2010:UpdateDocumentSet": ("registry", "dmp.td33"),
}


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came, and what became of it (`OK` or the refusal's code)."""

    operation: str
    at: datetime
    client_subject: str
    content_type: str
    body: bytes
    user: str
    structure: str
    outcome: str
    authenticated_at: datetime | None = None


class DmpSandbox:
    """A DMP that lives in memory.

    *believes* says whether a certificate is of the trusted authority (`TestPki.believes`);
    *homologations* and *links* (structure → users) narrow what is accepted. `app` is the ASGI
    application, to be served with a required client certificate.
    """

    def __init__(
        self,
        believes: Believes,
        *,
        patients: Iterable[DmpPatient] = (),
        homologations: frozenset[str] | None = None,
        links: Mapping[str, frozenset[str]] | None = None,
        faults: Faults | None = None,
        multipart_answers: bool = False,
    ) -> None:
        self.registry = Registry(patients)
        self.faults = faults or Faults()
        self.received: list[Received] = []
        self._policy = assertion.Policy(believes, homologations=homologations, links=links)
        self.multipart_answers = multipart_answers
        paths = ("patients", "repository", "registry")
        self.app = Starlette(
            routes=[Route(f"/{path}", self._endpoint(path), methods=["POST"]) for path in paths]
        )

    @property
    def submissions(self) -> list[Received]:
        """Return the TD2.1 requests that were accepted, oldest first."""
        return [r for r in self.received if r.operation == "dmp.td21" and r.outcome == "OK"]

    def _endpoint(self, path: str) -> Callable[[Request], object]:
        async def handle(request: Request) -> Response:
            body = await request.body()
            return await run_in_threadpool(self._handle, path, request, body)

        return handle

    def _handle(self, path: str, request: Request, body: bytes) -> Response:
        content_type = request.headers.get("content-type", "")
        tls = _client_certificate(request)
        if tls is None:
            return Response("certificat client requis", 403, media_type="text/plain")
        operation = "dmp.td02"
        scripted: Fault | None = None
        caller: assertion.Caller | None = None
        outcome = "OK"
        try:
            incoming = open_request(content_type, body)
            operation = _operation(incoming, path)
            scripted = self.faults.next(operation)
            if early := self._suffer(scripted, incoming):
                return early
            caller = assertion.judge(incoming.security, tls, self._policy, clock.now())
            response = self._soap(answer(incoming, self._perform(operation, incoming, caller)))
        except RegistryRefusal as refusal:
            outcome = refusal.code
            response = self._soap(answer(incoming, registry_response(refusal)))
        except SoapRefusal as refusal:
            outcome = refusal.code
            response = self._soap(fault(refusal.code, refusal.text), status=500)
        self.received.append(
            Received(
                operation=operation,
                at=clock.now(),
                client_subject=tls.subject.rfc4514_string(),
                content_type=content_type,
                body=body,
                user=caller.user if caller else "",
                structure=caller.structure if caller else "",
                outcome=outcome,
                authenticated_at=caller.authenticated_at if caller else None,
            )
        )
        return _spoiled(scripted, response)

    def _perform(self, operation: str, incoming: Incoming, caller: assertion.Caller) -> Element:
        if operation == "dmp.td02":
            return existence.answer(incoming.body, caller, self.registry)
        if operation == "dmp.td31":
            return query.references(incoming.body, caller, self.registry)
        if operation == "dmp.td33":
            query.delete(incoming.body, caller, self.registry)
            return registry_response()
        if caller.mode != "INDIRECTE":
            raise SoapRefusal(
                "DMPAccessDeniedByRightsService", "Alimentation : mode indirect requis"
            )
        judged = submission.judge(incoming, caller, self.registry, self._policy.believes)
        self.registry.register(judged.set_unique_id, judged.entries, judged.replaced)
        return registry_response()

    def _suffer(self, scripted: Fault | None, incoming: Incoming) -> Response | None:
        """Return the answer of a fault that strikes before any effect, or None."""
        if scripted is None or scripted.after:
            return None
        match scripted.kind:
            case "delay":
                scripted.wait()
            case "drop":
                scripted.wait()
                return Cut()
            case "http":
                return Response(status_code=scripted.status)
            case "soap":
                return self._scripted_refusal(scripted.code, incoming)
        return None

    def _scripted_refusal(self, code: str, incoming: Incoming) -> Response:
        if code.startswith("XDS"):
            refusal = RegistryRefusal(code, "panne simulée")
            return self._soap(answer(incoming, registry_response(refusal)))
        return self._soap(fault(code, "panne simulée"), status=500)

    def _soap(self, content: bytes, status: int = 200) -> Response:
        if not self.multipart_answers:
            return Response(content, status, media_type=_SOAP)
        head = 'Content-Type: application/xop+xml; type="application/soap+xml"\r\n'
        head += "Content-Transfer-Encoding: binary\r\nContent-ID: <answer@dmp>\r\n\r\n"
        body = f"--dmp\r\n{head}".encode() + content + b"\r\n--dmp--\r\n"
        kind = 'multipart/related; boundary="dmp"; type="application/xop+xml"; start="<answer@dmp>"'
        return Response(body, status, media_type=kind)


def _spoiled(scripted: Fault | None, response: Response) -> Response:
    """Return *response*, or what a fault makes of it once the effect has taken place."""
    if scripted is None:
        return response
    if scripted.kind == "close_mid_message":
        return Cut(response.body, media_type=response.media_type)
    if not scripted.after:
        return response
    if scripted.kind == "http":
        return Response(status_code=scripted.status)
    scripted.wait()
    return response if scripted.kind == "delay" else Cut()


def _operation(incoming: Incoming, path: str) -> str:
    expected, operation = _ACTIONS.get(incoming.action, ("", ""))
    if expected != path:
        raise SoapRefusal("ActionNotSupported", "Action inconnue de ce service")
    return operation


def _client_certificate(request: Request) -> x509.Certificate | None:
    chain = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", [])
    return x509.load_pem_x509_certificate(chain[0].encode()) if chain else None
