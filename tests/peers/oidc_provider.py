"""npm `oidc-provider`, a certified OpenID provider, started on loopback (needs node)."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from joserfc.jwk import RSAKey

from ris.auth.ciba.wire import GRANT
from ris.core import http
from ris.core.settings import HttpSettings
from ris.sandbox.pki import TestPki
from ris.sandbox.psc_people import Person
from tests.peers import openid

HERE: Final = Path(__file__).with_name("oidc-provider")


def missing() -> str | None:
    """Return the one reason why it cannot run here, or None."""
    if shutil.which("node") and (HERE / "node_modules" / "oidc-provider").is_dir():
        return None
    return "peer oidc-provider absent: run `npm ci` in tests/peers/oidc-provider"


@dataclass(frozen=True, slots=True)
class NpmPeer:
    """The running provider (`openid.OpenIdPeer`)."""

    issuer: str
    control: httpx.Client

    @property
    def discovery_url(self) -> str:
        """Empty: it has the wallet document of Pro Santé Connect, at the usual address."""
        return ""

    def typed_by(self, person: Person) -> Mapping[str, str]:
        """Return the choice of *person* on the wallet page."""
        return {"person": person.sub}

    @property
    def slows_down(self) -> bool:
        """It does not count polls."""
        return False

    def thumb(self, person: Person, digits: str, *, approve: bool) -> None:
        """Answer on the phone of *person*."""
        decision = "approve" if approve else "refuse"
        self._tell("phone", person=person.ps_idnat, digits=digits, decision=decision)

    def tell_logouts(self, client_id: str, address: str) -> None:
        """Register the back-channel logout address of *client_id*."""
        self._tell("logouts", client=client_id, address=address)

    def let_live(self, *, tokens: int, ciba: int) -> None:
        """Change the lives of what it gives."""
        self._tell("lives", tokens=str(tokens), ciba=str(ciba))

    def _tell(self, what: str, **how: str) -> None:
        place = httpx.URL(self.issuer).copy_with(path=f"/control/{what}")
        answer = self.control.get(place, params=how)
        assert answer.status_code == 200, answer.text


@contextmanager
def running(pki: TestPki, _folder: Path) -> Iterator[NpmPeer]:
    """Start it, wait until it listens, stop it; it keeps nothing on disk."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = pki.server()
    wanted = {
        "port": port,
        "key": str(server.key),
        "cert": str(server.certificate),
        "trust": str(pki.trust),
        "jwks": {"keys": [RSAKey.generate_key(2048, {"kid": "peer"}).as_dict(private=True)]},
        "people": {one.sub: one.userinfo() for one in openid.PEOPLE},
        "clients": [_client(openid.OURS), _other(), _certified()],
        "lives": openid.LIVES,
    }
    process = subprocess.Popen(
        [shutil.which("node") or "node", "server.js", json.dumps(wanted)],
        cwd=HERE,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(pki.trust)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        with http.client(trust=pki.trust, settings=HttpSettings()) as control:
            yield NpmPeer(f"https://localhost:{port}/auth/realms/esante-wallet", control)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _client(client_id: str) -> dict[str, object]:
    return {
        "client_id": client_id,
        "client_secret": openid.SECRET,
        "redirect_uris": [openid.CALLBACK],
        "post_logout_redirect_uris": [openid.LOGGED_OUT],
        "grant_types": ["authorization_code", "refresh_token", GRANT],
        "backchannel_token_delivery_mode": "poll",
        "backchannel_logout_session_required": True,
        "require_auth_time": True,
    }


def _other() -> dict[str, object]:
    return _client(openid.OTHER) | {"userinfo_signed_response_alg": "RS256"}


def _certified() -> dict[str, object]:
    made = _client(openid.CERTIFIED) | {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": openid.SUBJECT,
        "tls_client_certificate_bound_access_tokens": True,
    }
    del made["client_secret"]
    return made
