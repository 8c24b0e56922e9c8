"""Settings of the DMP feature (`RIS_DMP__…`). Every doubtful literal of dmp.md §19 is a key here.

Values only: no file is opened, no rule of the DMP is applied.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ris.core.settings import HttpSettings
from ris.reports.content import Level

ErrorClass = Literal["transient", "lost", "permanent", "held", "config", "duplicate", "warning"]
_CLASSES: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:"


class DmpSettings(BaseModel):
    """How this installation speaks to the DMP.

    *authn_contexts* gives the class that the VIHF declares for each method of sign-in,
    *authn_context* the one of every other method: dmp.md names none for Pro Santé Connect [?].
    *feed* is `INDIRECTE`: `INDIRECTE_RENFORCEE` cannot feed (INF-606) and is refused at start-up.
    """

    model_config = ConfigDict(frozen=True)

    patients_url: str = ""
    repository_url: str = ""
    registry_url: str = ""
    trust: Path | None = None

    homologation: str = ""  # given by the CNDA, never defaulted
    software_name: str = "Segur RIS Core"
    software_version: str = "1.0"
    installation_id: str = ""
    source_oid: str = ""

    feed: Literal["INDIRECTE"] = "INDIRECTE"
    vihf_version: Literal["2.0", "3.0", "4.0"] = "3.0"  # [?] 4.0 in one PFI table
    mode_attribute: Literal["Authentification_Mode", "Authentification_mode"] = (
        "Authentification_Mode"
    )
    authn_context: str = f"{_CLASSES}unspecified"
    authn_contexts: dict[str, str] = Field(
        default_factory=lambda: {
            "CPX_MTLS": f"{_CLASSES}SmartcardPKI",
            "LOCAL_EMERGENCY": f"{_CLASSES}Password",
        }
    )
    processing_code: Literal["D", "P"] = "D"  # [?] P in production
    lot_signature_suite: Literal["sha1", "sha256"] = "sha1"  # [?] sha256 not verified
    level: Level = Level.N1
    ccam_system: str | None = None
    content_type: str = "07"
    content_type_label: str = "Consultation"
    pad_service_time: bool = False

    existence_cache_s: int = 900
    production: bool = False
    extra_codes: dict[str, ErrorClass] = Field(default_factory=dict)
    http: HttpSettings = HttpSettings()
