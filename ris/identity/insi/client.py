"""The INSi client: SOAP over mutual TLS with a structure's certificate, or with a card's assertion.

Only transport; messages are in `message.py`, faults in `faults.py`, who calls in
`caller.py`, decisions in `retrieval.py` and `verification.py`.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
from cryptography.x509.oid import NameOID

from ris.core import clock, http
from ris.core.crypto import Credential
from ris.core.errors import Lost, NotConfigured, Transient
from ris.core.settings import HttpSettings
from ris.core.xml import Element
from ris.identity.bulk.values import LotAnswer, LotItem
from ris.identity.insi import message as insi_message
from ris.identity.insi import provisional as insi_provisional
from ris.identity.insi.faults import body, outage
from ris.identity.insi.message import Context
from ris.identity.insi.provisional import Exchange
from ris.identity.insi.values import Caller, CallMode, InsiAnswer, Query
from ris.identity.settings import InsiSettings
from ris.rem import satisfies

CredentialFor = Callable[[str, CallMode], Credential]
_KIND: Final = 'application/soap+xml; charset=utf-8; action="{}"'


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection and the `Emetteur` that speaks on it."""

    client: httpx.Client
    sender: str
    endpoint: str


class InsiClient:
    """INSi by organisation certificate or by card (ins.md §5.2).

    *credential_for* gives the certificate of a structure (Struct_IdNat) for a mode of call,
    *trust* the bundle that the server is verified against.
    """

    def __init__(
        self, settings: InsiSettings, credential_for: CredentialFor, trust: Path | None
    ) -> None:
        self._settings = settings
        self._credential_for = credential_for
        self._trust = trust
        self._lines: dict[tuple[str, str], _Line] = {}
        self._lock = threading.Lock()

    def search(self, query: Query, *, caller: Caller, message_id: str) -> InsiAnswer:
        """Return INSi's answer to *query*, asked in the name of *caller*.

        Raises `NotConfigured`, `InsiUnavailable` (try later), `InsiFault` (refused, or unknown
        answer), `InsiIncomplete`. A call is one message: trying again is the caller's affair.
        """
        exchange = insi_message.exchange(query)
        return insi_message.answer(self._exchange(exchange, caller, message_id), message_id)

    def deposit(
        self, lot: UUID, items: Sequence[LotItem], *, caller: Caller, message_id: str
    ) -> None:
        """Leave a lot to verify. Raises as `search`."""
        done = self._exchange(insi_provisional.deposit(lot, items), caller, message_id)
        insi_provisional.check_receipt(done, lot)

    def collect(self, lot: UUID, *, caller: Caller, message_id: str) -> LotAnswer:
        """Return what became of a lot. Raises as `search`."""
        done = self._exchange(insi_provisional.collection(lot), caller, message_id)
        return insi_provisional.lot_answer(done, lot)

    def close(self) -> None:
        """Close every connection."""
        for line in self._lines.values():
            line.client.close()
        self._lines.clear()

    def _exchange(self, exchange: Exchange, caller: Caller, message_id: str) -> Element:
        line = self._card_line(caller) if caller.assertion else self._line(caller)
        context = Context(line.sender, clock.now(), message_id, caller.assertion)
        content = insi_message.framed(exchange, context, self._settings)
        headers = {"Content-Type": _KIND.format(exchange.action)}
        post = line.client.build_request("POST", line.endpoint, content=content, headers=headers)
        limit = self._settings.max_answer_bytes
        try:
            response = http.call(line.client, post, keep_5xx=True, max_bytes=limit)
        except (Transient, Lost) as error:
            raise outage(error) from error
        return body(response.status_code, response.content)

    @satisfies("RIS.AUTH.02")
    def _line(self, caller: Caller) -> _Line:
        """Return the connection of a structure, under its own certificate as it is today."""
        endpoint = _given(self._settings.endpoint)
        credential = self._credential_for(caller.structure, caller.mode)
        certificate = credential.chain()[0]
        units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        sender = str(units[0].value) if units else caller.structure
        key = caller.structure, format(certificate.serial_number, "x")
        return self._opened(key, credential, sender, endpoint)

    def _card_line(self, caller: Caller) -> _Line:
        """Return the connection of calls by card: one-way TLS, the assertion says who calls."""
        return self._opened(("", ""), None, caller.holder, _given(self._settings.cpx_endpoint))

    def _opened(
        self, key: tuple[str, str], credential: Credential | None, sender: str, endpoint: str
    ) -> _Line:
        with self._lock:
            if key not in self._lines:
                timeouts = HttpSettings(
                    connect_timeout_s=self._settings.connect_timeout_s,
                    total_timeout_s=self._settings.total_timeout_s,
                )
                client = http.client(trust=self._trust, credential=credential, settings=timeouts)
                self._lines[key] = _Line(client, sender, endpoint)
            return _Line(self._lines[key].client, sender, endpoint)


def _given(endpoint: str) -> str:
    if not endpoint:
        raise NotConfigured("L'adresse d'INSi n'est pas configurée.")
    return endpoint
