"""The table of every error code of the API, for integrators, read from the code itself.

Only the gathering and the table: classes of the one error tree, and the codes that a place gives
to one of them. The command is in `documents.py`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Final

from ris.core.errors import RisError

PUBLISHED: Final = "docs/error-codes.md"
_PACKAGE: Final = Path(__file__).parents[1]
_PRODUCT: Final = ("core", "web", "auth", "identity", "orders", "reports", "diffusion", "mss",
                   "dmp", "interop")  # fmt: skip
_HEAD: Final = """# Codes d'erreur de l'API

Document produit par `ris docs errors` à partir du code ; ne pas le modifier à la main, `ris docs
errors --check` le compare. Toute erreur est un document `application/problem+json` (RFC 9457) dont
le membre `code` est stable : c'est lui qu'un programme compare, jamais le titre. Sous `/fhir`, le
même code est dans `issue.details.coding` d'un `OperationOutcome`. La casse fait partie du code.

Une erreur 422 `INVALID` porte de plus `errors` : un code et un pointeur JSON par champ refusé.
"""


@dataclass(frozen=True, order=True)
class Told:
    """One code: the room it comes from, its HTTP status and what it says."""

    room: str
    code: str
    status: int
    title: str


def every() -> list[Told]:
    """Return every code of the product, in order."""
    for room in _PRODUCT:
        for found in walk_packages([str(_PACKAGE / room)], f"ris.{room}."):
            import_module(found.name)
    ours = (one for one in _tree(RisError) if one.__module__.startswith("ris."))
    classes = {one.__name__: one for one in ours}
    own = {_told(one.__module__, one.code, one) for one in classes.values()}
    return sorted({one for one in own | set(_given(classes)) if one.room in _PRODUCT})


def render() -> str:
    """Return the document, Markdown."""
    lines = [_HEAD]
    listed = every()
    for room in _PRODUCT:
        rows = [one for one in listed if one.room == room]
        if rows:
            lines += [f"## {room}\n", "| Code | HTTP | Titre |", "| --- | --- | --- |"]
            lines += [f"| `{one.code}` | {one.status} | {one.title} |" for one in rows]
            lines.append("")
    return "\n".join(lines)


def _tree(top: type[RisError]) -> Iterator[type[RisError]]:
    yield top
    for below in top.__subclasses__():
        yield from _tree(below)


def _told(module: str, code: str, kind: type[RisError]) -> Told:
    return Told(module.split(".")[1], code, kind.status, kind.title)


def _given(classes: dict[str, type[RisError]]) -> Iterator[Told]:
    """Give the codes written where an error is raised: `Invalid("…", code="PS_IDNAT_INVALID")`."""
    for path in sorted(_PACKAGE.rglob("*.py")):
        module = ".".join(("ris", *path.relative_to(_PACKAGE).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                kind = classes.get(node.func.id)
                for said in node.keywords if kind else ():
                    if said.arg == "code" and isinstance(said.value, ast.Constant):
                        assert kind is not None  # noqa: S101 - no keyword is walked without it
                        yield _told(module, str(said.value.value), kind)
