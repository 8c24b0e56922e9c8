"""The exams of a patient: orders, accession numbers, studies."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ()
