"""How far an engine is from the learner, token by token, at temperature 1."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Prompt
from agentgym.learn.canary import engine_gap
from agentgym.learn.learner import Learner
from agentgym.types import Media
from tests.kit import tiny_model

IDS = [3, 1, 4, 1, 5]


class Off(ScriptedEngine):
    """Has the learner's log-probabilities, but for ``errors``."""

    def __init__(self, learner: Learner, errors: Sequence[float]) -> None:
        super().__init__(lambda ids: [])
        self.learner, self.errors, self.num_asked = learner, errors, 0

    async def score(self, prompt: Prompt) -> list[float]:
        self.num_asked += 1
        with torch.no_grad():
            logits = self.learner.module(torch.tensor([list(prompt.token_ids)])).logits[0].log_softmax(-1)
        known = [0.0, *(float(logits[at, token]) for at, token in enumerate(prompt.token_ids[1:]))]
        return list(np.add(known, self.errors))


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(tiny_model(1), learning_rate=1e-3, max_microbatch_tokens=64, temperature=0.5)


@pytest.mark.parametrize(
    ("errors", "gap"),
    [
        ([0.0, 0.0, 0.0, 0.0, 0.0], 0.0),
        ([0.0, 0.5, 0.0, 0.25, 0.0], 0.5),  # the largest, not the last
        ([0.0, 0.25, -0.75, 0.0, 0.125], 0.75),  # whatever its sign
        ([0.0, 0.0, 0.0, 0.0, 2.0], 2.0),
        ([9.0, 0.0, 0.5, 0.0, 0.0], 0.5),  # the first token has nothing before it
    ],
)
def test_the_gap_is_the_largest_difference(errors: list[float], gap: float, learner: Learner) -> None:
    assert asyncio.run(engine_gap(Off(learner, errors), learner, Prompt(IDS))) == pytest.approx(gap, abs=1e-5)


def test_tokens_that_stand_for_images_are_left_out(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner.module.config, "image_token_id", 4, raising=False)
    engine = Off(learner, [0.0, 0.0, 9.0, 0.0, 0.5])
    assert asyncio.run(engine_gap(engine, learner, Prompt(IDS))) == pytest.approx(0.5, abs=1e-5)


def test_the_learner_scores_what_the_engine_does_with_its_images_at_temperature_1(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, Any]] = []

    def score(module: Any, rows: Any, **given: Any) -> list[Any]:
        asked.append((rows, given))
        return [np.zeros(len(IDS))]

    monkeypatch.setattr("agentgym.learn.learner.score", score)
    seen = Media(digest="d" * 32, data=b"a picture")
    asyncio.run(engine_gap(Off(learner, [0.0] * len(IDS)), learner, Prompt(IDS, [seen])))
    (((row,), given),) = asked
    assert (list(row.token_ids), list(row.media)) == (IDS, [seen.digest])
    assert given == {"temperature": 1.0, "max_tokens": 64, "world": learner.world}


def test_without_tokens_there_is_no_gap_and_nobody_is_asked(learner: Learner) -> None:
    engine = Off(learner, [])
    assert asyncio.run(engine_gap(engine, learner, Prompt([]))) == 0.0
    assert engine.num_asked == 0
