"""The mailbox service: an IMAP4rev1 subset over STARTTLS (RFC 3501), enough for a receipt poller.

CAPABILITY, STARTTLS, LOGIN, AUTHENTICATE (PLAIN, EXTERNAL, XOAUTH2), LIST, SELECT, EXAMINE, UID
SEARCH (ALL, UNSEEN, UID n:*, HEADER name value), UID FETCH, UID STORE +FLAGS, NOOP, CLOSE,
EXPUNGE, LOGOUT; BAD for all else.
"""

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes
from typing import Final

from ris.sandbox.faults import Faults
from ris.sandbox.mss.accounts import Directory
from ris.sandbox.mss.store import UIDVALIDITY, Store, Stored

_CHALLENGE: Final = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"mail"}').decode()
_SASL: Final = "SASL-IR AUTH=PLAIN AUTH=EXTERNAL AUTH=XOAUTH2"
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


class Refused(Exception):
    """A tagged NO or BAD; the argument is the whole answer after the tag."""


@dataclass
class Connection:
    """One client: its streams, its login and the folder it selected."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    user: str | None = None
    folder: str | None = None

    def say(self, line: str) -> None:
        """Write one line."""
        self.writer.write(line.encode() + b"\r\n")

    async def ask(self, challenge: str = "") -> str:
        """Send a continuation and return the client's line."""
        self.say(f"+ {challenge}")
        await self.writer.drain()
        return (await self.reader.readline()).decode().strip()

    def peer(self) -> bytes | None:
        """Return the client's certificate, DER."""
        secure = self.writer.get_extra_info("ssl_object")
        return secure.getpeercert(binary_form=True) if secure else None

    @property
    def secure(self) -> bool:
        """Say whether TLS is up."""
        return self.writer.get_extra_info("ssl_object") is not None


