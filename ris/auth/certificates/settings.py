"""Settings of the certificates (`RIS_AUTH__POOL__…`); their folder is `RIS_AUTH__CERTIFICATES`."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_Name = Annotated[str, StringConstraints(max_length=64)]


class PoolSettings(BaseModel):
    """What a certificate must be, and when its end is told.

    *trust* holds the authorities a certificate added must come from (PEM; else the site's trust
    store; none: not checked). *thresholds* are days before the end. *rsa_bits* and *hashes* are
    the floor of keys and signatures. *watched* names certificates (PEM) kept outside the pool
    whose end is told too; those of Pro Santé Connect, of the card listener and of HL7 always are.
    """

    model_config = ConfigDict(frozen=True)

    trust: Path | None = None
    thresholds: tuple[int, ...] = (90, 60, 30, 7)
    rsa_bits: int = Field(default=2048, ge=2048)
    hashes: frozenset[str] = frozenset({"sha256", "sha384", "sha512"})
    watched: dict[_Name, Path] = Field(default_factory=dict)
    production: bool = False
