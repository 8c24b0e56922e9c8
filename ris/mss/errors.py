"""Errors of MSSanté sending. Codes of mss.md §16; no address, matricule or name in any text."""

from ris.core.errors import Held, Invalid, NotFound, Permanent, Transient


class PatientAddressRefused(Invalid):
    """No patient address may be built: `INS_NOT_QUALIFIED`, `OID_NOT_ALLOWED`, `BAD_KEY`…"""

    code = "INS_NOT_QUALIFIED"
    title = "Pas de messagerie citoyenne possible pour ce patient"
    rem = ("RIS.MSS.12",)


class AmbiguousAddress(Invalid):
    """Several mailboxes are equally good: a person must choose (mss.md §7.2)."""

    code = "AMBIGUOUS_ADDRESS"
    title = "Plusieurs messageries possibles pour ce professionnel"


class NoAddress(Invalid):
    """The directory gives no usable mailbox for this professional."""

    code = "NO_ADDRESS"
    title = "Aucune messagerie MSSanté connue pour ce professionnel"


class XdmRefused(Invalid):
    """The archive is not an acceptable IHE_XDM volume; `code` says why (mss.md §10.2)."""

    code = "XDM_REFUSED"
    title = "Archive IHE_XDM refusée"


class WhitelistRefused(Invalid):
    """The new list of allowed domains is unreadable, or shrinks too much to be believed."""

    code = "WHITELIST_REFUSED"
    title = "Liste blanche MSSanté refusée"


class MailboxNotConfigured(Held):
    """No mailbox of the settings serves this structure or this radiologist."""

    code = "NO_MAILBOX"
    title = "Aucune boîte MSSanté configurée pour cette structure"


class MessageRefused(Permanent):
    """The operator, or our own last check, refuses this message for good."""

    code = "REJECTED"
    title = "Message MSSanté refusé"


class OperatorAuthRefused(Held):
    """The operator refuses our credentials: a person must act; the message waits."""

    code = "AUTH_REFUSED"
    title = "Authentification refusée par l'opérateur MSSanté"


class AwaitingSession(Held):
    """A personal mailbox needs the live Pro Santé Connect session of its owner (mss.md §5.4)."""

    code = "AWAITING_SESSION"
    title = "En attente de la connexion du titulaire de la boîte"


class TlsRefused(Transient):
    """The operator's TLS version, suite or certificate is not acceptable: nothing was sent.

    Transient on purpose: the operator or our revocation list may be put right meanwhile.
    """

    code = "TLS_REFUSED"
    title = "Connexion sécurisée refusée avec l'opérateur MSSanté"


class NotSupported(Permanent):
    """MSSanté has no message for this operation."""

    code = "NOT_SUPPORTED"
    title = "Opération sans objet pour la messagerie"


class MessageNotFound(NotFound):
    """This delivery is not a mail, or was not written yet."""

    code = "MESSAGE_NOT_FOUND"
    title = "Message introuvable"
