"""Scripted faults: what a test or an integrator asks a simulator to suffer, and when.

Thread-safe and shared by every simulator. How a fault looks on the wire is each simulator's own
affair; `ris.sandbox.server.Cut` cuts an HTTP connection.
"""

import asyncio
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, Literal

ANY: Final = "*"
Kind = Literal["delay", "drop", "http", "soap", "smtp", "close_mid_message", "drip"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One misfortune.

    *kind*: `delay` (answer normally after *seconds*), `drop` (cut, after *seconds*), `http`
    (answer *status*), `soap` (fault whose subcode is *code*), `smtp` (reply *status*, enhanced
    *code*), `close_mid_message` (cut in the middle of the answer), `drip` (a byte every
    *seconds*). *times*: how many calls suffer it. *after*: the effect takes place first (the
    answer alone is lost), else nothing is done.
    """

    kind: Kind
    times: int = 1
    seconds: float = 0
    status: int = 500
    code: str = ""
    after: bool = False

    def wait(self) -> None:
        """Sleep *seconds*, in a synchronous simulator."""
        time.sleep(self.seconds)

    async def wait_async(self) -> None:
        """Sleep *seconds*, in an asynchronous simulator."""
        await asyncio.sleep(self.seconds)


@dataclass
class Faults:
    """The script: a queue of faults per operation; operation `*` strikes any call.

    *suffered* names the operations struck so far, oldest first.
    """

    suffered: list[str] = field(default_factory=list)
    _queues: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, operation: str, fault: Fault) -> None:
        """Make the next `fault.times` calls of *operation* suffer *fault*, after those queued."""
        with self._lock:
            self._queues[operation].extend([fault] * fault.times)

    def next(self, operation: str) -> Fault | None:
        """Return the fault this call of *operation* must suffer, and use it up."""
        with self._lock:
            for queue in (self._queues[operation], self._queues[ANY]):
                if queue:
                    self.suffered.append(operation)
                    return queue.pop(0)
        return None

    def clear(self) -> None:
        """Forget every fault not yet suffered."""
        with self._lock:
            self._queues.clear()
