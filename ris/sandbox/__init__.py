"""Strict simulators of the national services; imports the kernel only."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ()
