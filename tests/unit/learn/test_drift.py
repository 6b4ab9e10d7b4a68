from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest
import torch

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Prompt, Sampling
from agentgym.learn.drift import base_rows, forward_kl
from agentgym.learn.forward import score
from agentgym.learn.rows import Row
from agentgym.types import Sample, StopReason, Trajectory
from tests.kit import tiny_model

VOCABULARY = 37


def slow_logprobs(module: Any, ids: list[int]) -> list[float]:
    """Token by token, each from a forward pass over its own prefix alone."""
    found = [0.0]
    for end in range(1, len(ids)):
        with torch.no_grad():
            z = module(input_ids=torch.tensor([ids[:end]])).logits[0, -1].double()
        found.append(float(z[ids[end]] - z.exp().sum().log()))
    return found


def played(module: Any, num: int = 12) -> list[Trajectory]:
    """Episodes of two turns that ``module`` samples at temperature 1 through the engine."""

    async def play() -> list[Trajectory]:
        engine = EmbeddedEngine(module)
        found = []
        for i in range(num):
            tokens: list[tuple[int, bool, float, int]] = []
            for turn, heard in enumerate(([1, 2, 3 + i % 5], [4, 5])):
                tokens += [(token, False, 0.0, turn) for token in heard]
                sampling = Sampling(temperature=1.0, max_tokens=3 + i % 4, stop_token_ids=(), seed=100 * i + turn)
                said = await engine.generate(Prompt([token for token, *_ in tokens]), sampling, session=str(i))
                tokens += [(t, True, p, turn) for t, p in zip(said.token_ids, said.logprobs, strict=True)]
            ids, mask, logprobs, turns = zip(*tokens, strict=True)
            versions = [0 if own else -1 for own in mask]
            sample = Sample(
                token_ids=ids, loss_mask=mask, logprobs=logprobs, turn_index=turns, policy_versions=versions
            )
            found.append(Trajectory(env="toy", task=i, seed=i, episode_id=str(i), samples=[sample]))
        await engine.close()
        return found

    return asyncio.run(play())


@pytest.fixture(scope="module")
def base() -> Any:
    return tiny_model(0)


@pytest.fixture(scope="module")
def rows(base: Any) -> list[Row]:
    return base_rows(played(base))


def test_the_same_policy_has_not_moved(base: Any, rows: list[Row]) -> None:
    drift = forward_kl(base, rows)
    assert abs(drift.kl) < 1e-5
    assert drift.error < 1e-5


def test_another_policy_has(rows: list[Row]) -> None:
    drift = forward_kl(tiny_model(1), rows)
    assert drift.kl - 2 * drift.error > 0
    assert drift.error > 0


def test_against_a_slow_reference(rows: list[Row]) -> None:
    other = tiny_model(1)
    sums, counts = [], []
    for row in rows:
        now = slow_logprobs(other, row.token_ids.tolist())
        own = [row.behavior_logprobs[i] - now[i] for i in range(len(now)) if row.loss_mask[i]]
        sums.append(sum(own))
        counts.append(len(own))
    drift = forward_kl(other, rows)
    assert drift.kl == pytest.approx(np.sum(sums) / np.sum(counts), abs=1e-5)
    residuals = np.array(sums) - drift.kl * np.array(counts)  # they sum to 0: a sample variance of theirs is
    expected = math.sqrt(len(rows)) * residuals.std(ddof=1) / np.sum(counts)  # that of the ratio of sums
    assert drift.error == pytest.approx(expected, rel=1e-4)


def test_the_temperature_is_the_one_that_was_sampled_at(base: Any, rows: list[Row]) -> None:
    """The same policy at another temperature is another one; log-probs of temperature 2 are compared at it."""
    assert abs(forward_kl(base, rows, temperature=2.0).kl) > 1e-3
    tempered = [row.model_copy() for row in rows]
    for row, logprobs in zip(tempered, score(base, rows, temperature=2.0), strict=True):
        row.behavior_logprobs = logprobs
    assert abs(forward_kl(base, tempered, temperature=2.0).kl) < 1e-6


def test_the_packing_does_not_matter(rows: list[Row]) -> None:
    other = tiny_model(1)
    assert forward_kl(other, rows, max_tokens=1).kl == pytest.approx(forward_kl(other, rows).kl, abs=1e-6)


def test_by_hand() -> None:
    """A model that thinks all of 37 tokens equally likely, against a base that was 1/2 or 1 sure."""
    uniform = tiny_model(0)
    with torch.no_grad():
        for parameter in uniform.parameters():
            parameter.zero_()
    half, sure = math.log(0.5), 0.0
    rows = [
        Row(token_ids=[1, 2], loss_mask=[False, True], behavior_logprobs=[0.0, half], advantages=[0.0] * 2),
        Row(
            token_ids=[1, 2, 3],
            loss_mask=[False, True, True],
            behavior_logprobs=[0.0, sure, sure],
            advantages=[0.0] * 3,
        ),
    ]
    drift = forward_kl(uniform, rows)
    # sums: log 37 - log 2 and 2 log 37, of 3 tokens; the mean m is log 37 - log(2) / 3
    assert drift.kl == pytest.approx(math.log(37) - math.log(2) / 3, abs=1e-5)
    # residuals: log 37 - log 2 - m = -2/3 log 2, and 2 log 37 - 2 m = 2/3 log 2; 2/1 * 2 * (2/3 log 2)^2 under the root
    assert drift.error == pytest.approx(math.sqrt(4) * (2 / 3 * math.log(2)) / 3, abs=1e-5)


def test_the_estimate_is_the_divergence_of_the_distributions() -> None:
    """One sampled token after one prompt: the mean over many draws is the sum over the vocabulary."""
    base, other = tiny_model(0), tiny_model(1)
    with torch.no_grad():
        p, q = (module(input_ids=torch.tensor([[1, 2, 3]])).logits[0, -1].log_softmax(-1) for module in (base, other))
    weights = p.double().exp()
    draws = np.random.default_rng(0).choice(VOCABULARY, size=4000, p=(weights / weights.sum()).numpy())
    rows = [
        Row(
            token_ids=[1, 2, 3, int(token)],
            loss_mask=[False] * 3 + [True],
            behavior_logprobs=[0.0] * 3 + [float(p[token])],
            advantages=[0.0] * 4,
        )
        for token in draws
    ]
    drift = forward_kl(other, rows)
    exact = float((p.exp() * (p - q)).sum())
    assert exact > 0.1
    assert abs(drift.kl - exact) < 4 * drift.error


def test_a_single_row_has_no_error(rows: list[Row]) -> None:
    assert forward_kl(tiny_model(1), rows[:1]).error == math.inf


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no trained tokens in 0 rows"):
        forward_kl(tiny_model(0), [])


def test_rows_are_of_samples_with_something_said() -> None:
    silent = Sample(token_ids=[1], loss_mask=[False], logprobs=[0.0], turn_index=[0], policy_versions=[-1])
    said = Sample(
        token_ids=[1, 2], loss_mask=[False, True], logprobs=[0.0, -0.5], turn_index=[0, 0], policy_versions=[-1, 0]
    )
    episode = Trajectory(
        env="toy", task=0, seed=0, episode_id="0", samples=[silent, said], stop_reason=StopReason.TURN_LIMIT
    )
    (row,) = base_rows([episode])
    assert row.behavior_logprobs.tolist() == [0.0, -0.5]
