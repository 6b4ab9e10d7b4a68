"""Mutations that nobody chose: a comparison, an operator, a constant, a statement or an argument, drawn by chance.

Every place of a syntax tree where one of the rules below applies is a candidate: bounds move by one, conditions are
negated, ``and`` becomes ``or``, a keyword argument falls back to its default, a call whose value nobody uses is left
out, an attribute keeps its old value, a value is not returned, an error is not raised. Text is left as it is (what it
says is for people), and so are annotations and what is only true for a type checker. Packages for the same purpose
have no rule for statements and arguments, which is where machinery fails.

Which tests are to notice is told by what they ran: ``Map`` reads the lines that each test of a whole run went through.
"""

from __future__ import annotations

import ast
import functools
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from coverage import CoverageData

from tests.mutants.mutant import ROOT

__all__ = ["Edit", "Map", "edits", "machinery"]

MATHEMATICS = ("agentgym/learn/advantages/", "agentgym/learn/objectives/", "agentgym/learn/aggregation.py")
"""Has a table of its own, with expected numbers."""
ELSEWHERE = (
    "agentgym/sandbox/inside/",
    "agentgym/actors/vllm/",
)
"""The one ends processes and changes files, whoever runs it; tests of the other need another installation."""
SETTLED = {
    "strict",
    "encoding",
    "errors",
    "description",
    "help",
    "metavar",
    "flush",
    "ensure_ascii",
    "indent",
    "daemon",
}
"""Keyword arguments that no test should depend on."""
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OTHER: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
EXCHANGED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
MAX_TESTS = 400


class Edit(NamedTuple):
    """A change of one place: characters ``start`` to ``end`` of the source become ``new``."""

    line: int
    start: int
    end: int
    new: str

    def of(self, source: str) -> str:
        return source[: self.start] + self.new + source[self.end :]

    def told(self, source: str) -> str:
        """The change in a line."""
        old = " ".join(source[self.start : self.end].split())
        return f"line {self.line}: {old[:80]}  ->  {self.new[:80]}"


def machinery() -> list[str]:
    """The files that are no mathematics and can be tested where the fast tests are."""
    files = {
        str(file.relative_to(ROOT))
        for folder in ("agentgym", "environments", "rewards", "trainers")
        for file in (ROOT / folder).resolve().rglob("*.py")
    }
    return sorted(file for file in files if not file.startswith((*MATHEMATICS, *ELSEWHERE)))


def edits(source: str) -> list[Edit]:
    """Every single change that the rules allow, in the order of the text."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    return sorted(finder.found)


class Map:
    """Which tests go through a line, the quickest first. Made by ``python tests/mutations.py --map``."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._root = root
        self._lines = CoverageData(str(folder / ".coverage"))
        self._lines.read()
        self._seconds: dict[str, float] = {}
        for case in ET.parse(folder / "tests.xml").iter("testcase"):
            path = case.attrib["classname"].replace(".", "/")
            self._seconds[f"{path}.py::{case.attrib['name']}"] = float(case.attrib["time"])

    def tests(self, file: str, line: int) -> tuple[str, ...]:
        """Files named after ``file``, then tests that ran ``line``, or where none did any line of it."""
        ran = self._by_line(file)
        found = set(ran.get(line, ())) - {""}
        if not found:  # run when the module was imported: a constant, a default
            found = {context for contexts in ran.values() for context in contexts} - {""}
        cases = {context.partition("|")[0] for context in found}
        known = sorted((case for case in cases if _exists(case)), key=lambda case: (self._seconds.get(case, 1.0), case))
        return (*_named_after(file), *known[:MAX_TESTS])

    @functools.cache  # noqa: B019  # one map a process
    def _by_line(self, file: str) -> dict[int, list[str]]:
        return self._lines.contexts_by_lineno(file) or self._lines.contexts_by_lineno(str(self._root / file))


def _named_after(file: str) -> Iterator[str]:
    path = Path(file)
    folder = ROOT / "tests" / "unit" / Path(*[part for part in path.parts[:-1] if part != "agentgym"])
    names = {path.stem, path.parent.name if path.stem in {"env", "__init__"} else path.stem}
    yield from sorted(
        str(folder.relative_to(ROOT) / f"test_{n}.py") for n in names if (folder / f"test_{n}.py").is_file()
    )


def _exists(case: str) -> bool:
    return (ROOT / case.partition("::")[0]).is_file()


class _Finder(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self.found: list[Edit] = []
        self._source = source
        self._begins = [0]
        for line in source.splitlines(keepends=True):
            self._begins.append(self._begins[-1] + len(line))
        self._lines = source.splitlines()

    # -- places ----------------------------------------------------------------------------------------

    def _offset(self, line: int, column: int) -> int:
        """Of a place that the tree gives in bytes."""
        return self._begins[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def _edit(self, node: ast.expr | ast.stmt, new: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._offset(node.lineno, node.col_offset)
        end = self._offset(node.end_lineno, node.end_col_offset)
        if self._source[start:end] != new:
            self.found.append(Edit(node.lineno, start, end, new))

    def _instead(self, node: ast.expr, new: ast.expr) -> None:
        self._edit(node, f"({ast.unparse(new)})")

    # -- statements ------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if ast.unparse(node.targets[0]) == "__all__":
            return
        if isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            self._edit(node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._edit(node, "pass")
        self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom):
            self._edit(node, "pass")
            self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._edit(node, "pass")

    def visit_Raise(self, node: ast.Raise) -> None:
        self._edit(node, "pass")

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_Continue(self, node: ast.Continue) -> None:
        self._edit(node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._edit(node, "pass")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            return
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._edit(node, "return None")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return
        self._negate(node.test)
        self.generic_visit(node)

    # -- expressions -----------------------------------------------------------------------------------

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.UnaryOp | ast.NamedExpr):  # those have a rule of their own
            self._instead(test, ast.UnaryOp(ast.Not(), test))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._instead(test, ast.Constant(True))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for at, operator in enumerate(node.ops):
            other = [*node.ops[:at], OPPOSITE[type(operator)](), *node.ops[at + 1 :]]
            self._instead(node, ast.Compare(node.left, other, node.comparators))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._instead(node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._instead(node, node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        text = any(isinstance(n, ast.JoinedStr | ast.Constant) and not _number(n) for n in (node.left, node.right))
        if type(node.op) in OTHER and not text:
            self._instead(node, ast.BinOp(node.left, OTHER[type(node.op)](), node.right))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._edit(node, str(not node.value))
        elif isinstance(node.value, int):
            self._edit(node, str(node.value + 1))
        elif isinstance(node.value, float):
            self._edit(node, str(2 * node.value if node.value else 1.0))

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in EXCHANGED:
            self._edit(node.func, EXCHANGED[node.func.id])
        for keyword in node.keywords:
            if keyword.arg not in SETTLED | {None}:
                others = [other for other in node.keywords if other is not keyword]
                self._instead(node, ast.Call(node.func, node.args, others))
        self.visit(node.func)
        for argument in (*node.args, *(k.value for k in node.keywords if k.arg not in SETTLED)):
            self.visit(argument)


def _number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)
