"""Mixers of imitation and reinforcement: schedules, weights and masks by hand and against slow references."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.aggregation import token_weights
from agentgym.learn.objectives.mixers import (
    MixtureWeights,
    chord,
    chord_mu,
    chord_phi,
    cosine,
    hpt_imitates,
    mix,
    mixture_weights,
    prefix_length,
    prefix_low,
    prefix_rft,
    srft,
    srft_weights,
    sum_weights,
    top_entropy,
)
from agentgym.learn.rows import Row

EVEN = MixtureWeights(1.0, 1.0)


def logs(probabilities: list[float]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def row(length: int) -> Row:
    """One with ``length`` trained tokens."""
    mask = [False] + [True] * length
    zeros = [0.0] * len(mask)
    return Row(token_ids=[1] * len(mask), loss_mask=mask, behavior_logprobs=zeros, advantages=zeros)


# Weights


def test_mixture_weights_by_hand() -> None:
    """3 RL tokens and 1 of a demonstration, mu 1/4: .75 * 4 / 3 = 1 and .25 * 4 / 1 = 1; mu 1/2: 2/3 and 2."""
    assert mixture_weights(3, 1, 0.25) == pytest.approx((1.0, 1.0))
    assert mixture_weights(3, 1, 0.5) == pytest.approx((2 / 3, 2.0))
    assert sum_weights(3, 1) == pytest.approx((4 / 3, 4.0))


def test_mixture_weights_at_the_ends() -> None:
    assert mixture_weights(3, 1, 0.0) == pytest.approx((4 / 3, 0.0))
    assert mixture_weights(3, 1, 1.0) == pytest.approx((0.0, 4.0))
    assert mixture_weights(5, 0, 0.3) == pytest.approx((0.7, 0.0))
    assert mixture_weights(0, 5, 0.3) == pytest.approx((0.0, 0.3))
    assert mixture_weights(0, 0, 0.3) == (0.0, 0.0)


@pytest.mark.parametrize("mu", [-0.1, 1.1, math.nan])
def test_a_share_outside_0_to_1_is_refused(mu: float) -> None:
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        mixture_weights(1, 1, mu)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_the_learners_weighted_sum_is_the_mixture_of_two_means(
    own: list[int], shown: list[int], mu: float, seed: int
) -> None:
    """With the learner's own token weights, under either aggregation, and summed in any pieces."""
    losses = torch.randn(sum(own) + sum(shown), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    lengths = [*own, *shown]
    by_row = losses.split(lengths)
    demonstration = torch.tensor([i >= len(own) for i, n in enumerate(lengths) for _ in range(n)])
    rl, sft = losses[~demonstration], losses[demonstration]

    mixed = mix(losses, losses, demonstration, mixture_weights(len(rl), len(sft), mu))
    weights = token_weights([row(n) for n in lengths], "token")
    found = sum(w * part.sum() for w, part in zip(weights, mixed.split(lengths), strict=True))
    assert float(found) == pytest.approx(float((1 - mu) * rl.mean() + mu * sft.mean()))

    mixed = mix(losses, losses, demonstration, mixture_weights(len(own), len(shown), mu))
    weights = token_weights([row(n) for n in lengths], "sequence")
    found = sum(w * part.sum() for w, part in zip(weights, mixed.split(lengths), strict=True))
    means = [float(part.mean()) for part in by_row]
    expected = (1 - mu) * sum(means[: len(own)]) / len(own) + mu * sum(means[len(own) :]) / len(shown)
    assert float(found) == pytest.approx(expected)


def test_each_part_has_its_own_tokens() -> None:
    """RL loss on tokens 0 and 2, the demonstration's on 1, times 3 and 5; no gradient crosses over."""
    rl = torch.tensor([1.0, 10.0, 2.0], requires_grad=True)
    shown = torch.tensor([20.0, 4.0, 30.0], requires_grad=True)
    mixed = mix(rl, shown, torch.tensor([False, True, False]), MixtureWeights(3.0, 5.0))
    assert mixed.tolist() == [3.0, 20.0, 6.0]
    gradients = torch.autograd.grad(mixed.sum(), (rl, shown))
    assert [g.tolist() for g in gradients] == [[3.0, 0.0, 3.0], [0.0, 5.0, 0.0]]


# CHORD


def test_mu_schedule_by_hand() -> None:
    """Warm-up 4, decay 8, .8 to .2; a quarter of the decay: .2 + .6 * (1 + cos(pi / 4)) / 2 = .2 + .6 * .8535534."""
    settings = {"warmup": 4, "decay": 8, "peak": 0.8, "valley": 0.2}
    found = [chord_mu(update, **settings) for update in (0, 1, 3, 4, 6, 8, 12, 1000)]  # type: ignore[arg-type]
    assert found == pytest.approx([0.0, 0.2, 0.6, 0.8, 0.7121320, 0.5, 0.2, 0.2])


def test_mu_without_warm_up_or_decay() -> None:
    assert chord_mu(0, warmup=0, decay=10, peak=0.9, valley=0.05) == pytest.approx(0.9)
    assert chord_mu(0, warmup=0, decay=0, peak=0.1, valley=0.1) == 0.1


@given(st.integers(0, 20), st.integers(0, 20), st.floats(0, 1), st.floats(0, 1))
def test_mu_rises_then_moves_one_way_to_the_valley(warmup: int, decay: int, a: float, b: float) -> None:
    valley, peak = sorted((a, b))
    course = [chord_mu(u, warmup=warmup, decay=decay, peak=peak, valley=valley) for u in range(warmup + decay + 2)]
    assert all(x <= y + 1e-12 for x, y in itertools.pairwise(course[:warmup]))
    assert all(x >= y - 1e-12 for x, y in itertools.pairwise(course[warmup:]))
    assert max(course) <= peak + 1e-12
    assert course[-1] == valley


def test_phi_by_hand() -> None:
    """p (1 - p) at 0+, .1, .5, .9, 1: 0, .09, .25, .09, 0."""
    logprobs = torch.tensor([-100.0, math.log(0.1), math.log(0.5), math.log(0.9), 0.0], requires_grad=True)
    found = chord_phi(logprobs)
    assert found.tolist() == pytest.approx([0.0, 0.09, 0.25, 0.09, 0.0], abs=1e-7)
    assert not found.requires_grad


def test_chord_by_hand() -> None:
    """Token 0 is RL with loss 2, token 1 a demonstration at p = .5; factors 3 and 4."""
    logprobs = logs([0.3, 0.5]).requires_grad_()
    rl = 2.0 * logprobs / logprobs.detach()  # value 2, gradient 2 / log .3 = -1.6611674
    demonstration, weights = torch.tensor([False, True]), MixtureWeights(3.0, 4.0)
    for phi, weight in ((False, 1.0), (True, 0.25)):
        loss, metrics = chord(rl, logprobs, demonstration, weights, phi=phi)
        (gradient,) = torch.autograd.grad(loss.sum(), logprobs, retain_graph=True)
        assert loss.tolist() == pytest.approx([6.0, 4 * weight * 0.6931472])
        assert gradient.tolist() == pytest.approx([-4.9835022, -4 * weight])
        assert metrics["imitation_weight"].tolist() == pytest.approx([0.0, weight])


# SRFT


def test_srft_weights_by_hand() -> None:
    """H = 0: .5 and .1. H = log 2: .5 / 2 = .25 and .1 * 2 = .2."""
    entropies = torch.tensor([0.0, math.log(2)], requires_grad=True)
    imitation, praise = srft_weights(entropies)
    assert imitation.tolist() == pytest.approx([0.5, 0.25])
    assert praise.tolist() == pytest.approx([0.1, 0.2])
    assert not imitation.requires_grad
    assert not praise.requires_grad


def test_srft_by_hand() -> None:
    """All tokens at p = .5 and H = log 2: own rollouts with +1 and -1, demonstrations with A = 2 and A = -2."""
    logprobs = logs([0.5] * 4).requires_grad_()
    entropies = torch.full((4,), math.log(2), dtype=torch.float64)
    advantages = torch.tensor([1.0, -1.0, 2.0, -2.0], dtype=torch.float64)
    demonstration = torch.tensor([False, False, True, True])
    loss, _ = srft(logprobs, entropies, advantages, demonstration, EVEN, clip=0.2)
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    # own +1: .2 * .6931472 = .1386294, gradient -.2; own -1: log .5 = -.6931472, gradient 1
    # demonstration, A = 2: .25 * .6931472 - .5 * 2 = -.8267132; gradient -.25 - 2 * .5 = -1.25
    # A = -2: .1732868 - min(.5 * -2, .8 * -2) = .1732868 + 1.6; .5 < .8 is clipped: gradient -.25
    assert loss.tolist() == pytest.approx([0.1386294, -0.6931472, -0.8267132, 1.7732868])
    assert gradient.tolist() == pytest.approx([-0.2, 1.0, -1.25, -0.25])


@given(st.floats(0.01, 0.99), st.floats(0, 5), st.floats(0, 0.9))
def test_the_clip_never_acts_on_a_demonstration_better_than_its_group(p: float, advantage: float, clip: float) -> None:
    """π / 1 is at most 1, below the upper bound: with A > 0 its gradient is −(w_sft + A p)."""
    logprobs = logs([p]).requires_grad_()
    zero, one = torch.zeros(1, dtype=torch.float64), torch.tensor([True])
    loss, _ = srft(logprobs, zero, zero + advantage, one, EVEN, clip=clip)
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    assert float(gradient) == pytest.approx(-(0.5 + advantage * p))


# HPT


@pytest.mark.parametrize(
    ("successes", "gate", "imitates"),
    [
        ([0, 0, 0, 0], 0.0, True),
        ([0, 0, 0, 1], 0.0, False),
        ([0, 0, 1, 1], 0.5, True),
        ([0, 1, 1, 1], 0.5, False),
        ([True, False, False, False, True, False, False, False], 0.25, True),
    ],
)
def test_the_gate_imitates_where_success_is_at_most_the_gate(
    successes: list[float], gate: float, imitates: bool
) -> None:
    assert hpt_imitates(successes, gate=gate) is imitates


def test_a_prompt_without_rollouts_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 rollout"):
        hpt_imitates([], gate=0.0)


# Prefix-RFT


def test_the_lower_end_of_the_prefix_share_by_hand() -> None:
    """From .95 to .05 in 4 updates: .05 + .9 * (1 + cos(pi / 4)) / 2 = .8181980 after one, .5 after two."""
    found = [prefix_low(update, updates=4, high=0.95, low=0.05) for update in (0, 1, 2, 4, 9)]
    assert found == pytest.approx([0.95, 0.8181981, 0.5, 0.05, 0.05])
    assert prefix_low(4, updates=4, high=0.95) == 0.0


def test_prefix_lengths_by_hand() -> None:
    """l = .2 + .5 * .6 = .5: 5 of 10, 4 of 9; l = .2 at the lower end."""
    assert prefix_length(10, low=0.2, high=0.8, uniform=0.5) == 5
    assert prefix_length(9, low=0.2, high=0.8, uniform=0.5) == 4
    assert prefix_length(9, low=0.2, high=0.8, uniform=0.0) == 1
    assert prefix_length(9, low=0.0, high=0.0, uniform=0.7) == 0


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.5), (0.6, 0.5), (0.5, 1.1)])
def test_shares_that_are_none_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="expected 0 <= low <= high <= 1"):
        prefix_length(9, low=low, high=high, uniform=0.5)


