"""Entry rules of what is not a trait: address, phone, billing number. Pure.

They report beside those of the traits (`traits.read_traits`): one answer names every bad field.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ris.auth.values import Address
from ris.core.text import ONE_LINE
from ris.identity.traits import Fault

_ONE_LINE: Final = re.compile(ONE_LINE)
_LINES: Final = 5
_LINE: Final = 200
_SIZES: Final = {"postal_code": 10, "city": 100, "country": 100}
_PHONE: Final = 30
_BILLING: Final = 15


@dataclass(frozen=True, slots=True)
class Contact:
    """What is not an identity trait; None leaves the record as it is."""

    address: Address | None = None
    phone: str | None = None
    billing_number: str | None = None


def contact_faults(contact: Contact) -> Iterator[Fault]:
    """Yield every rule that *contact* breaks; each has its own field, code and message."""
    yield from _text_faults("phone", "PHONE", contact.phone, _PHONE)
    yield from _text_faults("billing_number", "BILLING_NUMBER", contact.billing_number, _BILLING)
    if contact.address is not None:
        yield from _address_faults(contact.address)


def _address_faults(address: Address) -> Iterator[Fault]:
    if len(address.lines) > _LINES:
        yield Fault(("address/lines",), "ADDRESS_TOO_MANY_LINES", f"{_LINES} lignes au plus.")
    for number, line in enumerate(address.lines[:_LINES]):
        yield from _text_faults(f"address/lines/{number}", "ADDRESS_LINE", line, _LINE)
    for field, most in _SIZES.items():
        told: str = getattr(address, field)
        yield from _text_faults(f"address/{field}", f"ADDRESS_{field.upper()}", told, most)


def _text_faults(field: str, code: str, value: str | None, most: int) -> Iterator[Fault]:
    if value is not None and len(value) > most:
        yield Fault((field,), f"{code}_TOO_LONG", f"{most} caractères au plus.")
    if value is not None and _ONE_LINE.fullmatch(value) is None:
        yield Fault((field,), f"{code}_CHARACTERS", "Caractère de contrôle interdit.")
