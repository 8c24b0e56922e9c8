"""The INSi client: SOAP over mutual TLS with the structure's certificate, faults told apart.

Only transport and error classes; messages are in `insi_message.py`, decisions in `retrieval.py`.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
from cryptography.x509.oid import NameOID

from ris.core import clock, http
from ris.core.crypto import Credential
from ris.core.errors import Lost, NotConfigured, RemoteError, Transient
from ris.core.settings import HttpSettings
from ris.core.soap import SoapFault, body_of
from ris.core.xml import Element, UnsafeXml
from ris.identity.errors import InsiFault, InsiUnavailable
from ris.identity.insi_message import Context, action_of, answer, request
from ris.identity.insi_values import InsiAnswer, Query
from ris.identity.settings import InsiSettings

SIRAM: Final = "urn:siram"
_LATER: Final = frozenset({"insi_102"})


class InsiClient:
    """INSi by organisation certificate (ins.md §5.2).

    *credential_for* gives the certificate of a structure (Struct_IdNat), *trust* the bundle that
    the server is verified against.
    """

    def __init__(
        self,
        settings: InsiSettings,
        credential_for: Callable[[str], Credential],
        trust: Path | None,
    ) -> None:
        self._settings = settings
        self._credential_for = credential_for
        self._trust = trust
        self._lines: dict[str, tuple[httpx.Client, str]] = {}
        self._lock = threading.Lock()

    def search(self, query: Query, *, structure: str, message_id: str) -> InsiAnswer:
        """Return INSi's answer to *query*, asked in the name of *structure*.

        Raises `NotConfigured`, `InsiUnavailable` (try later), `InsiFault` (refused, or unknown
        answer), `InsiIncomplete`. A call is one message: trying again is the caller's affair.
        """
        if not self._settings.endpoint:
            raise NotConfigured("L'adresse d'INSi n'est pas configurée.")
        client, sender = self._line(structure)
        context = Context(sender, clock.now(), message_id)
        content = request(query, context, self._settings)
        kind = f'application/soap+xml; charset=utf-8; action="{action_of(query)}"'
        response = self._send(client, content, kind)
        return answer(body(response.status_code, response.content), message_id)

    def close(self) -> None:
        """Close every connection."""
        for client, _ in self._lines.values():
            client.close()
        self._lines.clear()

    def _line(self, structure: str) -> tuple[httpx.Client, str]:
        """Return the connection of *structure* and its `Emetteur`, made once."""
        with self._lock:
            if structure not in self._lines:
                credential = self._credential_for(structure)
                timeouts = HttpSettings(
                    connect_timeout_s=self._settings.connect_timeout_s,
                    total_timeout_s=self._settings.total_timeout_s,
                )
                client = http.client(trust=self._trust, credential=credential, settings=timeouts)
                self._lines[structure] = client, _sender(credential, structure)
            return self._lines[structure]

    def _send(self, client: httpx.Client, content: bytes, kind: str) -> httpx.Response:
        headers = {"Content-Type": kind}
        post = client.build_request(
            "POST", self._settings.endpoint, content=content, headers=headers
        )
        try:
            return http.call(client, post, keep_5xx=True)
        except (Transient, Lost) as error:
            raise _outage(error) from error


def _sender(credential: Credential, structure: str) -> str:
    """Return `Emetteur`: the OU of the structure's certificate."""
    certificate, _ = credential.load()
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return str(units[0].value) if units else structure


def _outage(error: RemoteError) -> RemoteError:
    if error.remote_code == "TLS":
        return InsiFault("Certificat refusé par INSi ou d'INSi.", remote_code="TLS")
    return InsiUnavailable(remote_code=error.remote_code)


def body(status: int, content: bytes) -> Element:
    """Return the SOAP body of an answer; raises `InsiFault` or `InsiUnavailable`."""
    try:
        return body_of(content)
    except SoapFault as fault:
        raise _refusal(fault) from fault
    except UnsafeXml as error:
        code = f"HTTP_{status}"
        if 400 <= status < 500:
            raise InsiFault(remote_code=code) from error
        raise InsiUnavailable(remote_code=code) from error


def _refusal(fault: SoapFault) -> RemoteError:
    """Return the error of a fault: `siram_NNN/insi_NNN`, `Receiver` later, `Sender` never."""
    detail = fault.detail_element
    found = detail.find(f"{{{SIRAM}}}Erreur") if detail is not None else None
    code = found.get("code", "") if found is not None else ""
    remote = "/".join(part for part in (*fault.subcodes, code) if part) or fault.fault_code
    if code in _LATER or fault.fault_code != "Sender":
        return InsiUnavailable(remote_code=remote)
    return InsiFault(remote_code=remote)
