"""Regular expressions of others: what they match, and what is given up."""

from __future__ import annotations

import time

import pytest

from agentgym.tools.patterns import Patterns

SLOW, LONG = "^(a|a)*$", "a" * 60 + "!"


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^x-", "x-a", True),
        ("^x-", "ax-", False),
        ("b", "abc", True),
        (r"^\p{L}+$", "Zoë", True),
        (r"^\p{Lu}+$", "Zoë", False),
        (r"\/", "a/b", True),
        ("(?<y>[0-9])", "a1", True),
        ("(", "a", None),
        ("[^]", "a", None),
        (r"\u{1F600}", "a", None),
        ("(" * 5000 + ")" * 5000, "a", None),
    ],
)
def test_a_match_none_or_unknown(pattern: str, text: str, found: bool | None) -> None:
    assert Patterns().found(pattern, text) is found


def test_what_takes_too_long_is_given_up_and_so_is_all_that_follows() -> None:
    patterns = Patterns(0.05)
    began = time.perf_counter()
    assert patterns.found(SLOW, LONG) is None
    assert time.perf_counter() - began < 5
    assert patterns.found("a", "a") is None
    assert Patterns(0.05).found("a", "a") is True
