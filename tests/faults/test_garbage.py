"""Whatever an environment returns, the run goes on and nothing of it is learned from that is not a number and text.

A thousand returns are drawn, right and wrong; what the boundary lets through is looked at as a trainer would.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import agentgym
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout
from agentgym.types import Observation, StopReason, Trajectory
from tests.unit.rollout.kit import TOKENIZER, says

FEW, RETURNS = 200, 1000
"""At each change; at night."""


class Strange:
    """Fails at whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


texts = st.one_of(
    st.text(st.characters(), max_size=20),  # lone surrogates and NUL among them
    st.sampled_from(["", "\ud800", "\x00", "<|im_end|>", "x" * 200_000, "\x1b[2J"]),
)
things: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    texts,
    st.binary(max_size=4),
    st.sampled_from([np.float64("nan"), np.array([1.0, 2.0]), np.array("x"), object(), Strange(), {1, 2}, 10**400, 1j]),
)
observations = st.one_of(texts, things, st.builds(Observation, st.sampled_from(["", "seen"])))
NUMBERS = [math.nan, math.inf, -math.inf, 1e308, 0.0, 1, True, "1", np.float32(0.5), np.float64("nan"), np.bool_(True)]
rewards = st.one_of(st.sampled_from(NUMBERS), st.floats(), things)
ends = st.one_of(st.booleans(), things)
infos = st.one_of(
    st.dictionaries(st.sampled_from(["success", "channels", "invalid", "error", "other"]), things, max_size=3),
    things,
    st.dictionaries(st.integers(), things, max_size=2),
)
right: st.SearchStrategy[Any] = st.tuples(
    st.sampled_from(["", "seen"]), st.sampled_from([0.0, 0.5, 1]), st.just(False), st.booleans(), st.just({})
)
fields = (observations, rewards, ends, ends, infos)


@st.composite
def slips(draw: st.DrawFn) -> tuple[Any, ...]:
    """What is right but for one thing."""
    place = draw(st.integers(0, 4))
    whole = draw(right)
    return (*whole[:place], draw(fields[place]), *whole[place + 1 :])


returns: st.SearchStrategy[Any] = st.one_of(
    slips(), slips(), slips(), right, st.tuples(*fields), st.lists(things, max_size=6).map(tuple), things
)
begun: st.SearchStrategy[Any] = st.just(("go", {}))


class Gives(agentgym.Env):
    """What it is told to."""

    max_turns = 3

    def __init__(self, steps: Sequence[Any], begins: Any) -> None:
        self.steps, self.begins = list(steps), begins

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.begins

    def step(self, action: str) -> Any:
        return self.steps.pop(0) if self.steps else ("", 0.0, True, False, {})


def played(steps: Sequence[Any], begins: Any) -> list[Trajectory]:
    """An episode of it, and one of another environment beside it."""

    async def main() -> list[Trajectory]:
        calls = iter([Gives(steps, begins), Gives([], ("go", {}))])
        rollout = Rollout(lambda: next(calls), TOKENIZER, Plain(), limits=Limits(max_attempts=1), max_context=2**20)
        try:
            specs = [EpisodeSpec(task=None, seed=n, episode_id=str(n)) for n in range(2)]
            return await rollout.run(specs, says("on"))
        finally:
            await rollout.close()

    return asyncio.run(main())


episodes: tuple[st.SearchStrategy[Any], ...] = (
    st.lists(returns, min_size=2, max_size=2),
    st.one_of(begun, begun, begun, begun, st.tuples(observations, infos), things),
)


@examples(max_examples=FEW // 2, deadline=None)
@given(*episodes)
def test_nothing_strange_reaches_a_trainer(steps: list[Any], begins: Any) -> None:
    look_at(steps, begins)


@pytest.mark.slow
@pytest.mark.nightly
@examples(max_examples=RETURNS // 2, deadline=None)
@given(*episodes)
def test_nothing_strange_reaches_a_trainer_in_a_thousand_returns(steps: list[Any], begins: Any) -> None:
    look_at(steps, begins)


def look_at(steps: list[Any], begins: Any) -> None:
    """Whether all that is left of it can be learned from, and whether the other episode noticed anything."""
    strange, sibling = played(steps, begins)
    assert sibling.terminated
    assert sibling.error is None
    if strange.stop_reason.is_void:
        assert strange.stop_reason is StopReason.ENV_ERROR
        cause = str(strange.error).splitlines()[0]
        assert cause
        assert len(cause) < 5000
    for turn in strange.turns:
        assert type(turn.reward) is float
        assert math.isfinite(turn.reward)
        turn.observation.encode()
    assert math.isfinite(strange.reward)
    for sample in strange.samples:
        assert sample.token_ids.dtype.kind == "i"
        assert np.isfinite(sample.logprobs).all()
    json.loads(strange.model_dump_json())  # an archive takes it
