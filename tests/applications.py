"""Applications that tests hand on to one another: working out its routes costs each new one 0.1 s.

Only the borrowing. What an application knows of a test is in its `state` and its overrides, which
are the borrower's; its routes are those of its kind.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

_IDLE: dict[str, list[FastAPI]] = defaultdict(list)


@contextmanager
def borrowed(kind: str, fresh: FastAPI) -> Iterator[FastAPI]:
    """Give *fresh*, or one of its *kind* that nobody serves any more, made the same."""
    idle = _IDLE[kind]
    application = idle.pop() if idle else fresh
    application.state, application.dependency_overrides = fresh.state, fresh.dependency_overrides
    yield application
    idle.append(application)
