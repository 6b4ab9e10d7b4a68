"""Typing errors: how many, of what sort, and never in what must be copied."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.augmentations.noise import Noise, misspelled
from agentgym.env import Env
from agentgym.types import Observation

WORDS = " ".join(["abcdefgh"] * 4000)


class Page(Env):
    """Shows what it is told."""

    def __init__(self, text: str, **more: Any) -> None:
        self.shown = Observation(text, **more)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.shown, {}

    def step(self, action: str) -> Any:
        return self.shown, 0.0, False, False, {}


def seen(text: str, *, strength: float = 1.0, rate: float = 1.0, seed: int = 0, **more: Any) -> Observation:
    shown: Observation = Noise(Page(text, **more), rate=rate).reset(seed=seed, options={"strength": strength})[0]
    return shown


@given(st.from_regex(r"[a-z]{4,12}", fullmatch=True), st.integers(0, 2**32))
def test_an_error_is_one_letter_less_or_more_or_two_in_wrong_order(word: str, seed: int) -> None:
    found = misspelled(word, np.random.default_rng(seed))
    assert (found[0], found[-1]) == (word[0], word[-1])
    assert abs(len(found) - len(word)) <= 1
    if len(found) == len(word):
        assert sorted(found) == sorted(word)
    else:
        longer, shorter = sorted((word, found), key=len)[::-1]
        assert any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


@pytest.mark.parametrize(
    ("rate", "strength", "share"), [(0.1, 1.0, 0.1), (0.5, 0.5, 0.25), (1.0, 1.0, 1.0), (1.0, 0, 0)]
)
def test_rate_times_strength_is_the_share_of_the_words(rate: float, strength: float, share: float) -> None:
    found = seen(WORDS, rate=rate, strength=strength).split()
    assert sum(word != "abcdefgh" for word in found) / len(found) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    "kept",
    [
        'say "hello there" now or `some thing` now',
        "the [Buying Button] was red",
        "a file_name or file-name or camelCase or Final or x1234 or it's",
        "'single quoted words' are not",
    ],
)
def test_what_must_be_copied_stays(kept: str) -> None:
    found = seen(kept)
    for part in re.findall(r"\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|'[a-z ]+'|\S*[_A-Z0-9'-]\S*", kept):
        assert part in found


def test_words_of_actions_and_of_tools_stay() -> None:
    text = "unstack yellow from the purple tower with caution"
    tools = ({"name": "caution", "parameters": {"properties": {"tower": {}}}},)
    found = seen(text, admissible=("unstack yellow from purple",), tools=tools)
    assert {"unstack", "yellow", "from", "purple", "tower", "caution"} <= {*found.split()}
    assert found != text
    assert (found.admissible, found.tools) == (("unstack yellow from purple",), tools)


def test_each_turn_has_errors_of_its_own_and_each_seed() -> None:
    env = Noise(Page(WORDS), rate=0.5)
    first, _ = env.reset(seed=0, options={"strength": 1})
    assert env.step("a")[0] != first
    assert env.reset(seed=0, options={"strength": 1})[0] == first
    assert env.reset(seed=1, options={"strength": 1})[0] != first
