"""Which partners received the INS of a patient: written by whoever sends it (read: `journals`)."""

from uuid import UUID

from sqlalchemy.orm import Session

from ris.identity.propagation.model import InsDisclosure
from ris.rem import satisfies


@satisfies("RIS.INS.51")
def note(
    session: Session,
    patient_id: UUID,
    *,
    sender: str,
    partner: str,
    channel: str,
    reference: str,
) -> InsDisclosure:
    """Record that *partner* received the INS of a patient, in the transaction that says it left.

    *sender* and *partner* are a domain OID, a mail address or a system name; *channel* `hl7_pam`,
    `dmp`, `mss_ps`…; *reference* the message or delivery.
    """
    row = InsDisclosure(
        patient_id=patient_id, sender=sender, partner=partner, channel=channel, reference=reference
    )
    session.add(row)
    session.flush()
    return row
