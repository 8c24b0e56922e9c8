"""Entry rules of what is not a trait: address, phone, billing number. Pure.

They report beside those of the traits (`traits.read_traits`): one answer names every bad field.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ris.auth.values import Address
from ris.identity.traits import Fault

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
    if contact.phone is not None and len(contact.phone) > _PHONE:
        yield Fault(("phone",), "PHONE_TOO_LONG", f"{_PHONE} caractères au plus.")
    if contact.billing_number is not None and len(contact.billing_number) > _BILLING:
        yield Fault(
            ("billing_number",), "BILLING_NUMBER_TOO_LONG", f"{_BILLING} caractères au plus."
        )
    if contact.address is not None:
        yield from _address_faults(contact.address)


def _address_faults(address: Address) -> Iterator[Fault]:
    if len(address.lines) > _LINES:
        yield Fault(("address/lines",), "ADDRESS_TOO_MANY_LINES", f"{_LINES} lignes au plus.")
    for number, line in enumerate(address.lines[:_LINES]):
        if len(line) > _LINE:
            where = f"address/lines/{number}"
            yield Fault((where,), "ADDRESS_LINE_TOO_LONG", f"{_LINE} caractères au plus.")
    for field, most in _SIZES.items():
        if len(getattr(address, field)) > most:
            code = f"ADDRESS_{field.upper()}_TOO_LONG"
            yield Fault((f"address/{field}",), code, f"{most} caractères au plus.")
