"""The sender: gives one message to one partner over MLLP and believes only a positive answer.

It realises `ris.identity.propagation.Propagate`; order and repetition are that queue's affair.
"""

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final

from ris.core import clock
from ris.core.errors import Lost, Permanent, Transient
from ris.identity.propagation import Outbound
from ris.interop.hl7v2 import emit, parser
from ris.interop.hl7v2.errors import Refused, Unframed
from ris.interop.hl7v2.mllp import END, START, framed
from ris.interop.hl7v2.settings import Hl7Settings, PartnerSettings
from ris.rem import satisfies

_ANSWER_MAX: Final = 65_536
_CHUNK: Final = 4_096


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends identities to the partners of the settings, one connection a message."""

    settings: Hl7Settings

    @satisfies("RIS.INS.34", "RIS.INS.36")
    def __call__(self, partner: str, message: Outbound) -> None:
        """Return once *partner* has said AA or CA.

        Raises `Transient` (no connection, or AR: later), `Lost` (no answer: the same message,
        under the same MSH-10, may be repeated), `Permanent` (AE, or a partner off the settings).
        """
        told = next((one for one in self.settings.partners if one.name == partner), None)
        if told is None:
            raise Permanent("Partenaire absent des réglages.", remote_code="PARTNER_UNKNOWN")
        data = emit.render(message, told, self.settings, at=clock.now())
        answer = self._exchange(told, data)
        _believe(answer, str(message.message_id))

    def _exchange(self, partner: PartnerSettings, data: bytes) -> bytes:
        timeout = self.settings.answer_timeout_s
        with contextlib.ExitStack() as stack:
            try:
                link = stack.enter_context(
                    socket.create_connection((partner.host, partner.port), timeout)
                )
                context = client_tls(partner)
                if context is not None:
                    link = stack.enter_context(
                        context.wrap_socket(link, server_hostname=partner.host)
                    )
            except OSError as error:
                raise Transient("Partenaire HL7 injoignable.") from error
            try:
                link.sendall(framed(data))
                return _answer(link, time.monotonic() + timeout)
            except OSError as error:
                raise Lost("Le partenaire HL7 n'a pas répondu.") from error


def client_tls(partner: PartnerSettings) -> ssl.SSLContext | None:
    """Return the TLS context for *partner*, None when its link is plain (settings)."""
    if partner.trust is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(partner.trust))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if partner.certificate is not None:
            context.load_cert_chain(partner.certificate, partner.key)
    except (OSError, ValueError) as error:
        raise Transient("Certificats du partenaire illisibles.", remote_code="TLS_FILES") from error
    return context


def _answer(link: socket.socket, until: float) -> bytes:
    """Return the content of the next frame; raises `Lost` when it does not come whole in time."""
    read = b""
    while not read.endswith(END):
        link.settimeout(max(0.001, until - time.monotonic()))
        chunk = link.recv(_CHUNK)
        read += chunk
        if not chunk or len(read) > _ANSWER_MAX:
            raise Lost("Réponse HL7 incomplète.")
    return read.partition(START)[2].removesuffix(END)


def _believe(answer: bytes, control_id: str) -> None:
    try:
        message = parser.parse(answer)
    except (Refused, Unframed) as error:
        raise Lost("Réponse HL7 illisible.") from error
    msa = message.segment("MSA")
    code = msa.text(1)
    if msa.text(2) != control_id:
        raise Lost("La réponse HL7 concerne un autre message.")
    if code in ("AA", "CA"):
        return
    condition = message.segment("ERR").text(3)[:8]
    if code in ("AR", "CR"):
        raise Transient("Message HL7 refusé pour l'instant.", remote_code=condition or code)
    raise Permanent("Message HL7 refusé.", remote_code=condition or code)
