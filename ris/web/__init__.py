"""HTTP plumbing that every routes.py imports; knows no feature."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ()
