"""Whose each thing is, by the name of the id that a path carries: the doors of the compartments.

Part of the composition root: each room tells of its own. A path's parameter that is neither here
nor known to be harmless fails `tests/security/test_compartments.py`.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from ris.auth.compartments.guard import Doors
from ris.diffusion import compartment as deliveries
from ris.dmp import compartment as oppositions
from ris.identity import compartment as identity
from ris.identity.feature import IdentityFeature
from ris.orders import compartment as exams
from ris.reports import compartment as reports


def doors(feature: IdentityFeature) -> Doors:
    """Return the doors of the whole product."""

    def practices_of(session: Session, patient_id: UUID) -> frozenset[str]:
        return identity.practices_of(session, feature, patient_id)

    return Doors(
        exams={
            "exam_id": exams.owned,
            "report_id": reports.owned,
            "delivery_id": deliveries.owned,
            "opposition_id": oppositions.owned,
        },
        patients=identity.DOORS,
        practices_of=practices_of,
        owners=exams.hidden_owners,
    )
