"""Glimpse: the answer is in the picture and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentgym.environments.glimpse import ANSWERS, Glimpse, draw
from agentgym.media import pixels_of
from agentgym.types import Observation


def shown(env: Glimpse, seed: int) -> list[Observation]:
    """All observations of an episode played by the expert."""
    observation, _ = env.reset(seed=seed)
    seen, over = [Observation.of(observation)], False
    while not over:
        expert = env.expert()
        observation, _, over, _, _ = env.step(str(expert(seen[-1])))
        seen.append(Observation.of(observation))
    return seen


@pytest.mark.parametrize("shows", ["colors", "digits"])
def test_the_expert_is_right_and_the_text_says_nothing(shows: Any) -> None:
    env = Glimpse(shows=shows, pictures=3)
    texts = {tuple(map(str, shown(env, seed))) for seed in range(20)}
    assert len(texts) == 1
    assert env.num_right == 3
    assert not set(ANSWERS[env.shows]) & set(" ".join(texts.pop()).lower().split())


def test_each_picture_is_worth_its_share() -> None:
    env = Glimpse(pictures=4)
    env.reset(seed=1)
    rewards = [env.step(answer if i else "nothing")[1] for i, answer in enumerate(list(env.answers))]
    assert rewards == [0.0, 0.25, 0.25, 0.25]
    env.reset(seed=1)
    results = [env.step(f" {answer.upper()} ") for answer in list(env.answers)]
    assert results[-1][4] == {"success": True}


def test_a_blank_picture_shows_its_ground_alone() -> None:
    blank = [
        pixels_of(seen.images[0]) for seed in range(40) for seen in shown(Glimpse(pictures=1, blank=True), seed)[:1]
    ]
    assert all(abs(pixels.mean(axis=(0, 1)) - 128).max() < 4 for pixels in blank)


@pytest.mark.parametrize("answer", ANSWERS["digits"])
def test_digits_differ(answer: str) -> None:
    """The same place and size, another digit: other pixels."""
    others = [other for other in ANSWERS["digits"] if other != answer]
    own = draw(answer, np.random.default_rng(0)).astype(int)
    apart = [abs(own - draw(other, np.random.default_rng(0))).max(axis=2) > 100 for other in others]
    assert all(found.sum() >= 9 for found in apart)


def test_states_come_back() -> None:
    env, other = Glimpse(pictures=3), Glimpse(pictures=3)
    env.reset(seed=5)
    env.step("red")
    seen, _ = other.restore(env.snapshot())
    assert seen == env.snapshot().observation
    assert [other.step("red")[:4] for _ in range(2)] == [env.step("red")[:4] for _ in range(2)]
