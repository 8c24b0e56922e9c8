"""Settings of HL7 v2: who may send to us, whom we feed, time-outs and caps. `RIS_HL7__<NAME>`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ris.interop.hl7v2.parser import Caps


class LinkSettings(BaseModel):
    """Where a system listens. With *trust* (PEM authorities) the link is TLS."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    trust: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class SenderSettings(BaseModel):
    """A sender by its MSH-3 and MSH-4 (first components); *domain* is its OID in the contracts.

    *answers_to* is where it wants the application answers that MSH-16 asks for.
    """

    model_config = ConfigDict(frozen=True)

    application: str
    facility: str = ""
    domain: str
    answers_to: LinkSettings | None = None


class PartnerSettings(LinkSettings):
    """A system fed with our identities."""

    name: str
    application: str
    facility: str
    charset: Literal["UNICODE UTF-8", "8859/15"] = "UNICODE UTF-8"
    use_recup_qual: bool = False


class Hl7Settings(BaseModel):
    """The listener and the outgoing feed. Off unless asked for: without partners nothing leaves.

    A sender off *senders* is heard, as `application|facility`: without a trust contract its claims
    are capped until INSi verifies them. *processing_ids* are the MSH-11 taken. With *certificate*
    and *key* the listener speaks TLS, with *client_trust* it asks for a client certificate.
    *workers* groups of messages are taken at a time, each gathered for *patience_s* at most. What
    enhanced mode stored is applied every *apply_every_s*; in a rush of messages answering them
    comes first, for *apply_within_s* at most.
    """

    model_config = ConfigDict(frozen=True)

    application: str = "RIS"
    facility: str = "CABINET"
    processing_id: Literal["P", "T", "D"] = "P"
    processing_ids: tuple[str, ...] = ("P", "T", "D")
    senders: tuple[SenderSettings, ...] = ()
    partners: tuple[PartnerSettings, ...] = ()
    max_bytes: int = 20_000_000
    max_connections: int = 32
    workers: int = 1
    patience_s: float = 0.002
    idle_timeout_s: float = 600
    frame_timeout_s: float = 30
    answer_timeout_s: float = 30
    apply_every_s: float = 1
    apply_within_s: float = 30
    upkeep_s: int = 10
    keep_days: int = 90
    certificate: Path | None = None
    key: Path | None = None
    client_trust: Path | None = None

    @property
    def caps(self) -> Caps:
        """The size limits the parser takes."""
        return Caps(size=self.max_bytes)

    def domain(self, application: str, facility: str) -> str:
        """Return a sender's domain as the trust contracts spell it."""
        sender = self._sender(application, facility)
        return sender.domain if sender else f"{application}|{facility}"[:128]

    def answers_to(self, application: str, facility: str) -> LinkSettings | None:
        """Return where a sender listens for application answers, None when nobody said."""
        sender = self._sender(application, facility)
        return sender.answers_to if sender else None

    def _sender(self, application: str, facility: str) -> SenderSettings | None:
        told = (one for one in self.senders if one.application == application)
        return next((one for one in told if one.facility in ("", facility)), None)
