"""Settings of the reports: `RIS_REPORTS__…`."""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ris.rem import satisfies

_NOTICE = (
    "Vos données de santé sont traitées par le centre d'imagerie pour votre prise en charge. "
    "Vous disposez d'un droit d'accès, de rectification et d'opposition auprès du centre."
)


class PaperTrait(StrEnum):
    """A trait that a site may add to the compulsory ones on paper."""

    BIRTH_GIVEN_NAMES = "birth_given_names"
    USED_FAMILY = "used_family"
    USED_GIVEN = "used_given"
    BIRTH_PLACE = "birth_place"


@satisfies("RIS.DOC.06", "RIS.INS.53")
class ReportSettings(BaseModel):
    """How reports are written, checked and printed.

    *kit_dir* is the `kit` directory of the official CDA test kit (not shipped): when it is there
    the XSD runs at signature, and the schematrons in the worker when *schematron* says so.
    The CDA level sent is a setting of each channel (ruling 18).
    """

    model_config = ConfigDict(frozen=True)

    kit_dir: Path | None = None
    schematron: Literal["off", "worker"] = "off"
    identity_rendition: Literal["auto", "ask"] = "auto"
    gdpr_notice: str = _NOTICE
    paper_traits: frozenset[PaperTrait] = frozenset(PaperTrait)
    review_period_days: int = 30
    overdue_after_hours: int = 72
