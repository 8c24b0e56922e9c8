"""The senders, a process of their own: open-loop arrivals, each answer timed from when it was due.

A request leaves when its hour comes, whether or not those before are answered: a slow server
cannot slow its callers down, and its delays are counted. `python -m tests.bench_auth.sender`.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from ris.sandbox.psc_wallet import pick

RATE: Final = 50.0
LOGINS: Final = 1.0
WARM_S: Final = 5.0
LOGIN: Final = "connexion"
# route, weight: what a front desk does
MIX: Final = (
    ("recherche patient", 30),
    ("dossier patient", 30),
    ("liste de travail", 10),
    ("compte rendu", 15),
    ("session", 15),
)

Told = dict[str, Any]


class Sender:
    """Sends one schedule at *told*, and keeps the times by act (milliseconds)."""

    def __init__(self, told: Told, seconds: float) -> None:
        self.told = told
        self.end = WARM_S + seconds
        self.chance = random.Random(5)
        self.times: dict[str, list[float]] = {name: [] for name, _ in MIX} | {LOGIN: []}
        self.errors: Counter[str] = Counter()
        self.tls = ssl.create_default_context(cafile=told["trust"])

    async def run(self) -> Told:
        """Play the schedule to its end and return what was measured."""
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=400)
        async with httpx.AsyncClient(
            base_url=self.told["base"], limits=limits, timeout=30, trust_env=False
        ) as client:
            self.client = client
            self.start = time.perf_counter()
            requests = self._arrivals(RATE, self._request)
            logins = self._arrivals(LOGINS, self._login)
            await asyncio.gather(requests, logins)
        return {"times": self.times, "errors": dict(self.errors)}

    async def _arrivals(self, rate: float, act: Callable[[float], Any]) -> None:
        """Start *act* at the hours of a Poisson process, and wait for the last one."""
        due, going = 0.0, []
        while (due := due + self.chance.expovariate(rate)) < self.end:
            await asyncio.sleep(max(0.0, self.start + due - time.perf_counter()))
            going.append(asyncio.create_task(act(due)))
        await asyncio.gather(*going)

    async def _request(self, due: float) -> None:
        name = self.chance.choices([n for n, _ in MIX], [weight for _, weight in MIX])[0]
        user = self.chance.choice(self.told["users"])
        path, query = self._place(name)
        headers = {"Cookie": f"{self.told['cookie']}={user}"}
        try:
            answer = await self.client.get(path, params=query, headers=headers)
            wrong = f"{name}: HTTP {answer.status_code}" if answer.status_code != 200 else ""
        except httpx.HTTPError as error:
            wrong = f"{name}: {type(error).__name__}"
        self._note(name, due, wrong)

    async def _login(self, due: float) -> None:
        person = self.chance.choice(self.told["people"])
        try:
            wrong = await asyncio.to_thread(self._sign_in, person)
        except (httpx.HTTPError, ValueError) as error:
            wrong = f"{LOGIN}: {type(error).__name__}"
        self._note(LOGIN, due, wrong)

    def _sign_in(self, person: str) -> str:
        """The whole code flow, as a browser: our login, the wallet, our callback.

        One TLS context for all: reading the system's authorities takes longer than the flow.
        """
        with (
            httpx.Client(
                base_url=self.told["base"], verify=self.tls, timeout=30, trust_env=False
            ) as browser,
            httpx.Client(verify=self.tls, timeout=30, trust_env=False) as wallet,
        ):
            begun = browser.get("/auth/psc/login")
            callback = urlsplit(pick(wallet, begun.headers["location"], person))
            arrived = browser.get(f"{callback.path}?{callback.query}")
        return "" if arrived.status_code == 303 else f"{LOGIN}: HTTP {arrived.status_code}"

    def _place(self, name: str) -> tuple[str, dict[str, str]]:
        patient = self.chance.choice(self.told["patients"])
        if name == "recherche patient":
            return "/v1/patients", {"birth_date": patient["birth_date"], "name": patient["name"]}
        if name == "dossier patient":
            return f"/v1/patients/{patient['id']}", {}
        if name == "liste de travail":
            return "/v1/reports", {}
        if name == "compte rendu":
            return f"/v1/reports/{self.chance.choice(self.told['reports'])}", {}
        return "/v1/session", {}

    def _note(self, name: str, due: float, wrong: str) -> None:
        if wrong:
            self.errors[wrong] += 1
        elif due >= WARM_S:
            took = time.perf_counter() - self.start - due
            self.times[name].append(took * 1000)


def main(path: str, seconds: str) -> None:
    """Be the senders of the target described in *path*; print what was measured."""
    told = json.loads(Path(path).read_text("utf-8"))
    sys.stdout.write(json.dumps(asyncio.run(Sender(told, float(seconds)).run())))


if __name__ == "__main__":
    main(*sys.argv[1:])
