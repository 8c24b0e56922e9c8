"""The sender: gives one message to one system over MLLP and believes only a positive answer.

`Sender` realises `ris.identity.propagation.queue.Propagate`; order and repetition
are the queues' affair.
"""

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final

from ris.core import clock
from ris.core.errors import Lost, Permanent, Transient
from ris.identity.propagation.queue import Outbound
from ris.interop.hl7v2 import emit, parser
from ris.interop.hl7v2.errors import Refused, Unframed
from ris.interop.hl7v2.mllp import END, START, framed
from ris.interop.hl7v2.settings import Hl7Settings, LinkSettings
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
        deliver(told, data, str(message.message_id), timeout_s=self.settings.answer_timeout_s)


def deliver(to: LinkSettings, data: bytes, control_id: str, *, timeout_s: float) -> None:
    """Send the message *data*, whose MSH-10 is *control_id*; return once it was accepted.

    Raises what `Sender` raises.
    """
    _believe(_exchange(to, data, timeout_s), control_id)


def _exchange(to: LinkSettings, data: bytes, timeout_s: float) -> bytes:
    with contextlib.ExitStack() as stack:
        try:
            link = stack.enter_context(socket.create_connection((to.host, to.port), timeout_s))
            context = client_tls(to)
            if context is not None:
                link = stack.enter_context(context.wrap_socket(link, server_hostname=to.host))
        except OSError as error:
            raise Transient("Partenaire HL7 injoignable.") from error
        try:
            link.sendall(framed(data))
            return _answer(link, time.monotonic() + timeout_s)
        except OSError as error:
            raise Lost("Le partenaire HL7 n'a pas répondu.") from error


def client_tls(to: LinkSettings) -> ssl.SSLContext | None:
    """Return the TLS context of a link, None when it is plain (settings)."""
    if to.trust is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(to.trust))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if to.certificate is not None:
            context.load_cert_chain(to.certificate, to.key)
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
