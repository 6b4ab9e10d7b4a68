"""Bugs as programmers make them: small changes to the text of a module, found by its syntax.

A change replaces one stretch of the text and leaves all else as it stands, so that what repairs it is as small. Each is
known by its kind and its number among those of the kind, "bound-2".
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

__all__ = ["KINDS", "Bug", "Text", "bugs_in"]

Change: TypeAlias = tuple[int, int, str]
"""Where the stretch begins and ends, and what stands there instead."""


class Bug(NamedTuple):
    """A change to a module."""

    key: str
    function: str
    """Where it is: a function's or method's name, a class's for its ``__init__``."""
    start: int
    end: int
    new: str

    def put_into(self, text: str) -> str:
        """The module with the bug."""
        return text[: self.start] + self.new + text[self.end :]


class Text:
    """The text of a module, by the places of its syntax."""

    def __init__(self, text: str) -> None:
        self.text = text
        lengths = [len(line) for line in text.splitlines(keepends=True)]
        self._starts = [0, *itertools.accumulate(lengths)]

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Where a node begins; the text has no letters of several bytes."""
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Where a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node."""
        return self.text[self.start(node) : self.end(node)]

    def between(self, left: ast.expr | ast.stmt, right: ast.expr | ast.stmt, old: str, new: str) -> Change:
        """The change of a sign that stands between two nodes."""
        place = self.text.index(old, self.end(left), self.start(right))
        return place, place + len(old), new

    def whole(self, node: ast.expr | ast.stmt, new: str) -> Change:
        """The change of a node to another text."""
        return self.start(node), self.end(node), new

    def lines(self, node: ast.stmt) -> Change:
        """The change that takes a statement's lines away."""
        assert node.end_lineno is not None
        return self._starts[node.lineno - 1], self._starts[node.end_lineno], ""


def bugs_in(text: str) -> tuple[Bug, ...]:
    """Every bug that can be put into a module, in the order of kinds and places."""
    source, tree = Text(text), ast.parse(text)
    places = list(_places(tree))
    found = []
    for kind, changes in KINDS.items():
        number = 0
        for function, node in places:
            for start, end, new in changes(source, node):
                found.append(Bug(f"{kind}-{number}", function, start, end, new))
                number += 1
    return tuple(found)


def _places(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Each node of each function and method, with the function's name."""
    for top in tree.body:
        for function in top.body if isinstance(top, ast.ClassDef) else [top]:
            if isinstance(function, ast.FunctionDef):
                owner = top.name if isinstance(top, ast.ClassDef) and function.name == "__init__" else function.name
                yield from ((owner, node) for node in ast.walk(function))


# -- kinds -------------------------------------------------------------------------------------------------

_SIGNS: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: " in ",
    ast.NotIn: " not in ",
    ast.Is: " is ",
    ast.IsNot: " is not ",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
_BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_REVERSED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "!=", "!=": "==", " in ": " not in ", " not in ": " in "}
_REVERSED |= {" is ": " is not ", " is not ": " is "}
_OPERATORS = {"+": "-", "-": "+", "*": "+", "//": "*", "%": "//"}
_TWINS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_METHODS = {"strip": "lstrip", "lstrip": "rstrip", "find": "rfind", "rfind": "find", "popleft": "pop"}
_METHODS |= {"partition": "rpartition", "startswith": "endswith", "endswith": "startswith"}


