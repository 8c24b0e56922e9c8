"""Small wrongs put into a module, one at a time: what a tired hand could have written.

Syntax only: no test is run here. Left alone: decorators, annotations, docstrings, imports, and
texts that people read (a string with a space and a letter in it).
"""

import ast
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.Add, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr, ast.FloorDiv: ast.Mult,
}  # fmt: skip
ALIASES = ("_P", "_R", "_V", "_Q")
PROSE = re.compile(r"(?=.* )(?=.*[^\W\d_])", re.DOTALL)


@dataclass(frozen=True)
class Mutant:
    """One wrong: where (function and line), what became what, and the whole mutated source."""

    module: str
    place: str
    line: int
    change: str
    source: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What names this mutant whatever moves around it."""
        return self.module, self.place, self.change


def enums(sources: Sequence[str]) -> dict[str, list[str]]:
    """Return the members of every StrEnum written in *sources*."""
    found = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and "StrEnum" in map(ast.unparse, node.bases):
                assigned = [one for one in node.body if isinstance(one, ast.Assign)]
                found[node.name] = [ast.unparse(one.targets[0]) for one in assigned]
    return found


def mutants(module: str, source: str, members: Mapping[str, Sequence[str]]) -> Iterator[Mutant]:
    """Give every mutant of *source*, in order of appearance."""
    tree = ast.parse(source)
    for parent, name, at, place in list(_slots(tree, "")):
        held = getattr(parent, name)
        old = held if at is None else held[at]
        for new in _wrongs(old, parent, name, members):
            _put(parent, name, at, new)
            mutated = ast.unparse(ast.fix_missing_locations(tree))
            _put(parent, name, at, old)
            told = ast.unparse(new) if new is not None else "(removed)"
            change = f"{_short(ast.unparse(old))} → {_short(told)}"
            yield Mutant(module, place, old.lineno, change, mutated)


Slot = tuple[ast.AST, str, int | None, str]


def _slots(node: ast.AST, place: str) -> Iterator[Slot]:
    """Give every place of the tree where something may be replaced, with its function."""
    for name, value in ast.iter_fields(node):
        if name in ("decorator_list", "annotation", "returns", "type_comment", "bases", "func"):
            if name == "func" and isinstance(value, ast.Attribute):
                yield from _slots(value, place)
            continue
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Import | ast.ImportFrom):
                continue
            named = isinstance(child, ast.FunctionDef | ast.ClassDef)
            inside = f"{place}.{child.name}".strip(".") if named else place
            if not _is_docstring(child):
                yield node, name, at, place or "module"
                yield from _slots(child, inside)


def _wrongs(
    old: ast.AST, parent: ast.AST, name: str, members: Mapping[str, Sequence[str]]
) -> Iterator[ast.AST | None]:
    if isinstance(old, ast.stmt):
        yield from _statements(old)
        return
    if isinstance(parent, ast.If | ast.IfExp | ast.While) and name == "test":
        yield ast.UnaryOp(ast.Not(), old)  # type: ignore[arg-type]
    if name == "elts" and isinstance(parent, ast.Set | ast.Tuple) and len(parent.elts) > 1:
        yield None
    if isinstance(parent, ast.Dict) and name == "values":
        yield None
    if isinstance(old, ast.Compare):
        for other in COMPARED.get(type(old.ops[0]), ()):
            yield ast.Compare(old.left, [other(), *old.ops[1:]], old.comparators)
    elif isinstance(old, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(old.op, ast.And) else ast.And(), old.values)
        yield from old.values
    elif isinstance(old, ast.UnaryOp) and isinstance(old.op, ast.Not):
        yield old.operand
    elif isinstance(old, ast.BinOp) and type(old.op) in COMPUTED:
        yield ast.BinOp(old.left, COMPUTED[type(old.op)](), old.right)
    elif isinstance(old, ast.Constant) and not isinstance(parent, ast.JoinedStr):
        yield from _constants(old.value)
    elif isinstance(old, ast.Attribute) and ast.unparse(old.value) in members:
        listed = members[ast.unparse(old.value)]
        other_member = listed[(listed.index(old.attr) + 1) % len(listed)]
        yield ast.Attribute(old.value, other_member, old.ctx)
    elif isinstance(old, ast.Name) and old.id in ALIASES and isinstance(old.ctx, ast.Load):
        yield ast.Name(ALIASES[(ALIASES.index(old.id) + 1) % 4], old.ctx)


def _statements(old: ast.stmt) -> Iterator[ast.AST]:
    called = isinstance(old, ast.Expr) and isinstance(old.value, ast.Call)
    stored = isinstance(old, ast.Assign) and not isinstance(old.targets[0], ast.Name | ast.Tuple)
    if isinstance(old, ast.Raise) or called or stored:
        yield ast.Pass()
    elif isinstance(old, ast.Return) and ast.unparse(old) not in ("return", "return None"):
        yield ast.Return(ast.Constant(None))


def _constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and not PROSE.match(value):
        yield ast.Constant("" if value else "XX")


def _put(parent: ast.AST, name: str, at: int | None, new: ast.AST | None) -> None:
    """Put *new* in its slot; None takes the slot away until something is put back."""
    if at is None:
        setattr(parent, name, new)
        return
    for listed in [name, "keys"] if isinstance(parent, ast.Dict) else [name]:
        kept = parent.__dict__.setdefault(f"kept {listed}", getattr(parent, listed))
        now = copy.copy(kept)
        if new is None:
            del now[at]
        elif listed == name:
            now[at] = new
        setattr(parent, listed, now)


def _is_docstring(node: ast.AST) -> bool:
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant and isinstance(node.value.value, str)  # type: ignore[attr-defined]


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 90 else plain[:87] + "…"
