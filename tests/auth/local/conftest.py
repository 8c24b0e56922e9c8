"""A site with local sign-in, its people and a phone that makes codes."""

from dataclasses import dataclass, field

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher

from ris.auth import accounts, situations
from ris.auth.local import credentials, passwords
from ris.auth.local.credentials import Handed
from ris.auth.local.settings import LocalSettings
from ris.auth.psc.userinfo import parse
from ris.auth.rights import Role
from ris.auth.settings import AuthSettings
from ris.core import clock
from ris.sandbox.psc_people import ADMINISTRATOR, RADIOLOGIST_A
from tests.auth.office import MakeOffice, Office

HASHER, NOBODY = passwords._HASHER, passwords._NOBODY
GOOD = "Echelle-de-gris-77"


@dataclass
class Holder:
    """A person with a local access: what the operator handed over, and what he knows now."""

    office: Office
    handed: Handed
    password: str
    phone: pyotp.TOTP = field(repr=False)

    @classmethod
    def of(cls, office: Office, handed: Handed) -> "Holder":
        phone = pyotp.parse_uri(handed.otpauth)
        assert isinstance(phone, pyotp.TOTP)
        return cls(office, handed, handed.password, phone)

    def code(self) -> str:
        return self.phone.at(clock.now())

    def factors(self, **changed: str) -> dict[str, str]:
        told = {"login": self.handed.login, "password": self.password, "code": self.code()}
        return told | changed

    def sign_in(self, client: httpx.Client, **changed: str) -> httpx.Response:
        return client.post("/auth/local/login", json=self.factors(**changed))

    def change(self, client: httpx.Client, new: str, **changed: str) -> httpx.Response:
        told = self.factors(**changed) | {"new_password": new}
        return client.post("/auth/local/password", json=told)

    def settle(self) -> "Holder":
        """Choose a password, as the person does first; his codes have not been used since."""
        assert self.change(self.office.nobody(), GOOD).status_code == 204
        self.password = GOOD
        self.rest()
        return self

    def rest(self) -> None:
        """Let the step of the last code pass, without waiting for it."""
        self.office.change("update local_credential set last_step = 0")


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost nothing; `test_policy.py` looks at the real ones."""
    quick = PasswordHasher(1, 8, 1)
    monkeypatch.setattr(passwords, "_HASHER", quick)
    monkeypatch.setattr(passwords, "_NOBODY", quick.hash("x"))


@pytest.fixture
def local_settings() -> LocalSettings:
    return LocalSettings(mode="emergency", administrators=True)


@pytest.fixture
def local_office(make_office: MakeOffice, local_settings: LocalSettings) -> Office:
    made = make_office(AuthSettings(allow_test_ids=True, cookie_secure=False, local=local_settings))
    made.grant(ADMINISTRATOR, Role.ADMIN_SECURITY)
    made.grant(RADIOLOGIST_A, Role.RADIOLOGIST)
    with made.database.transaction() as session:
        told = parse(RADIOLOGIST_A.userinfo())
        situations.refresh(session, accounts.link(session, told), told)
    return made


@pytest.fixture
def doctor(local_office: Office, local_settings: LocalSettings) -> Holder:
    """A radiologist with an emergency access, its initial password not yet changed."""
    with local_office.database.transaction() as session:
        handed = credentials.open_emergency(
            session, "alba.rx", RADIOLOGIST_A.ps_idnat, settings=local_settings
        )
    return Holder.of(local_office, handed)


@pytest.fixture
def keeper(local_office: Office, local_settings: LocalSettings) -> Holder:
    """An administrator of accounts with a local account, initial password not yet changed."""
    with local_office.database.transaction() as session:
        handed = credentials.open_administration(
            session, "helene.admin", Role.ADMIN_SECURITY, "DROITSFICTIFS", "HELENE",
            settings=local_settings,
        )  # fmt: skip
    return Holder.of(local_office, handed)
