"""Settings of local sign-in (`RIS_AUTH__LOCAL__…`): off by default, both uses.

The password values are those of the national catalogue for administration accounts (15 characters
of four classes, one year, 5 failures) and background knowledge for the others [K] (ANSSI, CNIL).
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ris.auth.rights import Permission

_P: Final = Permission


class PasswordRules(BaseModel):
    """Characters a password has at least, and of how many classes (a, A, 1, other)."""

    model_config = ConfigDict(frozen=True)

    min_length: int = Field(default=12, ge=12, le=64)
    classes: int = Field(default=3, ge=1, le=4)


class AdministrationRules(PasswordRules):
    """The same for administration accounts; never below the catalogue's values."""

    min_length: int = Field(default=15, ge=15, le=64)
    classes: int = Field(default=4, ge=4, le=4)


class LocalSettings(BaseModel):
    """Who may sign in without Pro Santé Connect, and how well a password holds. Times in seconds.

    *mode* `emergency` opens the named emergency accesses, for a Pro Santé Connect that is down;
    *administrators* opens the local administration accounts. A session lasts *absolute_s* at most;
    one of emergency lacks the rights *emergency_withheld*: by default whatever leaves the site or
    commits a physician, since nobody but this site vouches for the person. A site may change that
    list; acts that need Pro Santé Connect or a card are impossible whatever it says.
    After *lock_after* failures a login waits *lock_s*, doubled at each further one up to
    *lock_max_s*; an address makes *per_origin* attempts in *window_s*.
    """

    model_config = ConfigDict(frozen=True)

    mode: Literal["off", "emergency"] = "off"
    administrators: bool = False
    absolute_s: int = Field(default=1800, ge=60, le=3600)
    emergency_withheld: frozenset[Permission] = frozenset(
        {
            _P.INSI_CALL,
            _P.IDENTITY_COPY_READ,
            _P.REPORT_SIGN,
            _P.REPORT_AMEND,
            _P.MSS_SEND,
            _P.DELIVERY_RETRY,
            _P.DMP_CONTROL,
            _P.DELEGATION_GRANT,  # else others would send what this session may not
        }
    )
    ordinary: PasswordRules = PasswordRules()
    administration: AdministrationRules = AdministrationRules()
    expires_days: int = Field(default=365, ge=1, le=365)
    initial_s: int = Field(default=72 * 3600, le=7 * 86_400)
    history: int = Field(default=10, ge=5, le=50)
    lock_after: int = Field(default=5, ge=1, le=5)
    lock_s: int = Field(default=60, ge=30)
    lock_max_s: int = Field(default=86_400, ge=60)
    window_s: int = 600
    per_origin: int = 30

    @property
    def on(self) -> bool:
        """Say whether anybody at all may sign in locally."""
        return self.mode == "emergency" or self.administrators
