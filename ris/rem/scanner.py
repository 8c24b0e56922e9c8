"""Reads the tags out of the sources without importing them (AST): code, packages and tests.

Only `@satisfies` on a function, method or class counts as code. A module-level `__rem__` says what
a package serves; it points at no place a reviewer could read, so it never makes an id "coded".
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ris.rem.catalogue import scenarios_in
from ris.rem.ids import KNOWN

VERBS: Final = frozenset({"get", "post", "put", "patch", "delete", "api_route"})
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class CodeTag:
    """One id on one symbol of `ris/`; *symbol* is dotted inside its module."""

    id: str
    path: str
    line: int
    symbol: str


@dataclass(frozen=True, slots=True)
class TestTag:
    """One id (and scenario) on one test; *nodeid* is pytest's, without parameters."""

    __test__ = False

    id: str
    scenario: str | None
    path: str
    line: int
    nodeid: str


@dataclass
class Scan:
    """All tags of a source tree. *problems* are errors with `path:line`, in French for the CLI."""

    code: list[CodeTag] = field(default_factory=list)
    packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tests: list[TestTag] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    untagged_routes: list[str] = field(default_factory=list)


def scan(root: Path) -> Scan:
    """Read `ris/` and `tests/` under *root*; never raises for what the sources say."""
    found = Scan()
    for path in sorted((root / "ris").rglob("*.py")):
        _Code(found, path.relative_to(root).as_posix()).read(path)
    for path in sorted((root / "tests").rglob("*.py")):
        _Tests(found, path.relative_to(root).as_posix()).read(path)
    return found


class _Reader:
    def __init__(self, found: Scan, path: str) -> None:
        self.found = found
        self.path = path

    def read(self, path: Path) -> None:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            self.found.problems.append(f"{self.path}:{error.lineno} : fichier illisible")
            return
        self.module(tree)

    def module(self, tree: ast.Module) -> None:
        raise NotImplementedError

    def problem(self, node: ast.expr | ast.stmt, text: str) -> None:
        self.found.problems.append(f"{self.path}:{node.lineno} : {text}")

    def untagged(self, node: ast.stmt, text: str) -> None:
        self.found.untagged_routes.append(f"{self.path}:{node.lineno} : {text}")

    def ids(self, node: ast.expr | ast.stmt, values: list[ast.expr]) -> Iterator[str]:
        """Yield the known literal ids among *values*; the others are problems."""
        for value in values:
            if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
                self.problem(node, "identifiant non littéral")
            elif value.value not in KNOWN:
                self.problem(node, f"identifiant inconnu {value.value}")
            else:
                yield value.value


class _Code(_Reader):
    def module(self, tree: ast.Module) -> None:
        for statement in tree.body:
            if _target(statement) == "__rem__":
                self._package(statement)
        decorators = {
            id(tag) for symbol, node in definitions(tree) for tag in self._tags(symbol, node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == "satisfies":
                if id(node) not in decorators:
                    self.problem(node, "satisfies ne s'emploie qu'en décorateur")
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.name == "satisfies" and alias.asname:
                        self.problem(node, "satisfies importé sous un autre nom")

    def _package(self, statement: ast.stmt) -> None:
        value = getattr(statement, "value", None)
        if not isinstance(value, ast.Tuple | ast.List):
            self.problem(statement, "__rem__ doit être un tuple littéral")
            return
        self.found.packages[self.path] = tuple(self.ids(statement, value.elts))

    def _tags(self, symbol: str, node: Definition) -> list[ast.Call]:
        calls = [call for call in node.decorator_list if isinstance(call, ast.Call)]
        tags = [call for call in calls if _name(call.func) == "satisfies"]
        for call in tags:
            if call.keywords:
                self.problem(call, "satisfies ne prend que des identifiants")
            for requirement in self.ids(call, call.args):
                tag = CodeTag(requirement, self.path, node.lineno, symbol)
                self.found.code.append(tag)
        self._route(node, calls, tags)
        return tags

    def _route(self, node: Definition, calls: list[ast.Call], tags: list[ast.Call]) -> None:
        routes = [call for call in calls if _is_route(call)]
        if not routes:
            return
        if not tags:
            self.untagged(node, f"route {node.name} sans @satisfies")
        elif calls.index(tags[0]) < calls.index(routes[-1]):
            self.untagged(node, f"route {node.name} : @satisfies doit être sous @router")


class _Tests(_Reader):
    def module(self, tree: ast.Module) -> None:
        shared = [
            mark
            for statement in tree.body
            if _target(statement) == "pytestmark"
            for mark in self._marks([statement])
        ]
        self._classes(tree.body, "", shared)

    def _classes(
        self, body: list[ast.stmt], prefix: str, shared: list[tuple[str, str | None]]
    ) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                marks = [*shared, *self._marks(node.decorator_list)]
                self._classes(node.body, f"{prefix}{node.name}::", marks)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                marks = self._marks(node.decorator_list)
                if not node.name.startswith("test"):
                    if marks:
                        self.problem(node, "marqueur rem hors d'un test")
                    continue
                nodeid = f"{self.path}::{prefix}{node.name}"
                for requirement, scenario in dict.fromkeys([*shared, *marks]):
                    self.found.tests.append(
                        TestTag(requirement, scenario, self.path, node.lineno, nodeid)
                    )

    def _marks(self, nodes: list[ast.expr] | list[ast.stmt]) -> list[tuple[str, str | None]]:
        inner = [node for outer in nodes for node in ast.walk(outer)]
        calls = [node for node in inner if isinstance(node, ast.Call) and _is_rem(node.func)]
        called = {id(call.func) for call in calls}
        for node in inner:
            if isinstance(node, ast.Attribute) and _is_rem(node) and id(node) not in called:
                self.problem(node, "marqueur rem sans identifiant")
        return [
            (requirement, scenario)
            for call in calls
            for requirement in self.ids(call, call.args)
            for scenario in self._scenarios(call)
        ]

    def _scenarios(self, call: ast.Call) -> tuple[str | None, ...]:
        for keyword in call.keywords:
            value = keyword.value
            if keyword.arg != "scenario":
                self.problem(call, f"argument {keyword.arg} inconnu du marqueur rem")
            elif not (isinstance(value, ast.Constant) and isinstance(value.value, str | None)):
                self.problem(call, "scénario non littéral")
            else:
                return scenarios_in(value.value or "") or (None,)
        return (None,)


def definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Yield every function and class of a module with its dotted name."""

    def inside(parent: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, Definition):
                yield f"{prefix}{node.name}", node
                yield from inside(node, f"{prefix}{node.name}.")
            else:
                yield from inside(node, prefix)

    return inside(tree, "")


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _target(node: ast.stmt) -> str:
    if isinstance(node, ast.AnnAssign):
        return _name(node.target)
    return _name(node.targets[0]) if isinstance(node, ast.Assign) else ""


def _is_route(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in VERBS:
        return False
    return _name(function.value).endswith("router")


def _is_rem(function: ast.expr) -> bool:
    """`pytest.mark.rem` or `mark.rem`."""
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "rem"
        and _name(function.value) == "mark"
    )
