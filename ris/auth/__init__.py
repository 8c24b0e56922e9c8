"""Who acts: sign-in, situations d'exercice, structures, rights."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("RIS.PSC.01",)
