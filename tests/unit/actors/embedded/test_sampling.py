"""The draw of the embedded engine by hand: where the cumulative distribution is inverted, and at which temperature."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from agentgym.actors.embedded.sampling import _above, sampled
from agentgym.engine import Sampling
from agentgym.errors import EngineError

ONE_TO_THREE = [0.0, math.log(3)]
"""Logits of the probabilities 1/4 and 3/4."""


def drawn(logits: list[float], uniform: float, **options: Any) -> Any:
    (found,) = sampled(torch.tensor([logits]), [Sampling(**options)], [uniform])
    return found


@pytest.mark.parametrize(("uniform", "token"), [(0.0, 0), (0.2499, 0), (0.25, 1), (0.5, 2), (0.75, 3), (0.999999, 3)])
def test_a_token_has_its_share_of_the_numbers_without_its_upper_end(uniform: float, token: int) -> None:
    assert drawn([5.0] * 4, uniform) == (token, pytest.approx(math.log(1 / 4)))


@pytest.mark.parametrize("uniform", [0.0, 0.5, 0.999999])
def test_what_has_no_probability_is_never_drawn(uniform: float) -> None:
    assert drawn([0.0, 1.0, 9.0, 2.0], uniform, top_k=1) == (2, 0.0)


@pytest.mark.parametrize(("uniform", "token", "probability"), [(0.09, 0, 1 / 10), (0.11, 1, 9 / 10)])
def test_log_probabilities_are_those_of_the_tempered_distribution(
    uniform: float, token: int, probability: float
) -> None:
    """At temperature 1/2 the odds of 1 to 3 are 1 to 9."""
    assert drawn(ONE_TO_THREE, uniform, temperature=0.5) == (token, pytest.approx(math.log(probability)))


def test_greedy_takes_the_likeliest_and_tells_its_probability_at_temperature_1() -> None:
    for uniform in (0.0, 0.999999):
        assert drawn(ONE_TO_THREE, uniform, temperature=0.0) == (1, pytest.approx(math.log(3 / 4)))


def test_every_row_is_sampled_in_its_own_way() -> None:
    """Greedy, tempered, cut to the likeliest, and plain: the first logit has probability 1/4 where it may be drawn."""
    ways = [Sampling(temperature=0.0), Sampling(temperature=0.5), Sampling(top_k=1), Sampling()]
    found = sampled(torch.tensor([ONE_TO_THREE] * 4), ways, [0.05, 0.05, 0.05, 0.2])
    assert [token for token, _ in found] == [1, 0, 1, 0]
    probabilities = [3 / 4, 1 / 10, 1.0, 1 / 4]
    assert [logprob for _, logprob in found] == pytest.approx([math.log(p) for p in probabilities], abs=1e-6)


@pytest.mark.parametrize("token", [0, 255, 256, 511, 512, 599])
def test_of_many_tokens_each_has_its_share(token: int) -> None:
    """600 of one probability, in blocks of 256: each has a 600th of the numbers."""
    for part in (0.001, 0.999):
        assert drawn([2.0] * 600, (token + part) / 600) == (token, pytest.approx(math.log(1 / 600), abs=1e-6))


@pytest.mark.parametrize(("uniform", "token"), [(0.0, 256), (0.7499, 256), (0.7501, 700), (0.999999, 700)])
def test_a_block_without_any_probability_is_passed_over(uniform: float, token: int) -> None:
    """3/4 at the beginning of the second block, 1/4 within the third, nothing else."""
    logits = [-math.inf] * 800
    logits[256], logits[700] = math.log(3), 0.0
    assert drawn(logits, uniform)[0] == token


def test_a_share_of_all_falls_to_the_last_that_adds_anything() -> None:
    sums_RN = torch.tensor([[0.25, 1.0, 1.0], [0.0, 0.5, 2.0]], dtype=torch.float64)
    assert _above(sums_RN, torch.tensor([1.0, 1.5])).tolist() == [1, 2]
    assert _above(sums_RN, torch.tensor([0.0, 0.0])).tolist() == [0, 1]
    assert _above(sums_RN, torch.tensor([0.25, 0.25])).tolist() == [1, 2]


def test_weights_that_are_no_numbers_are_told() -> None:
    with pytest.raises(EngineError, match="a log-probability is not finite"):
        sampled(torch.tensor([[0.0, 1.0], [float("nan"), 0.0]]), [Sampling()] * 2, [0.5] * 2)
