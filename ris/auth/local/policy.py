"""Rules of local passwords and of repeated failures. Pure: no clock, no hash, no database.

Values are settings; those of administration accounts are the catalogue's (SSI/IAM.92).
"""

import re
import unicodedata
from datetime import timedelta
from typing import Final

from ris.auth.local.model import Purpose
from ris.auth.local.settings import LocalSettings, PasswordRules
from ris.rem import satisfies

LONGEST: Final = 128
ALL_CLASSES: Final = 4
_LOGIN: Final = re.compile(r"[a-z][a-z0-9._-]{2,31}")
_CLASSES: Final = (str.islower, str.isupper, str.isdigit)


def login_of(typed: str) -> str:
    """Return the one spelling of a login as typed."""
    return unicodedata.normalize("NFKC", typed).strip().lower()


def is_login(login: str) -> bool:
    """Say whether *login* has the form of one."""
    return _LOGIN.fullmatch(login) is not None


def normal(password: str) -> str:
    """Return the one form of a password, whichever keyboard composed its accents."""
    return unicodedata.normalize("NFKC", password)


def rules_of(purpose: Purpose, settings: LocalSettings) -> PasswordRules:
    """Return the rules of the passwords of a use."""
    if purpose is Purpose.ADMINISTRATION:
        return settings.administration
    return settings.ordinary


@satisfies("SC.SSI/IE.36")
def weaknesses(password: str, login: str, rules: PasswordRules) -> list[str]:
    """Return, in French, what *password* lacks; nothing when it is good."""
    found = []
    if len(password) < rules.min_length:
        found.append(f"Au moins {rules.min_length} caractères.")
    if classes(password) < rules.classes:
        found.append(
            f"Au moins {rules.classes} sortes de caractères parmi minuscules, majuscules,"
            " chiffres et caractères spéciaux."
        )
    if login in password.lower():
        found.append("Ne doit pas contenir l'identifiant de connexion.")
    return found


def classes(password: str) -> int:
    """Return how many of the four classes of characters *password* has."""
    known = [any(map(is_one, password)) for is_one in _CLASSES]
    other = any(not character.isalnum() for character in password)
    return sum(known) + other


def delay(failures: int, settings: LocalSettings) -> timedelta | None:
    """Return how long a login waits after *failures* in a row; None while it may try on."""
    beyond = failures - settings.lock_after
    if beyond < 0:
        return None
    doubled = settings.lock_s * 2 ** min(beyond, 30)
    return timedelta(seconds=min(doubled, settings.lock_max_s))
