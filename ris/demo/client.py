"""A user agent at the public API: signs in through the wallet, then speaks JSON.

Knows HTTP and nothing of the product's insides. Any unexpected answer is a `DemoFailure`.
"""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ris.sandbox.psc_people import Person
from ris.sandbox.psc_wallet import pick


class DemoFailure(Exception):
    """The demo cannot go on; the message is French and fit to be read."""


class Browser:
    """One signed-in person: cookies at our API, and the sandbox wallet."""

    def __init__(self, api_url: str, trust: Path, person: Person) -> None:
        self._api = httpx.Client(base_url=api_url, trust_env=False, timeout=30)
        self._wallet = httpx.Client(
            verify=ssl.create_default_context(cafile=str(trust)), trust_env=False, timeout=30
        )
        self.person = person

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._wallet.close()

    def sign_in(self) -> dict[str, Any]:
        """Go through Pro Santé Connect by the authorization code flow; return the session."""
        to_psc = self._expect(self._api.get("/auth/psc/login"), 302).headers["location"]
        callback = urlsplit(pick(self._wallet, to_psc, self.person.ps_idnat))
        self._expect(self._api.get(f"{callback.path}?{callback.query}"), 303)
        return self._adopt()

    def choose_situation(self, struct_idnat: str) -> dict[str, Any]:
        """Choose the acting situation of this structure; return the session."""
        listed = self.get("/v1/session")["situations"]
        chosen = next((one for one in listed if one["struct_idnat"] == struct_idnat), None)
        if chosen is None:
            raise DemoFailure("La situation d'exercice attendue n'est pas proposée.")
        body = {"situation_id": chosen["id"]}
        self._expect(self._api.post("/v1/session/situation", json=body), 204)
        return self._adopt()

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of a GET."""
        return self._expect(self._api.get(path, params=query), 200).json()

    def download(self, path: str) -> bytes:
        """Return the bytes of a GET."""
        return self._expect(self._api.get(path), 200).content

    def post(self, path: str, body: Any = None, *, status: int = 201, **options: Any) -> Any:
        """Return the JSON of a POST that answers *status*."""
        return self.request("POST", path, status=status, json=body, **options)

    def request(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        """Return the JSON of any request that answers *status*."""
        answer = self._expect(self._api.request(method, path, **options), status)
        return answer.json() if answer.content else None

    def upload(self, path: str, files: list[bytes]) -> Any:
        """Return the JSON of a POST of files."""
        parts = [("files", (f"{n}.dcm", data, "application/dicom")) for n, data in enumerate(files)]
        return self._expect(self._api.post(path, files=parts), 200).json()

    def _adopt(self) -> dict[str, Any]:
        session: dict[str, Any] = self.get("/v1/session")
        self._api.headers["X-CSRF-Token"] = session["csrf_token"]
        return session

    @staticmethod
    def _expect(answer: httpx.Response, status: int) -> httpx.Response:
        if answer.status_code == status:
            return answer
        place = f"{answer.request.method} {answer.request.url.path}"
        problem = _problem(answer)
        raise DemoFailure(f"{place} a répondu {answer.status_code} au lieu de {status}. {problem}")


def _problem(answer: httpx.Response) -> str:
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    told = answer.json()
    return f"{told.get('title', '')} {told.get('detail', '')} [{told.get('code', '')}]"
