"""Dates and instants that a request gives: written out, never a number.

Left alone the library reads `0`, or `2026`, as seconds since 1970: a period asked for by its year
would silently begin then.
"""

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float)


def _day(value: object) -> object:
    if _is_number(value):
        raise PydanticCustomError("date_type", "a number is no date")
    return value


def _instant(value: object) -> object:
    if _is_number(value):
        raise PydanticCustomError("datetime_type", "a number is no instant")
    return value


Day = Annotated[date, BeforeValidator(_day)]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
