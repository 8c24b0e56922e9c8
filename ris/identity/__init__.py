"""The patient and the INS."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("RIS.INS.01",)
