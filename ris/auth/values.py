"""Plain values about professionals and structures. No database, no rule, no wire format."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; empty strings where unknown."""

    lines: tuple[str, ...] = ()
    postal_code: str = ""
    city: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Structure:
    """A care structure (site or cabinet) that an act is done for.

    *struct_idnat* is the prefixed Struct_IdNat (`4`+RPPS-rang, `1`+FINESS…; auth.md §2.2),
    *sector* a TRE_R02 code (`SA07`), *practice_setting* a code of 1.2.250.1.213.1.1.4.9.
    """

    struct_idnat: str
    name: str
    sector: str = "SA07"
    practice_setting: str = "AMBULATOIRE"
    address: Address = Address()
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Authentication:
    """When and how someone proved who he is: *method* is that of his session (`PSC_CODE`…)."""

    at: datetime
    method: str = ""


@dataclass(frozen=True, slots=True)
class Professional:
    """A health professional acting in one situation d'exercice.

    *ps_idnat* is the prefixed national identifier (`8`+RPPS), *profession* a TRE_G15 code
    (`10` médecin), *specialty* a savoir-faire (`SM44`) or empty, *title* `DR`, `M`, `MME`…
    """

    ps_idnat: str
    family: str
    given: str
    profession: str = "10"
    specialty: str = ""
    title: str = ""
    structure: Structure | None = None
    mss_address: str | None = None
    phone: str = ""

    @property
    def rpps(self) -> str | None:
        """Return the 11-digit RPPS, or None when the identifier is of another kind."""
        is_rpps = len(self.ps_idnat) == 12 and self.ps_idnat.startswith("8")
        return self.ps_idnat[1:] if is_rpps and self.ps_idnat.isdigit() else None
