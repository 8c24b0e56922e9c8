"""The matricule INS: shape, key, nature. Pure; who may see one is decided in `rules.py`."""

import re
from typing import Final

from ris.core.errors import RisError
from ris.identity.errors import InsKeyInvalid, InsOidUnknown, InsTestOid
from ris.identity.values import INS_OIDS, NIA, NIR_DEMO, NIR_TEST, Ins
from ris.rem import satisfies

_SHAPE: Final = re.compile(r"[0-9]{5}(?:[0-9]{2}|2[AB])[0-9]{6}[0-9]{2}")
_CORSICA: Final = {"2A": "19", "2B": "18"}


def key_of(number: str) -> str:
    """Return the two-digit key of 13 characters: 97 − (N mod 97), 2A→19, 2B→18 (ins.md §2.2)."""
    department = number[5:7]
    digits = number[:5] + _CORSICA.get(department, department) + number[7:]
    return f"{97 - int(digits) % 97:02d}"


def is_valid(matricule: str) -> bool:
    """Say whether *matricule* has 15 characters of the right shape and the right key."""
    if _SHAPE.fullmatch(matricule) is None:
        return False
    return key_of(matricule[:13]) == matricule[13:]


@satisfies("RIS.INS.08")
def require_valid(matricule: str) -> str:
    """Return *matricule* when it is whole and its key right; raises `InsKeyInvalid`."""
    if not is_valid(matricule):
        raise InsKeyInvalid("Le matricule doit compter 15 caractères, clé comprise et exacte.")
    return matricule


def oid_problem(oid: str, *, production: bool) -> type[RisError] | None:
    """Return the error that *oid* deserves, or None (ins.md R-OID-01, R-OID-02, ruling 11)."""
    if oid not in INS_OIDS:
        return InsOidUnknown
    return InsTestOid if production and oid in (NIR_TEST, NIR_DEMO) else None


def nature_of(ins: Ins) -> str:
    """Return what staff read after the matricule: `NIA`, or `NIR` (ins.md R-DSP-01)."""
    return "NIA" if ins.oid == NIA else "NIR"
