"""Settings of the FHIR façade: `RIS_FHIR__…`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class FhirSettings(BaseModel):
    """*fr_core*: the version of the French profiles that Patients are written in (R-FHIR-01).

    2.2 has the four statuses of the RNIV; 2.1 and before said VALI for a qualifiée identity.
    """

    model_config = ConfigDict(frozen=True)

    fr_core: Literal["2.1", "2.2"] = "2.2"
