"""What a refusal of the database means to the caller: the base is the last judge of a race.

Services refuse what they can foresee; here is only what two requests at once, or a value that no
column can hold, make PostgreSQL say. A broken CHECK or NOT NULL stays what it is: a defect.
"""

from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, OperationalError

from ris.core.errors import Conflict, Invalid, NotConfigured, RisError

# foreign key, unique, serialization, deadlock, lock not available (PostgreSQL, appendix A)
_RACES: Final = frozenset({"23503", "23505", "40001", "40P01", "55P03"})
_UNREACHABLE: Final = ("08", "57P")


def meaning(error: DBAPIError) -> RisError | None:
    """Return the error of our tree that stands for *error*; None when it is a defect of ours.

    409 `CONCURRENT_CHANGE` for a lost race, 422 `VALUE_REFUSED` for a value no column holds (NUL,
    number out of range), 503 `DATABASE_UNREACHABLE` when the connection is gone.
    """
    state = getattr(error.orig, "sqlstate", None)
    if state in _RACES:
        detail = "Quelqu'un a enregistré la même chose entre-temps : rechargez la fiche."
        return Conflict(detail, code="CONCURRENT_CHANGE")
    if isinstance(error, DataError):
        return Invalid("Une valeur ne peut pas être enregistrée.", code="VALUE_REFUSED")
    if isinstance(error, OperationalError) and (state or "08").startswith(_UNREACHABLE):
        return NotConfigured("Base de données injoignable.", code="DATABASE_UNREACHABLE")
    return None