@given(st.integers(0, 50), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.999))
def test_a_prefix_is_part_of_its_demonstration(length: int, a: float, b: float, uniform: float) -> None:
    low, high = sorted((a, b))
    found = prefix_length(length, low=low, high=high, uniform=uniform)
    assert math.floor(low * length) <= found <= length


def test_top_entropy_by_hand() -> None:
    """Sequence 3 has prefix tokens 0, 1, 3 and half of them, 1.5, rounds to 2; sequence 5 has one, kept."""
    entropies = torch.tensor([0.1, 0.9, 7.0, 0.5, 0.0, 8.0])
    prefix = torch.tensor([True, True, False, True, True, False])
    sequences = torch.tensor([3, 3, 3, 3, 5, 5])
    found = top_entropy(entropies, prefix, sequences, 0.5)
    assert found.tolist() == [False, True, False, True, True, False]
    assert top_entropy(entropies, ~prefix & prefix, sequences, 0.5).sum() == 0


def slow_top_entropy(tokens: list[tuple[float, bool, int]], fraction: float) -> list[bool]:
    kept = []
    for place, (entropy, is_prefix, sequence) in enumerate(tokens):
        rivals = [(-e, i) for i, (e, p, s) in enumerate(tokens) if p and s == sequence]
        num_kept = max(1, round(fraction * len(rivals)))
        kept.append(is_prefix and (-entropy, place) in sorted(rivals)[:num_kept])
    return kept


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.booleans(), st.integers(0, 3)), max_size=12),
    st.sampled_from([0.01, 0.2, 0.25, 0.5, 1.0]),
)
def test_top_entropy_against_a_slow_reference(tokens: list[tuple[float, bool, int]], fraction: float) -> None:
    entropies = torch.tensor([token[0] for token in tokens], dtype=torch.float64)
    prefix = torch.tensor([token[1] for token in tokens], dtype=torch.bool)
    sequences = torch.tensor([token[2] for token in tokens], dtype=torch.long)
    assert top_entropy(entropies, prefix, sequences, fraction).tolist() == slow_top_entropy(tokens, fraction)


def test_prefix_rft_keeps_all_of_the_continuation_and_part_of_the_prefix() -> None:
    loss = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    prefix = torch.tensor([True, True, False, False])
    mixed, metrics = prefix_rft(
        loss, torch.tensor([0.2, 0.1, 0.0, 9.0]), prefix, torch.zeros(4, dtype=torch.long), fraction=0.5
    )
    (gradient,) = torch.autograd.grad(mixed.sum(), loss)
    assert mixed.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert gradient.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert metrics["prefix_trained"].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_cosine_is_its_end_from_the_last_step_on() -> None:
    assert [cosine(step, 2, 1.0, 0.0) for step in range(4)] == pytest.approx([1.0, 0.5, 0.0, 0.0])
