"""The tag that says which REM requirements a piece of code fulfils. It has no other effect.

Imported everywhere, so it reads no file: the ids come from the generated `ris/rem/ids.py`.
Looking requirements up, scanning and reporting live in the other modules of this package.
"""

from collections.abc import Callable
from typing import TypeVar

from ris.rem.ids import KNOWN, Rem

T = TypeVar("T")
MAX_IDS = 3


class UnknownRequirement(LookupError):
    """No requirement has this id, or it is an alias where only canonical ids are allowed."""


def known(requirements: tuple[str, ...]) -> None:
    """Raise `UnknownRequirement` unless every id is canonical (engineering.md §8.1)."""
    for requirement in requirements:
        if requirement not in KNOWN:
            raise UnknownRequirement(
                f"{requirement!r} is not a canonical id of ris/rem/catalogue.csv"
            )


def satisfies(*requirements: Rem) -> Callable[[T], T]:
    """Say which REM requirements this code fulfils; read by `ris rem matrix` and by OpenAPI.

    Ids are canonical and literal, at most three a tag; none marks a route that serves no
    requirement. Raises `UnknownRequirement` or `ValueError` at import (engineering.md §8.1).
    """
    known(requirements)
    if len(requirements) > MAX_IDS:
        raise ValueError(f"at most {MAX_IDS} ids a tag: tag the place a reviewer should read")

    def tag(target: T) -> T:
        target.__rem__ = (*getattr(target, "__rem__", ()), *requirements)  # type: ignore[attr-defined]
        return target

    return tag
