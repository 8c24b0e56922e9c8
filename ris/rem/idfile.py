"""Writes `ids.py`, the generated `Literal` of every catalogue id (command `ris rem ids`).

Only the text of that one file is made here.
"""

from pathlib import Path
from typing import Final

from ris.rem.catalogue import load

TARGET: Final = Path(__file__).with_name("ids.py")
_HEAD: Final = '''"""Every requirement id, for mypy, for editors and for `satisfies` at import.

Generated from `catalogue.csv` by `ris rem ids`; never edit by hand.
"""

from typing import Final, Literal, get_args

Rem = Literal[
'''
_TAIL: Final = """]
KNOWN: Final[frozenset[str]] = frozenset(get_args(Rem))
"""


def ids_source() -> str:
    """Return the Python source of `ids.py` for the shipped catalogue."""
    return _HEAD + "".join(f'    "{requirement}",\n' for requirement in load()) + _TAIL


def write_ids(target: Path = TARGET) -> None:
    """Write the generated module."""
    target.write_text(ids_source(), encoding="utf-8")
