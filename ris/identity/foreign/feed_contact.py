"""The address and the telephone of a feed: kept when they keep the entry rules, else left out.

Pure. A telephone too long must not hold back the news of an identity, a withdrawn INS least of all:
the message is applied, its sender is told what was not kept.
"""

from ris.identity.entry import Contact, contact_faults
from ris.identity.foreign.feed import Alert, Inbound


def kept(inbound: Inbound) -> tuple[Contact, tuple[Alert, ...]]:
    """Return what to write of the contact details of *inbound*, and what to tell of the rest."""
    phone, address, alerts = inbound.phone, inbound.address, []
    if next(contact_faults(Contact(phone=phone)), None):
        phone, alerts = None, [Alert.PHONE_REFUSED]
    if next(contact_faults(Contact(address=address)), None):
        address, alerts = None, [*alerts, Alert.ADDRESS_REFUSED]
    return Contact(address, phone), tuple(alerts)
