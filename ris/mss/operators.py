"""Which mailbox sends, where its operator listens, and what proves it (mss.md §5.1, §5.4).

Resolves settings and credentials; opens nothing.
"""

import ssl
from collections.abc import Callable
from typing import Final

from ris.auth.certificates.values import Usage
from ris.core.crypto import Credential
from ris.core.errors import NotConfigured, RisError
from ris.mss.errors import AwaitingSession, MailboxNotConfigured
from ris.mss.settings import (
    AuthMode,
    MailboxSettings,
    MssSettings,
    OperatorSettings,
)
from ris.mss.smtp import Endpoint, Login
from ris.mss.tls import operator_context
from ris.rem import satisfies

CredentialFor = Callable[[str, Usage], Credential]
TokenFor = Callable[[str], str | None]
_BY_CERTIFICATE: Final = (AuthMode.ORG_CERT, AuthMode.RPPS_RANG_CERT)


def no_token(_ps_idnat: str) -> str | None:
    """Return None: no live Pro Santé Connect session is known here."""
    return None


@satisfies("RIS.MSS.23", "RIS.MSS.24")
def sending_mailbox(
    settings: MssSettings, ps_idnat: str, struct_idnat: str, *, shared: bool = True
) -> MailboxSettings:
    """Return the mailbox a report leaves from when *ps_idnat* signed it in *struct_idnat*.

    The signer's own nominative mailbox, else the structure's, else the one of any structure if it
    may be *shared*: an SCM's practices never send from one (AUTH-60). Raises
    `MailboxNotConfigured`.
    """
    usable = [
        one
        for one in settings.mailboxes
        if one.ps_idnat in ("", ps_idnat) and one.struct_idnat in ("", struct_idnat)
        if shared or one.ps_idnat or one.struct_idnat
    ]
    if not usable:
        raise MailboxNotConfigured("Déclarez une boîte dans RIS_MSS__MAILBOXES.")
    return min(usable, key=lambda one: (not one.ps_idnat, not one.struct_idnat))


def mailbox(settings: MssSettings, address: str) -> MailboxSettings:
    """Return the settings of mailbox *address*; raises `MailboxNotConfigured`."""
    for one in settings.mailboxes:
        if one.address == address:
            return one
    raise MailboxNotConfigured("La boîte d'émission de ce message n'est plus configurée.")


def operator_of(settings: MssSettings, box: MailboxSettings) -> OperatorSettings:
    """Return where the operator of *box* listens; raises `MailboxNotConfigured`."""
    if box.operator not in settings.operators:
        raise MailboxNotConfigured(
            "Opérateur MSSanté absent de RIS_MSS__OPERATORS.", code="NO_SERVER_FOR_DOMAIN"
        )
    return settings.operators[box.operator]


def smtp_endpoint(settings: MssSettings, box: MailboxSettings) -> Endpoint:
    """Return the submission service of *box* with its time-outs."""
    operator = operator_of(settings, box)
    return Endpoint(
        operator.host, operator.smtp_port, settings.connect_timeout_s,
        settings.command_timeout_s, settings.data_timeout_s, operator.size_limit,
    )  # fmt: skip


@satisfies("RIS.MSS.23", "RIS.MSS.24", "SC.MSS/CONF.28")
def proof(
    settings: MssSettings,
    box: MailboxSettings,
    struct_idnat: str,
    credential_for: CredentialFor,
    token_for: TokenFor = no_token,
) -> tuple[ssl.SSLContext, Login]:
    """Return the TLS context and the login of *box*, for reports of *struct_idnat*.

    The token of `PSC_XOAUTH2` is asked for at each call and never kept. Raises `AwaitingSession`,
    or `MailboxNotConfigured` when the certificate is missing.
    """
    credential = None
    if box.auth in _BY_CERTIFICATE:
        credential = _certificate(box.struct_idnat or struct_idnat, credential_for)
    try:
        context = operator_context(
            settings.tls_policy,
            settings.trust,
            crl=settings.crl,
            revocation=settings.revocation,
            credential=credential,
        )
    except (NotConfigured, OSError) as error:  # ssl.SSLError is an OSError
        raise MailboxNotConfigured(
            "Autorités, liste de révocation ou certificat illisibles.", code="TLS_FILES"
        ) from error
    return context, _login(box, token_for)


def _certificate(struct_idnat: str, credential_for: CredentialFor) -> Credential:
    try:
        return credential_for(struct_idnat, "AUTH_CLI")
    except RisError as error:
        raise MailboxNotConfigured(error.detail, code=error.code) from error


def _login(box: MailboxSettings, token_for: TokenFor) -> Login:
    if box.auth is AuthMode.PSC_XOAUTH2:
        token = token_for(box.ps_idnat)
        if token is None:
            raise AwaitingSession
        return Login(box.address, "xoauth2", token)
    if box.auth is AuthMode.PASSWORD or box.sasl == "plain":
        if box.password is None:
            raise MailboxNotConfigured("Mot de passe de la boîte absent.")
        return Login(box.address, "plain", box.password.get_secret_value())
    return Login(box.address, box.sasl)


def check_configuration(settings: MssSettings) -> None:
    """Raise `NotConfigured` when sending is asked for and something it needs is missing."""
    if settings.mailboxes and settings.trust is None:
        raise NotConfigured("RIS_MSS__TRUST (autorités IGC-Santé) est requis.", rem=("RIS.MSS.04",))
    for box in settings.mailboxes:
        operator_of(settings, box)
