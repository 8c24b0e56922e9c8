"""Thin adapters to other systems' formats; no rule of their own."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ()
