"""A limit on the time of one case among many: what a fuzzer calls a hang."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Hang(Exception):
    """One case took too long."""


@contextmanager
def no_hang(seconds: int) -> Iterator[Callable[[], None]]:
    """Give what to call before each case: a case longer than *seconds* raises `Hang`."""
    before = signal.signal(signal.SIGALRM, _hangs)

    def next_case() -> None:
        signal.alarm(seconds)

    try:
        yield next_case
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _hangs(_signal: int, _frame: FrameType | None) -> None:
    raise Hang
