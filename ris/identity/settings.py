"""Settings of identity and INSi: `RIS_IDENTITY__…`. Values a site chooses, no rule."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.auth.card.settings import CardSettings
from ris.core.breaker import Policy
from ris.identity.banner import BannerField
from ris.identity.copies.settings import CopySettings
from ris.identity.insi.values import CallMode
from ris.rem import satisfies


class DocumentType(BaseModel):
    """One identity document the site accepts, and how far it is trusted (ins.md §4.4).

    *minors_only*: high trust for a minor only, beside a *companion* document of a parent.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    label: str
    trust: Literal["high", "low"]
    minors_only: bool = False


def _high(code: str, label: str, *, minors_only: bool = False) -> DocumentType:
    return DocumentType(code=code, label=label, trust="high", minors_only=minors_only)


def _low(code: str, label: str) -> DocumentType:
    return DocumentType(code=code, label=label, trust="low")


_DOCUMENTS = (
    _high("CN", "Carte nationale d'identité"),
    _high("PA", "Passeport"),
    _high("CS", "Titre de séjour"),
    _high("eCN", "France Identité"),
    _high("IN", "L'Identité Numérique La Poste"),
    _high("AN", "Extrait d'acte de naissance", minors_only=True),
    _high("LEP", "Livret de famille des parents", minors_only=True),
    _high("CC", "Document de circulation pour étranger mineur", minors_only=True),
    _low("PC", "Permis de conduire"),
    _low("CE", "Carte européenne d'assurance maladie"),
    _low("CM", "Carte militaire ou professionnelle"),
)


class InsiSettings(BaseModel):
    """How INSi is called. The endpoints and the software ids come with the CNDA authorisation.

    *structure* serves calls that nobody in particular makes. *cpx_endpoint* is the address of
    calls by card, *cards* says which cards are to be believed. *verification* and *bulk* say how an
    INS is verified: `emulated` by the search by traits, `provisional` by a contract of our own
    that only the sandbox speaks (the real one is not public), or not at all. An INS is verified
    again *reverify_after_months* after the last time, *bulk_size* at a time.
    """

    model_config = ConfigDict(frozen=True)

    endpoint: str = ""
    structure: str = ""
    idam: str = ""
    software: str = "segur-ris-core"
    version: str = "0.1.0"
    instance: UUID = UUID(int=0)
    mode: CallMode = CallMode.MANUAL
    connect_timeout_s: float = 5
    total_timeout_s: float = 15
    max_calls: int = 6
    tolerate_bad_key: bool = False
    max_answer_bytes: int = 1_000_000
    breaker_failures: int = 5
    breaker_open_s: float = 60
    breaker_max_s: float = 900
    cpx_endpoint: str = ""
    cards: CardSettings = CardSettings()
    cpx_life_s: int = Field(default=3600, ge=60)
    verification: Literal["off", "emulated", "provisional"] = "emulated"
    bulk: Literal["off", "emulated", "provisional"] = "off"
    bulk_automatic: bool = True
    bulk_size: int = Field(default=2000, ge=1)
    bulk_poll_s: float = 300
    bulk_every_s: int = 60
    retry_delays_s: tuple[float, ...] = (60, 300, 1800, 14_400)
    reverify_after_months: int = Field(default=36, ge=1)

    @property
    def breaker(self) -> Policy:
        """When calls are suspended, and for how long (ins.md R-ERR-02)."""
        return Policy(self.breaker_failures, self.breaker_open_s, self.breaker_max_s)

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after the failure of *attempt* (1, 2…)."""
        return self.retry_delays_s[min(attempt, len(self.retry_delays_s)) - 1]


@satisfies("RIS.INS.19", "RIS.INS.21")
class IdentitySettings(BaseModel):
    """What a site decides about identities. Automatic validation is off unless asked for.

    *repository*: this software is the identity repository of its domain (profile « Référentiel
    d'identités »). When it is not, identities come by feed only (ins.md R-PAM-04).
    """

    model_config = ConfigDict(frozen=True)

    repository: bool = True
    documents: tuple[DocumentType, ...] = _DOCUMENTS
    automatic_validation: bool = False
    major_difference_blocks_qualification: bool = True
    search_max_letters: int | None = None
    search_limit: int = 50
    scan_max_bytes: int = 5_000_000
    ipp_digits: int = 10
    banner: tuple[BannerField, ...] = tuple(BannerField)
    insi: InsiSettings = InsiSettings()
    copies: CopySettings = CopySettings()
    copy_retention_months: int = Field(default=60, ge=1, le=60)

    def document(self, code: str) -> DocumentType | None:
        """Return the document type of this code, or None when it is not on the site's list."""
        return next((document for document in self.documents if document.code == code), None)
