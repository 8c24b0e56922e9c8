"""A browser for the tests: it signs in through the wallet page of the sandbox provider."""

import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from ris.sandbox.psc_people import Person
from ris.sandbox.psc_wallet import pick


class Browser:
    """One user agent: its cookies at our application, and the wallet it is sent to."""

    def __init__(self, site: str, trust: Path) -> None:
        self.context = ssl.create_default_context(cafile=str(trust))
        self.application = httpx.Client(base_url=site, verify=self.context, trust_env=False)
        self.wallet = httpx.Client(verify=self.context, trust_env=False)

    def close(self) -> None:
        """Close every connection."""
        self.application.close()
        self.wallet.close()

    def begin(self, path: str = "/auth/psc/login") -> str:
        """Start a sign-in; return the address the browser is sent to."""
        answer = self.application.get(path)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def pick(self, address: str, person: Person | None) -> str:
        """Pick a holder on the wallet page (None refuses); return the callback address."""
        return pick(self.wallet, address, person.ps_idnat if person else "")

    def come_back(self, address: str) -> httpx.Response:
        """Follow the redirection to our callback."""
        parts = urlsplit(address)
        return self.application.get(f"{parts.path}?{parts.query}")

    def sign_in(self, person: Person, path: str = "/auth/psc/login") -> httpx.Response:
        """Do the whole round trip."""
        return self.come_back(self.pick(self.begin(path), person))

    def csrf(self) -> dict[str, str]:
        """Return the header an unsafe request needs."""
        answer = self.application.get("/v1/session")
        assert answer.status_code == 200, answer.text
        return {"X-CSRF-Token": answer.json()["csrf_token"]}


def query_of(address: str) -> dict[str, str]:
    """Return the query parameters of an address, one value each."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