class Imap:
    """The service; `serve` is one connection."""

    def __init__(
        self, directory: Directory, store: Store, context: ssl.SSLContext, faults: Faults
    ) -> None:
        self._directory = directory
        self._store = store
        self._context = context
        self._faults = faults
        self._commands: dict[str, Callable[[Connection, str], Awaitable[None]]] = {
            "LIST": self._list,
            "SELECT": self._select,
            "EXAMINE": self._select,
            "UID SEARCH": self._search,
            "UID FETCH": self._fetch,
            "UID STORE": self._flag,
            "CLOSE": self._nothing,
            "EXPUNGE": self._nothing,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run one connection until LOGOUT or the end of the stream."""
        connection = Connection(reader, writer)
        connection.say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready")
        try:
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                if not await self._line(connection, line):
                    break
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _line(self, connection: Connection, line: str) -> bool:
        tag, _, rest = line.partition(" ")
        command, _, argument = rest.partition(" ")
        command = command.upper()
        if command == "UID":
            word, _, argument = argument.partition(" ")
            command = f"UID {word.upper()}"
        try:
            await self._dispatch(connection, tag, command, argument)
            connection.say(f"{tag} OK {command} completed")
        except Refused as refused:
            connection.say(f"{tag} {refused}")
        await connection.writer.drain()
        if command == "STARTTLS" and not connection.secure:
            await connection.writer.start_tls(self._context)
        return command != "LOGOUT"

    async def _dispatch(
        self, connection: Connection, tag: str, command: str, argument: str
    ) -> None:
        if command == "CAPABILITY":
            offered = _SASL if connection.secure else "STARTTLS LOGINDISABLED"
            connection.say(f"* CAPABILITY IMAP4rev1 {offered}")
        elif command == "LOGOUT":
            connection.say("* BYE")
        elif command == "NOOP":
            return
        elif command == "STARTTLS":
            if connection.secure:
                raise Refused("BAD TLS is already up")
        elif not connection.secure:
            raise Refused("BAD [PRIVACYREQUIRED] STARTTLS first")
        elif command in ("LOGIN", "AUTHENTICATE"):
            await self._login(connection, command, argument)
        elif connection.user is None:
            raise Refused("BAD not authenticated")
        elif command in self._commands:
            await self._commands[command](connection, argument)
        else:
            raise Refused("BAD not in this subset")

    async def _login(self, connection: Connection, command: str, argument: str) -> None:
        await self._suffer(connection, "imap.login")
        words = _words(argument)
        if command == "LOGIN" and len(words) == 2:
            if self._directory.by_password(words[0], words[1]):
                connection.user = words[0]
        elif words:
            await self._sasl(connection, words[0].upper(), words[1] if words[1:] else None)
        if connection.user is None:
            raise Refused("NO [AUTHENTICATIONFAILED] refused")

    async def _sasl(self, connection: Connection, mechanism: str, initial: str | None) -> None:
        blob = _decoded(initial if initial is not None else await connection.ask())
        if mechanism == "PLAIN":
            parts = blob.split("\x00")
            if len(parts) == 3 and self._directory.by_password(parts[1], parts[2]):
                connection.user = parts[1]
        elif mechanism == "EXTERNAL":
            if self._directory.by_certificate(connection.peer(), blob):
                connection.user = blob
        elif mechanism == "XOAUTH2":
            connection.user = self._directory.by_xoauth2(blob)
            if connection.user is None:
                await connection.ask(_CHALLENGE)

    async def _list(self, connection: Connection, _argument: str) -> None:
        for name in self._store.names(connection.user or ""):
            connection.say(f'* LIST () "/" "{name}"')

    async def _select(self, connection: Connection, argument: str) -> None:
        await self._suffer(connection, "imap.select")
        name = _words(argument)[0]
        if name.upper() not in {one.upper() for one in self._store.names(connection.user or "")}:
            raise Refused("NO [NONEXISTENT] no such folder")
        connection.folder = name
        held = self._store.folder(connection.user or "", name)
        connection.say("* FLAGS (\\Seen $RisProcessed)")
        connection.say(f"* {len(held)} EXISTS")
        connection.say("* 0 RECENT")
        connection.say(f"* OK [UIDVALIDITY {UIDVALIDITY}] stable")
        connection.say(f"* OK [UIDNEXT {len(held) + 1}] next")
        connection.say("* OK [PERMANENTFLAGS (\\Seen \\*)] any keyword")

    async def _search(self, connection: Connection, argument: str) -> None:
        await self._suffer(connection, "imap.search")
        held = self._held(connection)
        found = [str(one.uid) for one in held if _matches(one, argument, len(held))]
        connection.say(" ".join(["* SEARCH", *found]))

    async def _fetch(self, connection: Connection, argument: str) -> None:
        await self._suffer(connection, "imap.fetch")
        wanted, _, items = argument.partition(" ")
        for number, one in enumerate(self._held(connection), 1):
            if not _in_set(one.uid, wanted, len(self._held(connection))):
                continue
            if "BODY[" in items.upper() and "PEEK" not in items.upper():
                one.flags.add("\\Seen")
            flags = " ".join(sorted(one.flags))
            body = f"BODY[] {{{len(one.raw)}}}\r\n".encode() + one.raw if "BODY" in items else b""
            head = f"* {number} FETCH (UID {one.uid} FLAGS ({flags}) RFC822.SIZE {len(one.raw)} "
            connection.writer.write(head.encode() + body + b")\r\n")

    async def _flag(self, connection: Connection, argument: str) -> None:
        wanted, _, rest = argument.partition(" ")
        held = self._held(connection)
        flags = set(re.findall(r"[\\$]?\w+", rest.partition(" ")[2]))
        for one in held:
            if _in_set(one.uid, wanted, len(held)):
                one.flags |= flags

    async def _nothing(self, _connection: Connection, _argument: str) -> None:
        return

    def _held(self, connection: Connection) -> list[Stored]:
        if connection.folder is None:
            raise Refused("BAD no folder selected")
        return self._store.folder(connection.user or "", connection.folder)

    async def _suffer(self, connection: Connection, operation: str) -> None:
        fault = self._faults.next(operation)
        if fault is None:
            return
        await fault.wait_async()
        if fault.kind in ("drop", "close_mid_message"):
            connection.writer.transport.abort()
            raise ConnectionResetError
        if fault.kind != "delay":
            raise Refused(f"NO [{fault.code or 'UNAVAILABLE'}] injected fault")


def _words(argument: str) -> list[str]:
    return [quoted or bare for quoted, bare in _QUOTED.findall(argument)]


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _in_set(uid: int, wanted: str, last: int) -> bool:
    for part in wanted.split(","):
        low, _, high = part.partition(":")
        first = last if low == "*" else int(low)
        end = first if not high else last if high == "*" else int(high)
        if min(first, end) <= uid <= max(first, end):
            return True
    return False


def _matches(one: Stored, criteria: str, last: int) -> bool:
    words = _words(criteria.replace("(", " ").replace(")", " "))
    keys = [word.upper() for word in words]
    if "UNSEEN" in keys and "\\Seen" in one.flags:
        return False
    if "UID" in keys and not _in_set(one.uid, words[keys.index("UID") + 1], last):
        return False
    if "HEADER" in keys:
        place = keys.index("HEADER")
        value = message_from_bytes(one.raw)[words[place + 1]] or ""
        return words[place + 2] in value
    return True
