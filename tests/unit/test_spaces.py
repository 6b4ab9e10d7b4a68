"""Text of any kind is in the space, and vector environments carry it whole or refuse."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

import agentgym
from agentgym.spaces import TextSpace


class Echo(agentgym.Env):
    """Shows the action; found by name from the worker processes."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return f"hello {self.np_random.integers(10**6)}", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return f"you said {action}", 1.5, False, False, {}


@pytest.mark.parametrize("text", ["", " ", "\x00", "ñ𝕏\n", "x" * 10_000, agentgym.Observation("seen")])
def test_any_text_is_in_the_space(text: str) -> None:
    assert text in TextSpace()


@pytest.mark.parametrize("other", [b"bytes", 7, None, ["text"]])
def test_nothing_else_is(other: Any) -> None:
    assert other not in TextSpace()


def test_samples_are_text_and_follow_the_seed() -> None:
    one, other = TextSpace(seed=3), TextSpace(seed=3)
    samples = [one.sample() for _ in range(50)]
    assert samples == [other.sample() for _ in range(50)]
    assert all(sample in one and sample for sample in samples)
    assert len(set(samples)) > 40


def test_samples_of_examples_are_examples() -> None:
    space = TextSpace(["up", "down"], seed=0)
    assert {space.sample() for _ in range(50)} == {"up", "down"}


def test_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="takes neither"):
        TextSpace().sample(mask=np.ones(2))


def test_equality_hash_and_pickle() -> None:
    assert TextSpace(["a"]) == TextSpace(["a"]) != TextSpace(["b"])
    assert TextSpace() != gymnasium.spaces.Text(5)
    assert hash(TextSpace(["a"])) == hash(TextSpace(["a"]))
    assert pickle.loads(pickle.dumps(TextSpace(["a"]))) == TextSpace(["a"])
    assert repr(TextSpace()) == "TextSpace()"
    assert repr(TextSpace(["a"])) == "TextSpace(['a'])"


def test_a_vector_environment_of_processes_carries_text_whole() -> None:
    vector = AsyncVectorEnv([functools.partial(Echo)] * 2, shared_memory=False)
    try:
        observations, _ = vector.reset(seed=[1, 2])
        assert [text.split()[0] for text in observations] == ["hello", "hello"]
        assert observations[0] != observations[1]
        observations, rewards, *_ = vector.step(("a b", "ñ"))
        assert tuple(observations) == ("you said a b", "you said ñ")
        assert list(rewards) == [1.5, 1.5]
    finally:
        vector.close()


def test_a_vector_environment_in_shared_memory_is_refused() -> None:
    with pytest.raises(Exception, match="shared_memory=False"):
        AsyncVectorEnv([functools.partial(Echo)] * 2, shared_memory=True)


def test_a_vector_environment_of_this_process_carries_text_whole() -> None:
    vector = SyncVectorEnv([Echo, Echo])
    vector.reset(seed=1)
    observations, *_ = vector.step(("x", "y"))
    assert tuple(observations) == ("you said x", "you said y")
