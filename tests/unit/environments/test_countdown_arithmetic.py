"""Operations and expressions by hand: what they use up, what the game allows, where reading ends."""

from __future__ import annotations

from fractions import Fraction

import pytest

from agentgym.environments.countdown.arithmetic import Operation, evaluate, operations, parse_operation


def test_an_operation_uses_up_its_two_numbers_and_its_result_comes_last() -> None:
    assert Operation(8, "*", 3).applied((8, 3, 1)) == (1, 24)
    assert Operation(3, "+", 3).applied((3, 1, 3)) == (1, 6)
    assert Operation(3, "+", 3).applied((3, 1)) is None, "one 3 is not two"
    assert Operation(3, "+", 2).applied((3, 1)) is None
    assert Operation(3, "-", 1).applied([3, 1]) == (2,)


def test_every_different_operation_is_listed_once_the_larger_number_first() -> None:
    assert list(map(str, operations((3, 8)))) == ["8 + 3", "8 - 3", "8 * 3"]
    assert list(map(str, operations((2, 8)))) == ["8 + 2", "8 - 2", "8 * 2", "8 / 2"]
    assert list(map(str, operations((2, 2, 2)))) == ["2 + 2", "2 - 2", "2 * 2", "2 / 2"]
    assert list(map(str, operations((0, 5)))) == ["5 + 0", "5 - 0", "5 * 0"], "nothing is divided by 0"
    assert [str(found) for found in operations((1, 2, 3))] == [
        *("2 + 1", "2 - 1", "2 * 1", "2 / 1"),
        *("3 + 1", "3 - 1", "3 * 1", "3 / 1"),
        *("3 + 2", "3 - 2", "3 * 2"),
    ]
    assert list(operations((7,))) == []


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (Operation(3, "-", 3), None),
        (Operation(2, "-", 3), "2 - 3 is negative"),
        (Operation(2, "+", 3), None),
        (Operation(6, "/", 3), None),
        (Operation(3, "/", 6), "3 / 6 is not a whole number"),
        (Operation(0, "/", 3), None),
        (Operation(3, "/", 0), "3 / 0 is not a whole number"),
    ],
)
def test_what_the_game_allows(operation: Operation, problem: str | None) -> None:
    assert operation.problem == problem


@pytest.mark.parametrize(("sign", "result"), [("+", 8), ("-", 4), ("*", 12), ("/", 3)])
def test_results(sign: str, result: int) -> None:
    assert Operation(6, sign, 2).result == result


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("6-2=4", Operation(6, "-", 2)),
        (" 6  −  2 ", Operation(6, "-", 2)),  # noqa: RUF001
        ("6 × 2", Operation(6, "*", 2)),  # noqa: RUF001
        ("6 ÷ 2 = 3", Operation(6, "/", 2)),
        ("6 / 2 = 4", "6 / 2 is 3, not 4"),
        ("2 - 6", "2 - 6 is negative"),
        ("1" * 18 + " + 1", Operation(111_111_111_111_111_111, "+", 1)),
        ("1" * 19 + " + 1", 'expected one operation, like "25 * 4"'),
        ("6 - 2" + " " * 195, Operation(6, "-", 2)),
        ("6 - 2" + " " * 196, 'expected one operation, like "25 * 4"'),
    ],
)
def test_reading_operations(text: str, found: Operation | str) -> None:
    assert parse_operation(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("6 - 2 * 2", (Fraction(2), [6, 2, 2])),
        ("(6 - 2) * 2", (Fraction(8), [6, 2, 2])),
        ("6 ÷ 4", (Fraction(3, 2), [6, 4])),
        ("2 − 6", (Fraction(-4), [2, 6])),  # noqa: RUF001
        ("7", (Fraction(7), [7])),
        ("1" + " " * 199, (Fraction(1), [1])),
        ("1" + " " * 200, "an expression has at most 200 characters"),
        ("6 / 0", "it divides by 0"),
        ("2.5 * 2", "only whole numbers, + - * / and brackets can be used"),
        ("5 // 2", "only whole numbers, + - * / and brackets can be used"),
        ("6 -", 'expected an expression, like "(25 - 1) * 2"'),
    ],
)
def test_expressions(text: str, found: tuple[Fraction, list[int]] | str) -> None:
    assert evaluate(text) == found
