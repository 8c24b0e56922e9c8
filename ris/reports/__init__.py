"""The radiology report: lifecycle, CDA, PDF, validation."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("RIS.CRR.01",)
