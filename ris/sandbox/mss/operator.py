"""The operator as one object: two listeners in a thread of their own, and what they received."""

import asyncio
import logging
import ssl
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from ris.core.crypto import Credential
from ris.sandbox.faults import Faults
from ris.sandbox.mss.accounts import Account, Directory
from ris.sandbox.mss.imap import Imap
from ris.sandbox.mss.smtp import SIZE_LIMIT, Handler, Submission
from ris.sandbox.mss.store import Store, Submitted
from ris.sandbox.pki import TestPki
from ris.sandbox.server import hang_up, server_context

_HOST: Final = "127.0.0.1"
_START_S: Final = 10


class SandboxOperator:
    """A strict MSSanté operator on two local ports; a context manager.

    *whitelist* are the allowed domains, *mailboxes* the accounts. *server* replaces the TLS
    certificate shown, *context* the whole TLS policy (tests of a bad operator); *require_cert*
    refuses a client without certificate at the handshake. *faults* operations: `smtp.mail`,
    `smtp.rcpt`, `smtp.data`, `smtp.data.begin`, `imap.login`, `imap.select`, `imap.search`,
    `imap.fetch`.
    """

    def __init__(
        self,
        pki: TestPki,
        faults: Faults | None = None,
        *,
        whitelist: Iterable[str],
        mailboxes: Iterable[Account],
        server: Credential | None = None,
        context: ssl.SSLContext | None = None,
        require_cert: bool = False,
        smtp_port: int = 0,
        imap_port: int = 0,
    ) -> None:
        self.store = Store()
        self.faults = faults or Faults()
        self._context = context or server_context(
            server or pki.server(),
            client_ca=pki.trust,
            client_cert="required" if require_cert else "optional",
            crl=pki.crl,
        )
        directory = Directory(mailboxes)
        self._handler = Handler(directory, whitelist, self.store, self.faults)
        self._imap = Imap(directory, self.store, self._context, self.faults)
        self._asked = (smtp_port, imap_port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sandbox-mss", daemon=True)
        self._ready = threading.Event()
        self.smtp_port = self.imap_port = 0

    @property
    def messages(self) -> list[Submitted]:
        """Every accepted submission, oldest first."""
        return list(self.store.submitted)

    def start(self) -> Self:
        """Listen; returns once both ports answer."""
        logging.getLogger("mail.log").setLevel(
            logging.ERROR
        )  # aiosmtpd warns of its own attributes
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise RuntimeError("the sandbox MSSanté operator did not start")
        return self

    def stop(self) -> None:
        """Close every connection and wait for the thread to end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        servers = self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        self._loop.run_until_complete(_drain(self._loop))
        self._loop.run_until_complete(hang_up())
        self._loop.close()

    async def _listen(self) -> list[asyncio.Server]:
        smtp = await self._loop.create_server(self._submission, _HOST, self._asked[0])
        imap = await asyncio.start_server(self._mailbox, _HOST, self._asked[1])
        self.smtp_port = smtp.sockets[0].getsockname()[1]
        self.imap_port = imap.sockets[0].getsockname()[1]
        return [smtp, imap]

    async def _mailbox(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._imap.serve(reader, writer)

    def _submission(self) -> Submission:
        return Submission(
            self._handler,
            hostname="localhost",
            ident="MSSante sandbox",
            tls_context=self._context,
            require_starttls=True,
            auth_require_tls=True,
            auth_exclude_mechanism=["LOGIN"],
            data_size_limit=SIZE_LIMIT,
            loop=self._loop,
        )


async def _drain(loop: asyncio.AbstractEventLoop) -> None:
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
