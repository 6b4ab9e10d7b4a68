"""Operations on whole numbers, and expressions of them, read from text without running it.

The rules of an operation are those of the game: differences are not negative, quotients are whole. An expression is
judged by its value alone, computed with fractions: every way to the target counts, also one through 1/2 or -3.
"""

from __future__ import annotations

import ast
import itertools
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Operation", "evaluate", "operations", "parse_operation"]

_LONGEST = 200
"""Characters of an operation or an expression; what is longer is none."""

_SIGNS = str.maketrans({"×": "*", "÷": "/", "−": "-"})  # noqa: RUF001  # as models write them
_OPERATION = re.compile(r"(\d{1,18}) ?([-+*/]) ?(\d{1,18})(?: ?= ?(\d{1,36}))?", re.ASCII)


class Operation(NamedTuple):
    """Two numbers and what is done with them."""

    left: int
    operator: str
    """One of + - * /."""
    right: int

    @property
    def problem(self) -> str | None:
        """Why the game does not allow it, or None."""
        if self.operator == "-" and self.left < self.right:
            return f"{self} is negative"
        if self.operator == "/" and (self.right == 0 or self.left % self.right):
            return f"{self} is not a whole number"
        return None

    @property
    def result(self) -> int:
        """Its value, where there is no problem."""
        functions: dict[str, Callable[[int, int], int]] = {
            "+": operator.add,
            "-": operator.sub,
            "*": operator.mul,
            "/": operator.floordiv,
        }
        return functions[self.operator](self.left, self.right)

    def applied(self, numbers: Sequence[int]) -> tuple[int, ...] | None:
        """The numbers afterwards: without the two, the result last; None where they are not among ``numbers``."""
        left = list(numbers)
        for used in (self.left, self.right):
            if used not in left:
                return None
            left.remove(used)
        return (*left, self.result)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


def operations(numbers: Sequence[int]) -> Iterator[Operation]:
    """Every different operation on two of ``numbers`` that the game allows, the larger number first."""
    seen = set()
    for one, other in itertools.combinations(numbers, 2):
        left, right = max(one, other), min(one, other)
        if (left, right) in seen:
            continue
        seen.add((left, right))
        for sign in "+-*/":
            if (found := Operation(left, sign, right)).problem is None:
                yield found


def parse_operation(text: str) -> Operation | str:
    """The operation that ``text`` names, with or without its result; otherwise what is wrong with it.

    >>> parse_operation("25 * 4 = 100"), parse_operation("25*4=99"), parse_operation("25 times 4")
    (Operation(left=25, operator='*', right=4), '25 * 4 is 100, not 99', 'expected one operation, like "25 * 4"')
    """
    short = text if len(text) <= _LONGEST else ""
    found = _OPERATION.fullmatch(" ".join(short.translate(_SIGNS).split()))
    if found is None:
        return 'expected one operation, like "25 * 4"'
    left, sign, right, claimed = found.groups()
    operation = Operation(int(left), sign, int(right))
    if operation.problem:
        return operation.problem
    if claimed is not None and int(claimed) != operation.result:
        return f"{operation} is {operation.result}, not {claimed}"
    return operation


_FUNCTIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def evaluate(text: str) -> tuple[Fraction, list[int]] | str:
    """Value of an expression and the numbers in it, in order; otherwise what is wrong with it.

    >>> evaluate("(25 - 1) * 2"), evaluate("2 ** 9"), evaluate("1 / (2 - 2)")
    ((Fraction(48, 1), [25, 1, 2]), 'only whole numbers, + - * / and brackets can be used', 'it divides by 0')
    """
    if len(text) > _LONGEST:
        return f"an expression has at most {_LONGEST} characters"
    numbers: list[int] = []
    try:
        tree = ast.parse(text.translate(_SIGNS).strip(), mode="eval")
        return _value(tree.body, numbers), numbers
    except ZeroDivisionError:
        return "it divides by 0"
    except TypeError as error:
        return str(error)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the four that ast.parse documents
        return 'expected an expression, like "(25 - 1) * 2"'


def _value(node: ast.expr, numbers: list[int]) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        numbers.append(node.value)
        return Fraction(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _FUNCTIONS:
        return _FUNCTIONS[type(node.op)](_value(node.left, numbers), _value(node.right, numbers))
    raise TypeError("only whole numbers, + - * / and brackets can be used")
