"""Between listener and inbox: what several connections bring at one time is taken together.

A sender that waits for its answer costs one commit; eight that wait cost one commit too.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ris.interop.hl7v2.group import Arrival

_AT_ONCE: Final = 32

Take = Callable[[Sequence[Arrival]], Sequence[bytes | None]]


class Intake:
    """Gives messages to *take* (`Group.receive`, in a thread), *turns* groups at a time at most.

    When the last group was of several, the next waits *patience_s* for company: senders that got
    their answers together come back together.
    """

    def __init__(self, take: Take, *, turns: int, patience_s: float) -> None:
        self._take = take
        self._turns = turns
        self._patience_s = patience_s
        self._waiting: deque[tuple[Arrival, asyncio.Future[bytes | None]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._last = 1
        self._last_at = 0.0

    async def receive(self, data: bytes, origin: str, whole: bool) -> bytes | None:
        """Return the answer to one message; raises what `take` raises."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((Arrival(data, origin, whole), answer))
        if len(self._running) < self._turns:
            task = asyncio.create_task(self._turn())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        told: bytes | None = await answer
        return told

    def hurried(self, within_s: float) -> bool:
        """Say whether several connections brought messages at a time in the last *within_s*."""
        return self._last > 1 and time.monotonic() - self._last_at < within_s

    async def _turn(self) -> None:
        while self._waiting:
            if self._last > 1:
                await asyncio.sleep(self._patience_s)
            self._last = min(len(self._waiting), _AT_ONCE)
            self._last_at = time.monotonic()
            await self._answer([self._waiting.popleft() for _ in range(self._last)])

    async def _answer(self, group: list[tuple[Arrival, "asyncio.Future[bytes | None]"]]) -> None:
        try:
            answers = await asyncio.to_thread(self._take, [arrival for arrival, _ in group])
        except Exception as error:  # each connection is told, none is left waiting
            for _, waiting in group:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in zip(group, answers, strict=True):
            if not waiting.done():  # its connection is gone: the message is kept all the same
                waiting.set_result(answer)
