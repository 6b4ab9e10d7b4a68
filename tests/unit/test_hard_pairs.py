"""Pairs of which the worse side looks better."""

from __future__ import annotations

import pytest

from agentgym.hard_pairs import biased_pairs, decoration
from agentgym.types import Trajectory
from tests.unit.trainers.kit import episode


def said(reward: float, reply: list[int], text: str = "") -> Trajectory:
    one = episode([reward], [reply], name=f"{reward}-{reply}")
    one.turns[0].reply = text
    return one


def test_the_longer_of_two_is_the_worse_one() -> None:
    brief, long, longest = said(1.0, [5, 9]), said(0.5, [6, 6, 9]), said(0.7, [7, 7, 7, 9])
    found = biased_pairs([brief, long, longest], bias="length")
    sides = [(pair.chosen.token_ids.tolist(), pair.rejected.token_ids.tolist()) for pair in found.pairs]
    assert sides == [([1, 5, 9], [1, 6, 6, 9]), ([1, 5, 9], [1, 7, 7, 7, 9])]  # not 0.7 against 0.5: it is longer
    assert [pair.margin for pair in found.pairs] == pytest.approx([0.5, 0.3])
    assert len(biased_pairs([brief, long, longest], threshold=0.4).pairs) == 1
    assert biased_pairs([said(0.0, [5, 9]), said(1.0, [6, 6, 9])]).pairs == []


def test_the_more_decorated_of_two_is_the_worse_one() -> None:
    plain, fine = said(1.0, [5, 9], "go up"), said(0.0, [6, 9], "**Go up!**")
    (pair,) = biased_pairs([fine, plain], bias="style").pairs
    assert pair.chosen.token_ids.tolist() == [1, 5, 9]
    assert biased_pairs([said(0.0, [5, 9], "go up"), said(1.0, [6, 9], "**Go up!**")], bias="style").pairs == []
    assert biased_pairs([plain, said(0.0, [6, 9], "go in")], bias="style").pairs == []


@pytest.mark.parametrize(
    ("text", "num"),
    [
        ("go up", 0),
        ("", 0),
        ("Go up!", 1),
        ("- one\n- two", 2),
        ("1. one\n  2) two", 2),
        ("`a` | *b*", 5),
        ("a - b", 0),
    ],
)
def test_what_decorates(text: str, num: int) -> None:
    assert decoration(said(0.0, [5, 9], text)) == pytest.approx(num / max(1, len(text)))


def test_what_cannot_be_compared_is_counted() -> None:
    forked = episode([1.0, 0.0], forks=[[[5, 9]], [[6, 9]]])
    assert biased_pairs([forked, said(0.0, [7, 7, 9])]).num_skipped == 1
