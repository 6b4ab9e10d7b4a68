"""What it costs to say or do the same again: by hand, and its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.rewards.repetition import Repetition
from agentgym.types import Trajectory, Turn

REPLIES = st.lists(st.text("ab ", max_size=12), min_size=1, max_size=5)


def said(*replies: str, acts: tuple[str | None, ...] = (), seen: tuple[str, ...] = ()) -> Trajectory:
    """An episode of these replies, of these acts on what was seen."""
    acts, seen = acts or (None,) * len(replies), seen or ("",) * len(replies)
    turns = [
        Turn(observation=see, reply=reply, action=act) for reply, act, see in zip(replies, acts, seen, strict=True)
    ]
    return Trajectory(env="toy", task=0, seed=0, episode_id="e0", turns=turns)


@pytest.mark.parametrize(
    ("reply", "cost"),
    [
        ("a b c d", 0),
        ("a b a b a b", 3 / 5),  # ab ba ab ba ab
        ("go  Go\nGO go", 2 / 3),
        ("a a", 0),
        ("a", 0),
        ("", 0),
        ("aaaaaaaa", 0),
    ],
)
def test_runs_of_two_words_by_hand(reply: str, cost: float) -> None:
    assert Repetition(size=2)(said(reply)) == [pytest.approx(-cost)]


def test_the_default_is_four_words() -> None:
    assert Repetition()(said("a b c a b c")) == [0.0]
    assert Repetition()(said("a b c a b c a")) == [pytest.approx(-1 / 4)]  # abca again


def test_each_turn_costs_its_part_of_the_episode() -> None:
    """3 runs each of ab ba ab, of 6 + 0 in all: the form of another reply is no repetition."""
    assert Repetition(size=2)(said("a b a b", "a b a b", "a")) == pytest.approx([-1 / 6, -1 / 6, 0])


def test_actions_count_where_that_is_asked_for() -> None:
    same = said("a", "b", "c", acts=("look", "look", "go"))
    assert Repetition()(same) == [0.0, 0.0, 0.0]
    assert Repetition(repeated_action=2.0)(same) == [0.0, -1.0, 0.0]
    both = said("a b a b", "a", acts=("go", "go"))
    assert Repetition(size=2, repeated_action=0.5)(both) == pytest.approx([-1 / 3, -0.5])


def test_the_same_act_on_something_else_is_another() -> None:
    assert Repetition(repeated_action=1.0)(said("a", "b", acts=("next", "next"), seen=("p1", "p2"))) == [0.0, 0.0]
    unread = said("a", "b", acts=(None, None))
    assert Repetition(repeated_action=1.0)(unread) == [0.0, 0.0]
    assert Repetition(repeated_action=1.0)(said("a", acts=("go",))) == [0.0]


@given(REPLIES, st.integers(1, 3))
def test_an_episode_costs_less_than_one_and_nothing_where_no_word_comes_twice(replies: list[str], size: int) -> None:
    total = sum(Repetition(size=size)(said(*replies)))
    assert -1 < total <= 0
    if all(len(set(words := reply.split())) == len(words) for reply in replies):
        assert total == 0
    acts = tuple(replies)
    assert -2 <= sum(Repetition(size=size, repeated_action=1.0)(said(*replies, acts=acts))) <= total
