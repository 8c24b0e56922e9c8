"""Settings of identity and INSi: `RIS_IDENTITY__…`. Values a site chooses, no rule."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ris.identity.banner import BannerField
from ris.identity.copies.settings import CopySettings
from ris.identity.insi_values import CallMode
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
    """How INSi is called. The endpoint and the software ids come with the CNDA authorisation."""

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
