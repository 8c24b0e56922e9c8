"""The kernel: what every feature stands on. It knows no domain and no feature."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("LOC-AUD-01",)
