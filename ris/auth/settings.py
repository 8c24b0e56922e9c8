"""Settings of sign-in, sessions, certificates and directory (`RIS_AUTH__…`, auth.md §3.2, §6)."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ris.auth.brake import BrakeSettings
from ris.auth.break_glass.settings import BreakGlassSettings
from ris.auth.card.settings import CardSettings
from ris.auth.certificates.settings import PoolSettings
from ris.auth.compartments.settings import CompartmentSettings
from ris.auth.enrolment.policy import Enrolment
from ris.auth.local.settings import LocalSettings
from ris.auth.rights import Permission, Role
from ris.auth.workstations import Workstation, WorkstationName

_BAS = "https://auth.bas.psc.esante.gouv.fr/auth/realms/esante-wallet"


class PscSettings(BaseModel):
    """Our registration at Pro Santé Connect. Durations in seconds."""

    model_config = ConfigDict(frozen=True)

    issuer: str = _BAS
    discovery_url: str = ""
    client_id: str = "ris-core"
    client_auth: Literal["client_secret_basic", "tls_client_auth"] = "client_secret_basic"
    client_secret: SecretStr = SecretStr("")
    certificate: Path | None = None
    key: Path | None = None
    trust: Path | None = None
    scope: str = "openid scope_all"
    acr_values: Literal["eidas1", "eidas2", "eidas3"] = "eidas1"
    absent_acr_tolerated: bool = False
    redirect_uri: str = "https://localhost:8000/auth/psc/callback"
    post_logout_redirect_uri: str = "https://localhost:8000/auth/psc/logged-out"
    leeway_s: int = Field(default=10, le=10)
    http_timeout_s: float = 10

    @property
    def discovery(self) -> str:
        """Return the address of the wallet document (not the standard one: auth.md §3.1)."""
        return self.discovery_url or f"{self.issuer}/.well-known/wallet-openid-configuration"


class CibaSettings(BaseModel):
    """Decoupled sign-in, for thick clients and kiosks; PSC must have activated it for us.

    In *window_s* seconds a person is asked at most *per_person* times and an address asks at most
    *per_origin* times: a phone must not be bombed with requests.
    """

    model_config = ConfigDict(frozen=True)

    enabled: bool = False
    window_s: int = 600
    per_person: int = 5
    per_origin: int = 20


class BearerSettings(BaseModel):
    """API callers that bring a PSC access token; none is accepted until *clients* names one.

    *clients* are the `client_id` whose tokens are believed; *cache_s* is how long an answer of
    the introspection may serve again, hence the longest life of a token after its revocation.
    """

    model_config = ConfigDict(frozen=True)

    clients: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset({"openid", "scope_all"})
    cache_s: int = Field(default=10, ge=0, le=60)
    refusals_per_minute: int = 30


class AnnuaireSettings(BaseModel):
    """Our subscription to the FHIR API of the Annuaire Santé (mss.md §15.2).

    Users are looked up again every *recheck_months*, two years at most (SSI/IE.30).
    """

    model_config = ConfigDict(frozen=True)

    url: str = "https://gateway.api.esante.gouv.fr/fhir/v2"
    api_key: SecretStr = SecretStr("")
    trust: Path | None = None
    timeout_s: float = 5
    fresh_days: int = 7
    recheck_months: int = Field(default=24, ge=1, le=24)


class AuthSettings(BaseModel):
    """Everything `ris.auth` may be told. `cookie_secure=false` is refused in production.

    *withheld* takes rights away from a role on this site (`{"SECRETARY": ["ins.read"]}`): seeing
    an INS and calling INSi are granted or withheld one by one (RIS.INS.05, .06). It never adds.

    *delegation_required*: staff send and send again only under a delegation of the physician who
    signed (auth.md §9.3); without it the journal still names him. The `…_max_days` bound what is
    given for a time [K].

    A session unused for *idle_lock_s* is locked, locked for *locked_close_s* it is closed.
    *workstations* gives some of them their own rules (`{"ACCUEIL-1": {"idle_lock_s": 300,
    "shared": true}}`). Beyond *sessions_per_account* (0: no limit) a further sign-in is refused
    or closes the oldest session, as *session_overflow* says. *brake* bounds what anonymous
    callers write in the journal.
    """

    model_config = ConfigDict(frozen=True)

    psc: PscSettings = PscSettings()
    ciba: CibaSettings = CibaSettings()
    bearer: BearerSettings = BearerSettings()
    card: CardSettings = CardSettings()
    annuaire: AnnuaireSettings = AnnuaireSettings()
    enrolment: Enrolment = Enrolment.CLOSED
    local: LocalSettings = LocalSettings()
    compartments: CompartmentSettings = CompartmentSettings()
    break_glass: BreakGlassSettings = BreakGlassSettings()
    certificates: Path | None = None
    pool: PoolSettings = PoolSettings()
    origin: str = ""
    cookie_secure: bool = True
    idle_lock_s: int = Field(default=600, ge=60)
    locked_close_s: int = Field(default=1800, ge=0)
    absolute_s: int = Field(default=4 * 3600, le=4 * 3600)
    attempt_s: int = Field(default=600, le=600)
    step_up_max_age_s: int = 1800
    allow_test_ids: bool = False
    delegation_required: bool = True
    delegation_max_days: int = Field(default=366, ge=1)
    manual_situation_max_days: int = Field(default=366, ge=1)
    withheld: dict[Role, frozenset[Permission]] = Field(default_factory=dict)
    workstations: dict[WorkstationName, Workstation] = Field(default_factory=dict)
    sessions_per_account: int = Field(default=3, ge=0)
    brake: BrakeSettings = BrakeSettings()
    session_overflow: Literal["close_oldest", "refuse"] = "close_oldest"
