"""The process behind `ris mllp`: the listener and, beside it, what enhanced mode left to apply."""

import asyncio
import contextlib
import signal
from concurrent.futures import ThreadPoolExecutor

import structlog

from ris.interop.hl7v2.mllp import Listener
from ris.interop.hl7v2.service import Inbox


async def run(inbox: Inbox, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then let the running exchanges end.

    The log line `hl7.listening` tells the port (0 asks for a free one).
    """
    settings = inbox.settings
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(settings.workers))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    listener = Listener(settings, inbox.receive)
    server = await listener.start(host, port)
    applying = asyncio.create_task(_apply(inbox, over))
    bound: int = server.sockets[0].getsockname()[1]
    structlog.get_logger().info("hl7.listening", port=bound, tls=settings.certificate is not None)
    await over.wait()
    server.close()
    await listener.drain(settings.answer_timeout_s)
    await applying


async def _apply(inbox: Inbox, over: asyncio.Event) -> None:
    """Apply stored messages every `apply_every_s`, until the process ends."""
    while not over.is_set():
        try:
            await asyncio.to_thread(inbox.apply_waiting)
        except Exception as error:  # the database is away: the next round tries again
            structlog.get_logger().error("hl7.apply_failed", error=type(error).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), inbox.settings.apply_every_s)
