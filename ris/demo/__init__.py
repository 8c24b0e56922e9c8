"""`make demo`: the main job played end to end through the public API, on the sandbox services."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ()