def _compared(signs: dict[str, str], text: Text, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            old = _SIGNS.get(type(operator), "")
            if old in signs:
                yield text.between(left, right, old, signs[old])


def _operator(text: Text, node: ast.AST) -> Iterator[Change]:
    """A sign of arithmetic, also in an assignment."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and (old := _SIGNS.get(type(node.op), "")) in _OPERATORS:
        left, right = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
        yield text.between(left, right, old, _OPERATORS[old])


def _connective(text: Text, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BoolOp):
        old, new = (" and ", " or ") if isinstance(node.op, ast.And) else (" or ", " and ")
        yield text.between(node.values[-2], node.values[-1], old, new)


def _off_by_one(text: Text, node: ast.AST) -> Iterator[Change]:
    """A number that is one too large, or is left out where one is added or taken away."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and _is_number(node.right, 1):
        yield text.end(node.left), text.end(node), ""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield text.whole(node, str(node.value + 1))


def _default(text: Text, node: ast.AST) -> Iterator[Change]:
    """Another value for what is not given."""
    if isinstance(node, ast.FunctionDef):
        for default in node.args.defaults:
            if isinstance(default, ast.Constant) and isinstance(default.value, bool):
                yield text.whole(default, str(not default.value))
            elif isinstance(default, ast.Constant) and isinstance(default.value, int):
                yield text.whole(default, str(default.value - 1))


def _mutable(text: Text, node: ast.AST) -> Iterator[Change]:
    """A default that all calls share, in the place of None and what makes a new one."""
    if not isinstance(node, ast.FunctionDef):
        return
    for statement in node.body:
        match statement:
            case ast.If(
                test=ast.Compare(left=ast.Name(id=name), ops=[ast.Is()]),
                body=[ast.Assign(targets=[ast.Name(id=made)], value=ast.List() | ast.Dict() as empty)],
                orelse=[],
            ) if name == made:
                for default in node.args.defaults:
                    if isinstance(default, ast.Constant) and default.value is None:
                        middle = text.text[text.end(default) : text.lines(statement)[0]]
                        yield text.start(default), text.lines(statement)[1], text.of(empty) + middle


def _swapped(text: Text, node: ast.AST) -> Iterator[Change]:
    """Two arguments in the wrong order."""
    if isinstance(node, ast.Call):
        for one, other in itertools.pairwise(node.args):
            if not isinstance(one, ast.Starred | ast.GeneratorExp | ast.Constant):
                middle = text.text[text.end(one) : text.start(other)]
                yield text.start(one), text.end(other), text.of(other) + middle + text.of(one)


def _guard(text: Text, node: ast.AST) -> Iterator[Change]:
    """A check at the beginning that is left out."""
    if (
        isinstance(node, ast.If)
        and not node.orelse
        and isinstance(node.body[-1], ast.Raise | ast.Return | ast.Continue)
    ):
        yield text.lines(node)


def _branch(text: Text, node: ast.AST) -> Iterator[Change]:
    """One of several cases that is left out."""
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(inner := node.orelse[0], ast.If):
        start, _, _ = text.lines(inner)
        end = text.lines(inner.body[-1])[1]
        if text.text[start:].lstrip().startswith("elif"):
            yield start, end, ""


def _statement(text: Text, node: ast.AST) -> Iterator[Change]:
    """A step that is left out, where others stand beside it."""
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if isinstance(block, list) and len(block) > 1:
            for step in block:
                is_step = isinstance(step, ast.AugAssign | ast.Delete) or _is_call(step)
                if is_step or (isinstance(step, ast.Assign) and step is not block[0]):
                    yield text.lines(step)


def _negated(text: Text, node: ast.AST) -> Iterator[Change]:
    """A condition the wrong way round, where it is no comparison."""
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.BoolOp):
        old = text.of(node.test)
        yield text.whole(node.test, old.removeprefix("not ") if old.startswith("not ") else f"not {old}")


def _twin(text: Text, node: ast.AST) -> Iterator[Change]:
    """A function that does nearly the same."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TWINS:
        yield text.whole(node.func, _TWINS[node.func.id])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        yield text.end(node.func) - len(node.func.attr), text.end(node.func), _METHODS[node.func.attr]


def _position(text: Text, node: ast.AST) -> Iterator[Change]:
    """The last for the first, or the first for the last."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if _is_number(node.slice, 0):
            yield text.whole(node.slice, "-1")
        elif text.of(node.slice) == "-1":
            yield text.whole(node.slice, "0")


def _flag(text: Text, node: ast.AST) -> Iterator[Change]:
    """True for False, or False for True, in what is returned or handed on."""
    value = node.value if isinstance(node, ast.Return | ast.keyword | ast.Assign) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        yield text.whole(value, str(not value.value))


def _result(text: Text, node: ast.AST) -> Iterator[Change]:
    """What is worked out is not returned."""
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield text.whole(node, text.of(node.value))


KINDS: dict[str, Callable[[Text, ast.AST], Iterator[Change]]] = {
    "bound": functools.partial(_compared, _BOUNDS),
    "reversed": functools.partial(_compared, _REVERSED),
    "operator": _operator,
    "connective": _connective,
    "one": _off_by_one,
    "default": _default,
    "mutable": _mutable,
    "swapped": _swapped,
    "guard": _guard,
    "branch": _branch,
    "step": _statement,
    "negated": _negated,
    "twin": _twin,
    "position": _position,
    "flag": _flag,
    "result": _result,
}
"""Kind of bug → the changes that it makes of a node."""


def _is_number(node: ast.AST, value: int) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value == value


def _is_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
