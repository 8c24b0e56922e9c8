"""Settings of MSSanté sending: operators, mailboxes, trust, policies. Values only, no behaviour."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from ris.mss.whitelist import WhitelistPolicy
from ris.rem import satisfies
from ris.reports.content import Level

_FROZEN = ConfigDict(frozen=True)


class AuthMode(StrEnum):
    """How a mailbox proves itself to its operator (mss.md §5.4)."""

    ORG_CERT = "ORG_CERT"
    RPPS_RANG_CERT = "RPPS_RANG_CERT"
    PASSWORD = "PASSWORD"  # noqa: S105 - the name of a mode
    PSC_XOAUTH2 = "PSC_XOAUTH2"


class MailboxKind(StrEnum):
    """What kind of mailbox sends: nominative, organisational or applicative."""

    PERSONAL = "PER"
    ORGANISATION = "ORG"
    APPLICATION = "APP"


class TlsPolicy(StrEnum):
    """`va1`: TLS 1.2 exactly. `va2`: TLS 1.2 at least (rem.md §11.4, ruling 36)."""

    VA1 = "va1"
    VA2 = "va2"


class OperatorSettings(BaseModel):
    """Where an operator listens. Typed by the administrator of the site, never by a user (SSRF)."""

    model_config = _FROZEN

    host: str
    smtp_port: int = 587
    imap_port: int = 143
    size_limit: int = 10_000_000
    sent_folder: str = "Sent"


class MailboxSettings(BaseModel):
    """One sending mailbox.

    It serves *struct_idnat* (empty: any structure) and, when nominative, the radiologist
    *ps_idnat* alone. *label* is what `From` shows (ignored for a nominative mailbox), *reply_to*
    the monitored return mailbox. *sasl* is what the operator wants on top of a certificate.
    """

    model_config = _FROZEN

    address: str
    kind: MailboxKind = MailboxKind.APPLICATION
    operator: str = "default"
    label: str = ""
    reply_to: str = ""
    auth: AuthMode = AuthMode.ORG_CERT
    sasl: Literal["external", "plain", "none"] = "external"
    struct_idnat: str = ""
    ps_idnat: str = ""
    password: SecretStr | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is MailboxKind.APPLICATION and not (self.reply_to and self.label):
            raise ValueError("an application mailbox needs a label and a reply_to (RIS.MSS.11)")
        if self.kind is MailboxKind.PERSONAL and not self.ps_idnat:
            raise ValueError("a nominative mailbox needs its owner's ps_idnat (RIS.MSS.24)")
        return self


@satisfies("RIS.MSS.17")
class MssSettings(BaseModel):
    """Everything MSSanté needs; `mailboxes[].reply_to` is the configurable return address.

    *nil* is the product reference given by the ANS; *trust* the IGC-Santé bundle (PEM), *crl* the
    kept revocation lists (PEM); *revocation* `hard` fails closed without a valid list.
    """

    model_config = _FROZEN

    nil: str = "DEV-NON-REFERENCE"
    tls_policy: TlsPolicy = TlsPolicy.VA1
    trust: Path | None = None
    crl: Path | None = None
    crl_urls: tuple[str, ...] = ()
    revocation: Literal["hard", "soft"] = "hard"
    whitelist_policy: WhitelistPolicy = WhitelistPolicy.ENFORCE
    whitelist_file: Path = Path("var/mss/listeblanche.xml")
    whitelist_url: str = "https://espacedeconfiance.mssante.fr/listeblanchemssante.xml"
    operators: dict[str, OperatorSettings] = {}
    mailboxes: tuple[MailboxSettings, ...] = ()
    source_oid: str = "2.25.4"
    level: Level = Level.N1
    allow_patient_reply: bool = False
    read_receipt: bool = True
    delivery_receipt: bool = True
    test_oids: bool = False
    send_without_qualified_ins: bool = True
    patient_size_limit: int = 25_000_000
    connect_timeout_s: float = 15
    command_timeout_s: float = 30
    data_timeout_s: float = 300
    lost_wait: timedelta = timedelta(minutes=15)
