"""DMP feeding: VIHF, submission, signature, transactions."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("RIS.DMP.01",)
