"""Lists of actions in another order, each with what belongs to it, and nothing else moved."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.augmentations.shuffled_layout import ShuffledLayout, lists_in, shuffled
from agentgym.env import Env
from agentgym.errors import UserError
from agentgym.types import Observation


@pytest.mark.parametrize(
    ("marks", "found"),
    [
        ("xx", []),
        ("..xx..", []),
        ("xxx", [(0, 1, 3)]),
        ("..xxxx", [(2, 1, 4)]),
        ("xxxx..", [(0, 1, 3)]),  # the last may be the head of what follows
        ("x.x.x.", [(0, 2, 3)]),
        ("x.x.x", []),  # of the last there is only half
        (".x.xx..x..x..x..", [(4, 3, 4)]),  # a page of products
        ("..xx.xxxx...xxxx", [(12, 1, 4), (5, 1, 3)]),  # options and buttons
        ("x.x.xxx", [(0, 2, 3)]),  # and no part is of two lists
        ("", []),
        (".....", []),
    ],
)
def test_lists_are_three_or_more_at_equal_distances(marks: str, found: list[tuple[int, int, int]]) -> None:
    assert lists_in([mark == "x" for mark in marks]) == found


@given(st.lists(st.sampled_from("abcdefxyz"), max_size=20), st.integers(0, 2**32))
def test_nothing_is_added_or_left_out(parts: list[str], seed: int) -> None:
    for separator in (" [SEP] ", "\n", ", "):
        found = shuffled(separator.join(parts), set("abcdef"), np.random.default_rng(seed))
        assert collections.Counter(found.split(separator)) == collections.Counter(
            separator.join(parts).split(separator)
        )


DISHES = tuple("abcdefghijkl")


class Menu(Env):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return Observation("Choose.", admissible=DISHES), {}


def test_a_product_keeps_its_price() -> None:
    env = ShuffledLayout(agentgym.make("webshop"))
    env.reset(seed=0, options={"task": 0, "strength": 1})
    seen, *_ = env.step("search[red mug]")
    plain = agentgym.make("webshop")
    plain.reset(seed=0, options={"task": 0})
    expected, *_ = plain.step("search[red mug]")

    def products(page: str) -> list[tuple[str, ...]]:
        parts = page.split(" [SEP] ")
        at = parts.index("Next >") + 1
        return list(zip(*[iter(parts[at:])] * 3, strict=True))

    assert products(seen) != products(expected)
    assert sorted(products(seen)) == sorted(products(expected))
    assert seen.partition("Next >")[0] == expected.partition("Next >")[0]
    assert seen.admissible != expected.admissible
    assert sorted(seen.admissible or ()) == sorted(expected.admissible or ())


def test_rich_text_is_shuffled_too() -> None:
    env = ShuffledLayout(agentgym.make("webshop", observation_mode="text_rich"))
    env.reset(seed=0, options={"task": 0, "strength": 1})
    seen, *_ = env.step("search[red mug]")
    plain = env.env._seen
    assert plain is not None
    assert seen != plain
    assert sorted(seen.splitlines()) == sorted(plain.splitlines())


@pytest.mark.parametrize(("strength", "share"), [(1.0, 1.0), (0.5, 0.5)])
def test_the_strength_is_how_often(strength: float, share: float) -> None:
    env, num = ShuffledLayout(Menu()), 0
    for seed in range(200):
        seen, _ = env.reset(seed=seed, options={"strength": strength})
        assert sorted(seen.admissible or ()) == list(DISHES)
        num += seen.admissible != DISHES
    assert num / 200 == pytest.approx(share, abs=0.1)


def test_where_no_actions_are_listed_it_does_not_fit() -> None:
    env = ShuffledLayout(agentgym.make("countdown"))
    if env.reset(seed=0)[0].admissible is None:
        with pytest.raises(UserError, match="lists no actions"):
            env.reset(seed=0, options={"strength": 1})
