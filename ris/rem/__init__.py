"""The REM catalogue and how code, tests and evidence point at it."""

from typing import Final

from ris.rem.tags import satisfies

__all__ = ["satisfies"]
__rem__: Final[tuple[str, ...]] = ("LOC-TRC-01", "LOC-TRC-02")
