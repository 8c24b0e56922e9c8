"""The operator's tools, one file a group of commands; `ris/cli.py` puts them together."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ()
