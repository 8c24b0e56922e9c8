"""Reading a mailbox at the operator: IMAP4 over STARTTLS, nothing deleted, nothing marked read.

Knows the wire only; what a mail means is `receipts.py`, what becomes of it `poll.py`.
"""

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from imap_tools import MailboxFolderSelectError, MailBoxStartTls, MailboxStarttlsError

from ris.core.errors import Transient
from ris.mss.errors import OperatorAuthRefused, TlsRefused
from ris.mss.smtp import Login

_INBOX: Final = "INBOX"


@dataclass(frozen=True, slots=True)
class Fetched:
    """One mail of a mailbox: its UID and its bytes."""

    uid: int
    raw: bytes


@contextmanager
def opened(
    host: str, port: int, context: ssl.SSLContext, login: Login, *, timeout: float
) -> Iterator[MailBoxStartTls]:
    """Open the mailbox of *login* on its INBOX; every failure is a `RemoteError`."""
    try:
        box = _connected(host, port, context, timeout)
        try:
            _authenticate(box.client, login)
            box.folder.set(_INBOX)
            yield box
        finally:
            _leave(box)
    except (OSError, imaplib.IMAP4.error) as error:
        raise Transient("La boîte MSSanté ne peut pas être lue.") from error


def uidvalidity(box: MailBoxStartTls) -> int:
    """Return the UIDVALIDITY of the selected folder."""
    _kind, data = box.client.response("UIDVALIDITY")
    return int(data[0]) if data and data[0] else 0


def after(box: MailBoxStartTls, last_uid: int) -> Iterator[Fetched]:
    """Yield the mails above *last_uid*, without marking them as read."""
    for uid in _search(box, f"UID {last_uid + 1}:*"):
        if uid > last_uid:  # `n:*` always gives the last one (RFC 3501 §6.4.8)
            _kind, data = box.client.uid("FETCH", str(uid), "(BODY.PEEK[])")
            for part in data:
                if isinstance(part, tuple):
                    yield Fetched(uid, part[1])


def holds(box: MailBoxStartTls, folder: str, message_id: str) -> bool | None:
    """Say whether *folder* holds the mail *message_id*; None when there is no such folder."""
    try:
        box.folder.set(folder, readonly=True)
    except MailboxFolderSelectError:
        return None
    return bool(_search(box, f'HEADER Message-ID "{message_id}"'))


def _search(box: MailBoxStartTls, criteria: str) -> list[int]:
    _kind, data = box.client.uid("SEARCH", criteria)
    return [int(uid) for uid in (data[0] or b"").split()]


def _connected(host: str, port: int, context: ssl.SSLContext, timeout: float) -> MailBoxStartTls:
    try:
        return MailBoxStartTls(host, port, timeout, context)
    except ssl.SSLError as error:
        raise TlsRefused(remote_code=error.reason) from error
    except (MailboxStarttlsError, imaplib.IMAP4.abort) as error:
        raise Transient("L'opérateur MSSanté ne répond pas.") from error
    except imaplib.IMAP4.error as error:
        raise TlsRefused("L'opérateur n'offre pas STARTTLS : rien n'a été lu.") from error


def _authenticate(client: imaplib.IMAP4, login: Login) -> None:
    if login.sasl == "none":
        return
    answers = iter([_initial(login)])
    try:
        client.authenticate(login.sasl.upper(), lambda _challenge: next(answers, b""))
    except imaplib.IMAP4.error as error:  # a cut on the answer is a refusal too (mss.md §5.5)
        raise OperatorAuthRefused from error


def _initial(login: Login) -> bytes:
    if login.sasl == "xoauth2":
        return f"user={login.mailbox}\x01auth=Bearer {login.secret}\x01\x01".encode()
    if login.sasl == "plain":
        return f"\0{login.mailbox}\0{login.secret}".encode()
    return login.mailbox.encode()


def _leave(box: MailBoxStartTls) -> None:
    try:
        box.client.logout()
    except (OSError, imaplib.IMAP4.error):
        box.client.shutdown()
