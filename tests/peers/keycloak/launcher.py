"""Start a Keycloak on loopback, in memory, with our realm; the folder is `RIS_KEYCLOAK_HOME`.

The first start builds the server for our options and takes a minute; nothing else is kept.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx

from ris.core import http
from ris.core.crypto import Credential
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import Person
from ris.sandbox.server import serve
from tests.peers import openid
from tests.peers.keycloak import realm
from tests.peers.keycloak.phone import Phones

_ADMIN: Final = "interop"
_START_S: Final = 300


def missing() -> str | None:
    """Return the one reason why it cannot run here, or None."""
    home = os.environ.get("RIS_KEYCLOAK_HOME")
    if not home:
        return "Keycloak absent: run `make interop` (Java 17, Maven), or set RIS_KEYCLOAK_HOME"
    if not (Path(home) / "bin" / "kc.sh").is_file():
        return f"Keycloak absent: no bin/kc.sh in RIS_KEYCLOAK_HOME ({home})"
    return None if shutil.which("java") else "Keycloak needs java (17 or later) on the PATH"


@dataclass(frozen=True, slots=True)
class Keycloak:
    """The running provider (`openid.OpenIdPeer`). *admin* speaks for its administrator."""

    root: str
    wire: httpx.Client
    password: str
    phones: Phones

    @property
    def issuer(self) -> str:
        """The issuer of our realm."""
        return f"{self.root}/realms/{realm.NAME}"

    @property
    def discovery_url(self) -> str:
        """The standard document: the wallet one is an addition of the ANS."""
        return f"{self.issuer}/.well-known/openid-configuration"

    def typed_by(self, person: Person) -> Mapping[str, str]:
        """Return what *person* types on the login page."""
        return {"username": person.ps_idnat, "password": realm.PASSWORD}

    @property
    def slows_down(self) -> bool:
        """It counts polls."""
        return True

    def thumb(self, person: Person, digits: str, *, approve: bool) -> None:
        """Answer on the phone of *person*."""
        assert self.phones.shown(person.ps_idnat)["binding_message"] == digits
        self.phones.answer(self.wire, self.issuer, person.ps_idnat, approve=approve)

    def tell_logouts(self, client_id: str, address: str) -> None:
        """Register the back-channel logout address of *client_id*."""
        place = f"/{realm.NAME}/clients"
        found = self._administer("GET", place, params={"clientId": client_id}).json()[0]
        found["attributes"]["backchannel.logout.url"] = address
        self._administer("PUT", f"{place}/{found['id']}", json=found)

    def let_live(self, *, tokens: int, ciba: int) -> None:
        """Change the lives of what our realm gives."""
        found = self._administer("GET", f"/{realm.NAME}").json()
        found["accessTokenLifespan"] = tokens
        found["attributes"]["cibaExpiresIn"] = str(ciba)
        self._administer("PUT", f"/{realm.NAME}", json=found)

    def create(self, wanted: realm.Json) -> None:
        """Create a realm."""
        self._administer("POST", "", json=wanted)

    def _administer(self, verb: str, path: str, **how: Any) -> httpx.Response:
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": _ADMIN,
            "password": self.password,
        }
        place = f"{self.root}/realms/master/protocol/openid-connect/token"
        token = self.wire.post(place, data=form).raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.wire.request(verb, f"{self.root}/admin/realms{path}", headers=headers, **how)
        return answer.raise_for_status()


@contextmanager
def running(pki: TestPki, folder: Path) -> Iterator[Keycloak]:
    """Start it, create our realm, stop it; what it says goes to `keycloak.log` in *folder*."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        root = f"https://localhost:{probe.getsockname()[1]}/auth"
    server, phones, password = pki.server(), Phones(), secrets.token_urlsafe(24)
    log = folder / "keycloak.log"
    with (
        serve(phones.app, tls=server) as device,
        log.open("w") as output,
        _process(_options(root, server, pki.trust, device.url), password, output) as process,
        http.client(trust=pki.trust, settings=HttpSettings(total_timeout_s=60)) as wire,
    ):
        _wait(process, log)
        made = Keycloak(root, wire, password, phones)
        made.create(realm.realm(openid.PEOPLE, _clients()))
        yield made


def _clients() -> list[realm.Json]:
    ours, other, certified = (
        realm.client(name, openid.CALLBACK, openid.LOGGED_OUT)
        for name in (openid.OURS, openid.OTHER, openid.CERTIFIED)
    )
    return [
        realm.with_secret(ours, openid.SECRET),
        realm.with_signed_userinfo(realm.with_secret(other, openid.SECRET)),
        realm.with_certificate(certified, openid.SUBJECT),
    ]


def _options(root: str, server: Credential, trust: Path, device: str) -> list[str]:
    address = httpx.URL(root)
    channel = "--spi-ciba-auth-channel--ciba-http-auth-channel"
    return [
        "--db=dev-mem",
        "--cache=local",
        f"--http-relative-path={address.path}",
        f"--hostname={root}",
        "--http-host=127.0.0.1",
        "--http-enabled=false",
        f"--https-port={address.port}",
        f"--https-certificate-file={server.certificate}",
        f"--https-certificate-key-file={server.key}",
        "--https-client-auth=request",
        f"--truststore-paths={trust}",
        f"{channel}--http-authentication-channel-uri={device}/phone",
    ]


@contextmanager
def _process(
    options: list[str], password: str, output: IO[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `kc.sh` and the java it starts, a group of their own; stop both."""
    process = subprocess.Popen(
        [Path(os.environ["RIS_KEYCLOAK_HOME"]).resolve() / "bin" / "kc.sh", "start", *options],
        env={
            **os.environ,
            "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
        },
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while "Listening on" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Keycloak did not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.2)
