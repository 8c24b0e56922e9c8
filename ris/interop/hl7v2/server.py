"""The process behind `ris mllp`: the listener and, beside it, what enhanced mode left to apply."""

import asyncio
import contextlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import structlog

from ris.interop.hl7v2.group import Group
from ris.interop.hl7v2.intake import Intake
from ris.interop.hl7v2.mllp import Listener
from ris.interop.hl7v2.replies import Replies
from ris.interop.hl7v2.service import Inbox


async def run(inbox: Inbox, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then let the running exchanges end.

    The log line `hl7.listening` tells the port (0 asks for a free one).
    """
    settings = inbox.settings
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(settings.workers + 1))  # and one that applies
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    group = Group(inbox)
    intake = Intake(group.receive, turns=settings.workers, patience_s=settings.patience_s)
    listener = Listener(settings, intake.receive)
    server = await listener.start(host, port)
    applying = asyncio.create_task(_apply(group, intake, over))
    bound: int = server.sockets[0].getsockname()[1]
    structlog.get_logger().info("hl7.listening", port=bound, tls=settings.certificate is not None)
    await over.wait()
    server.close()
    await listener.drain(settings.answer_timeout_s)
    await applying


async def _apply(group: Group, intake: Intake, over: asyncio.Event) -> None:
    """Apply stored messages every `apply_every_s`, later in a rush, until the process ends."""
    settings = group.inbox.settings
    replies = Replies(group.inbox.database, settings)
    emptied_at = time.monotonic()
    while not over.is_set():
        late = time.monotonic() - emptied_at > settings.apply_within_s
        if late or not intake.hurried(settings.apply_every_s):
            try:
                if await asyncio.to_thread(group.apply_next):
                    continue
                await asyncio.to_thread(replies.run)
            except Exception as error:  # the database is away: the next round tries again
                structlog.get_logger().error("hl7.apply_failed", error=type(error).__name__)
            emptied_at = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), settings.apply_every_s)
