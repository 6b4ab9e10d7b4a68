"""What an answer says: numbers by value, words as a whole, and what is said last."""

# ruff: noqa: RUF001

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from agentgym.tools.answers import numbers_in, said

LISTED = [str(number) for number in range(200)]


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("42", "42"),
        ("42", "It is 42."),
        ("42", "The answer is **42**!\n"),
        ("42", "$42"),
        ("42", "So it is $\\boxed{42}$."),
        ("42", "<answer>42</answer>"),
        ("Paris", "<Final_Answer> Paris </Final_Answer>"),
        ("42", "42 dollars"),
        ("42", "42.0"),
        ("1042", "1,042"),
        ("1,042.50", "1042.5"),
        ("0.5", ".5"),
        ("1e3", "1000"),
        ("-3", "It is -3"),
        ("-3", "It is −3"),
        ("42", "30 plus 12 is 42"),
        ("42", "30+12=42"),
        ("42", "rent is 30. food is 12. total: 42"),
        ("42", "42, not 41"),
        ("41", "not 42 but 41"),
        ("42", "42. I read it at 12:30 in v3."),
        (["3", "7"], "ada owes 7 and ben owes 3"),
        ("New  York", "to new york!"),
        ("Paris", "The capital is “Paris”."),
        ("done", "Done."),
        ("yes", "Yes!"),
        ("Yes!", "yes"),
        (["York", "New York"], "York and New York"),
        ("C++", "in C++"),
        ("a-b", "it is a-b"),
        ("12:30", "at 12:30"),
        ("42%", "about 42%"),
        (["A", "b"], "b and a"),
        (["A", "b", "c d"], "c d, a, and b."),
        (["Paris", "42"], "42 and Paris"),
        (["Paris", "42"], "Paris, 42."),
        ([], "anything"),
    ],
)
def test_it_is_said(expected: Any, answer: str) -> None:
    assert said(expected, answer)


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("42", ""),
        ("42", "It is 142."),
        ("42", "It is 4.42."),
        ("42", "-42"),
        ("42", "−42"),
        ("5", "5.75 dollars"),
        ("12", "12:30"),
        ("42", "1,042"),
        ("42", "42,000"),
        ("1.5", "11.5"),
        ("3", "1e3"),
        ("42", "3/42"),
        ("42", "41-42"),
        ("42", "42%"),
        ("42", "42nd"),
        ("42", "v42"),
        ("42", "4²"),
        ("42", "not 42 but 41"),
        ("42", "It is not 42."),
        ("42", "It isn't 42."),
        ("42", "41 or 42"),
        ("41", "41 or 42"),
        ("42", "42. Or 41."),
        ("42", " ".join(LISTED)),
        ("42", ", ".join(LISTED)),
        ("42", ",".join(LISTED)),
        ("42", "\n".join(LISTED)),
        ("42", "\n".join(f"{number}: {number}" for number in LISTED)),
        (["3", "7"], "3"),
        (["3", "7"], "3 7 9"),
        (["3", "7"], " ".join(LISTED)),
        ("Paris", "Neuparis"),
        ("b", "a-b"),
        ("b", "a.b"),
        ("red", "red green blue"),
        ("green", "red green blue"),
        ("yes", "yes no"),
        ("blue", "not blue"),
        ("blue", "It isn't blue."),
        ("42%", "142%"),
        ("42%", "4.42%"),
        ("42%", "-42%"),
        ("12:30", "112:30"),
        (["A", "b"], "only a"),
        (["A", "b"], "a or b"),
        (["A", "A"], "a"),
        ("a.b", "axb"),
    ],
)
def test_it_is_not_said(expected: Any, answer: str) -> None:
    assert not said(expected, answer)


def test_a_long_answer_is_judged_by_its_end() -> None:
    assert said("paris", "no " * 100_000 + "Paris")
    assert not said("paris", "and " * 300_000)
    assert said(["a" * 3_000, "b"], f"{'a' * 3_000} and b")


def test_numbers_that_stand_by_themselves() -> None:
    found = numbers_in("3 of 1,042, $5.50 (7) at 12:30, order o12, 10% off, 4th, 1-2, " + "9" * 70)
    assert found == [Decimal(3), Decimal(1042), Decimal("5.5"), Decimal(7)]
