"""Care and administration are not held by one account (SC.SSI/IAM.92, SC.SSI/GEN.16). Pure.

An account has one role. Whoever treats patients and administers too has a second account, local
(`ris/auth/local`); turning an account from one family to the other is an act of its own.
"""

from collections.abc import Iterable
from typing import Final

from ris.auth.rights import Role
from ris.rem import satisfies

ADMINISTRATION: Final = frozenset({Role.ADMIN_SECURITY, Role.ADMIN_TECH, Role.AUDITOR})
_WATCHED: Final = frozenset({Role.ADMIN_SECURITY, Role.AUDITOR})


@satisfies("SC.SSI/IAM.92", "SC.SSI/GEN.16")
def crosses(former: Role | None, wanted: Role) -> bool:
    """Say whether *wanted* is of another family than *former*: never by a plain grant.

    From the one who grants to the one who reviews him is such a change too.
    """
    if former is None or former is wanted:
        return False
    watched = former in _WATCHED and wanted in _WATCHED
    return watched or (former in ADMINISTRATION) is not (wanted in ADMINISTRATION)


def together(wanted: Role, others: Iterable[Role]) -> bool:
    """Say whether a person whose other accounts have roles *others* may hold *wanted* too.

    Nobody both grants rights and reviews who granted them.
    """
    return wanted not in _WATCHED or not (_WATCHED - {wanted}) & set(others)
