"""A campaign: one person, operations of the API description, generated requests, all judged.

What is asked; what an answer must be is said by `oracle.py`, what exists by `grounding.py`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import requests  # noqa: TID251 - schemathesis sends by it
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig

from ris.auth import cookies
from ris.auth.rights import Role
from tests.fuzz_api.grounding import Ground
from tests.fuzz_api.oracle import Oracle
from tests.security.product import Product, session_of

_CONFIG: Final[dict[str, Any]] = {
    "generation": {"with-security-parameters": False, "allow-extra-parameters": False},
}
_QUIET: Final = settings(
    database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
_OURS: Final = ("CsrfToken", "Situation")  # given right, or not at all: they have tests of theirs


class Described:
    """The API that a document describes: its operations, and how to ask each, worked out once."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schema = _loaded(document)
        self.operations = [found.ok() for found in self.schema.get_all_operations()]
        self._ways: dict[tuple[str, GenerationMode], Any] = {}

    def asking(self, operation: Any, mode: GenerationMode) -> Any:
        """Return the strategy of the requests of *operation*, right or wrong ones."""
        key = operation.label, mode
        if key not in self._ways:
            self._ways[key] = operation.as_strategy(generation_mode=mode)
        return self._ways[key]

    def bounds(self, operation: Any) -> Iterator[Case]:
        """Give a request for each bound and each missing part that *operation* describes."""
        yield from self.schema.iter_coverage_cases(
            operation,
            generation_modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE],
            generation_config=self.schema.config.generation_for(operation=operation),
        )


def _loaded(document: dict[str, Any]) -> Any:
    told = deepcopy(document)
    for operations in told["paths"].values():
        for one in operations.values():
            one["parameters"] = [
                wanted
                for wanted in one.get("parameters", [])
                if str(wanted.get("$ref", "")).rpartition("/")[2] not in _OURS
            ]
    return schemathesis.openapi.from_dict(told, config=SchemathesisConfig.from_dict(_CONFIG))


@dataclass
class Campaign:
    """One person at the API: *role*, or nobody. The same *seed* asks the same."""

    product: Product
    api: Described
    role: Role | None
    oracle: Oracle
    ground: Ground
    seed: int = 0
    told: Counter[int] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._line = requests.Session()
        self._line.trust_env = False
        self._name = cookies.name_of(cookies.SESSION, secure=False)
        self._sign_in()

    @property
    def succeeded(self) -> int:
        """How many requests had their effect."""
        return sum(count for status, count in self.told.items() if status < 300)

    def report(self) -> str:
        """Return what went wrong, each fault with the request and the answer that show it."""
        return "\n".join(f"{fault}\n    {shown}" for fault, shown in self.wrong.items())

    def operations(self, *rights: str) -> Iterator[Any]:
        """Give the operations that ask for one of these *rights* (`public` for none)."""
        for operation in self.api.operations:
            if operation.definition.raw.get("x-permission", "public") in rights:
                yield operation

    def play(self, operation: Any, right: int, wrong: int) -> None:
        """Try *operation* with requests as it describes them, then with wrong ones."""
        self.ground.refresh()
        self._generated(operation, GenerationMode.POSITIVE, right)
        if any((operation.path_parameters, operation.query, operation.headers, operation.body)):
            self._generated(operation, GenerationMode.NEGATIVE, wrong)

    def cover(self, operation: Any, every: int) -> None:
        """Try the bounds and the missing parts that *operation* describes, one in *every*."""
        chance = Random(f"{self.seed} {self.role} {operation.label}")
        first = chance.randrange(every)
        for at, case in enumerate(self.api.bounds(operation)):
            if at % every == first:
                self._try(case, chance)

    def _generated(self, operation: Any, mode: GenerationMode, examples: int) -> None:
        if not examples:
            return

        @seed(f"{self.seed} {self.role} {operation.label}")
        @settings(_QUIET, max_examples=examples)
        @given(case=self.api.asking(operation, mode), dice=st.integers(0, 2**32))
        def trial(case: Case, dice: int) -> None:
            self._try(case, Random(dice))

        with suppress(Unsatisfiable):  # nothing sent as text can be wrong for a plain text
            trial()

    def _try(self, case: Case, chance: Random) -> None:
        self.ground.settle(case, chance)
        answer = case.call(
            base_url=self.product.url, session=self._line, headers=self._headers,
            allow_redirects=False, timeout=60,
        )  # fmt: skip
        self.told[answer.status_code] += 1
        for fault in self.oracle.faults(case, answer):
            self.wrong.setdefault(f"{case.operation.label}: {fault}", _shown(case, answer))
        if answer.status_code in (204, 401) or b'"csrf_refused"' in answer.content:
            self._sign_in()  # the session has ended, or has another cookie now

    def _sign_in(self) -> None:
        self._line.cookies.clear()
        self._headers: dict[str, str] = {}
        if self.role is not None:
            token = session_of(self.product.runtime, self.role)
            self._line.cookies.set(self._name, token)
            self._headers = {"X-CSRF-Token": cookies.csrf_token(token)}


def _shown(case: Case, answer: Any) -> str:
    asked = f"{case.path_parameters} {case.query} {dict(case.headers)} {case.body!r}"
    return f"{asked[:600]} -> {answer.status_code} {answer.content[:600]!r}"
