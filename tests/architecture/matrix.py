"""The rights of each role and the right of each door, stated a second time (auth.md §9.2).

Data, written from the specification and never imported from `ris.auth.rights`: a change of the
product's matrix alone must fail. The doors are in `doors.txt`.
"""

from pathlib import Path
from typing import Final

COLUMNS: Final = {
    "RAD": "RADIOLOGIST", "NUC": "NUCLEAR_PHYSICIAN", "TEC": "TECHNOLOGIST", "SEC": "SECRETARY",
    "INT": "INTERN", "REF": "REFERRER", "IDO": "IDENTITY_OFFICER", "ASE": "ADMIN_SECURITY",
    "ATE": "ADMIN_TECH", "AUD": "AUDITOR", "ITG": "INTEGRATOR",
}  # fmt: skip
# X: given; h: given to a person who is habilitated to validate identities; -: withheld.
_MATRIX: Final = """
                     RAD NUC TEC SEC INT REF IDO ASE ATE AUD ITG
session.own           X   X   X   X   X   X   X   X   X   X   X
rem.read              X   X   X   X   X   X   X   X   X   X   X
patient.read          X   X   X   X   X   -   X   -   -   -   X
patient.write         X   X   X   X   -   -   X   -   -   -   X
ins.read              X   X   X   X   -   -   X   -   -   -   X
insi.call             X   X   X   X   -   -   X   -   -   -   X
identity.validate     X   X   h   h   -   -   X   -   -   -   -
identity.superuser    -   -   -   -   -   -   X   -   -   -   -
identity.copy.store   X   X   X   X   -   -   X   -   -   -   -
identity.copy.read    -   -   -   -   -   -   X   -   -   -   -
exam.read             X   X   X   X   X   -   X   -   -   -   X
exam.write            X   X   X   X   -   -   -   -   -   -   X
report.read           X   X   X   X   X   -   -   -   -   -   X
report.draft          X   X   -   X   X   -   -   -   -   -   X
report.sign           X   X   -   -   -   -   -   -   -   -   -
report.amend          X   X   -   -   -   -   -   -   -   -   -
break_glass           X   X   -   -   -   -   -   -   -   -   -
break_glass.review    X   X   -   -   -   -   -   -   -   X   -
delegation.grant      X   X   -   -   -   -   -   -   -   -   -
mss.send              X   X   -   X   -   -   -   -   -   -   X
delivery.read         X   X   -   X   -   -   -   -   -   -   X
delivery.retry        X   X   -   X   -   -   -   -   -   -   -
dmp.control           X   X   -   -   -   -   -   -   -   -   -
hl7.control           -   -   -   -   -   -   X   -   X   -   -
dashboard.read        X   X   X   X   -   -   X   -   -   -   -
directory.read        X   X   X   X   X   -   -   -   -   -   -
account.read          -   -   -   -   -   -   -   X   -   X   -
account.admin         -   -   -   -   -   -   -   X   -   -   -
config.admin          -   -   -   -   -   -   -   -   X   -   -
audit.read            -   -   -   -   -   -   -   -   -   X   -
audit.export          -   -   -   -   -   -   -   -   -   X   -
"""
PUBLIC: Final = "public"
DOORS_FILE: Final = Path(__file__).with_name("doors.txt")


def rights_of(role: str, *, habilitated: bool = False) -> frozenset[str]:
    """Return the rights that the specification gives to *role*."""
    head, *rows = (line.split() for line in _MATRIX.strip().splitlines())
    column = [COLUMNS[name] for name in head].index(role)
    given = {"X", "h"} if habilitated else {"X"}
    return frozenset(right for right, *cells in rows if cells[column] in given)


def every_right() -> frozenset[str]:
    """Return every right of the matrix."""
    return frozenset(line.split()[0] for line in _MATRIX.strip().splitlines()[1:])


def doors() -> dict[tuple[str, str], str]:
    """Return the right of each (method, path), `PUBLIC` where nobody need be signed in."""
    lines = DOORS_FILE.read_text(encoding="utf-8").splitlines()
    listed = [line.split() for line in lines if line and not line.startswith("#")]
    found = {(method, path): right for method, path, right in listed}
    assert len(found) == len(listed), "a door is listed twice"
    return found
