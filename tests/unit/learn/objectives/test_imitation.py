"""Imitation objectives against numbers worked by hand, a second slow implementation, and their identities."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.imitation import (
    Divergence,
    dft,
    f_divergence,
    imitation,
    iw_sft,
    iw_sft_token,
    psft,
)

LOGPROB = st.floats(-6, -0.01)
TOKENS = st.lists(st.tuples(LOGPROB, LOGPROB, st.integers(0, 2)), min_size=1, max_size=8)

Evaluated = tuple[list[float], list[float], dict[str, list[float]]]


def evaluate(
    objective: Callable[[torch.Tensor], tuple[torch.Tensor, Metrics]], probabilities: list[float]
) -> Evaluated:
    """(losses, their gradients with respect to the log-probs, metrics) at tokens of these probabilities."""
    logprobs = torch.tensor(probabilities, dtype=torch.float64).log().requires_grad_()
    loss, metrics = objective(logprobs)
    assert not any(value.requires_grad for value in metrics.values())
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    return loss.tolist(), gradient.tolist(), {name: value.tolist() for name, value in metrics.items()}


def logs(probabilities: list[float]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_imitation_by_hand() -> None:
    loss, gradient, metrics = evaluate(imitation, [0.5, 0.25])
    assert loss == pytest.approx([0.6931472, 1.3862944])
    assert gradient == [-1.0, -1.0]
    assert metrics == {}


def test_dft_by_hand() -> None:
    """The gradient is -p, not -1, nor the -p (1 + log p) of a p that is differentiated too."""
    loss, gradient, metrics = evaluate(dft, [0.5, 0.25, 1.0])
    # -.5 * log .5 = .3465736, -.25 * log .25 = .3465736, -1 * log 1 = 0
    assert loss == pytest.approx([0.3465736, 0.3465736, 0.0])
    assert gradient == pytest.approx([-0.5, -0.25, -1.0])
    assert metrics["imitation_weight"] == pytest.approx([0.5, 0.25, 1.0])


def test_dft_is_the_gradient_of_the_probability_itself() -> None:
    """d/dlogits of sg(p) (-log p) equals d/dlogits of -p."""
    logits = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    loss, _ = dft(logits.log_softmax(0)[1:2])
    (found,) = torch.autograd.grad(loss.sum(), logits)
    (expected,) = torch.autograd.grad(-logits.softmax(0)[1], logits)
    assert found.tolist() == pytest.approx(expected.tolist())


def test_iw_sft_by_hand() -> None:
    """Two sequences: tokens 0 and 1, and token 2. Temperature 2."""
    reference = logs([0.25, 0.25, 0.01])
    loss, gradient, metrics = evaluate(
        lambda new: iw_sft(new, reference, torch.tensor([0, 0, 1]), temperature=2.0, max_weight=16.0),
        [0.5, 0.5, 0.9],
    )
    # sequence 0: log-ratios log 2, log 2, mean log 2, weight exp(2 log 2) = 4; sequence 1: 90^2 = 8100, cut to 16
    assert metrics["imitation_weight"] == pytest.approx([4.0, 4.0, 16.0])
    # 4 * -log .5 = 2.7725887; 16 * -log .9 = 16 * .1053605 = 1.6857682
    assert loss == pytest.approx([2.7725887, 2.7725887, 1.6857682])
    assert gradient == pytest.approx([-4.0, -4.0, -16.0])


def test_iw_sft_defaults_are_the_authors() -> None:
    """Temperature 2 and a bound of 16: ratios 3 and 5 give weights 9 and min(25, 16)."""
    _, _, metrics = evaluate(lambda new: iw_sft(new, logs([0.1, 0.1]), torch.tensor([0, 1])), [0.3, 0.5])
    assert metrics["imitation_weight"] == pytest.approx([9.0, 16.0])


def test_iw_sft_token_by_hand() -> None:
    """Ratios 1, 5 and .1 under a clip of .8: weights 1, 1.8 and .2; clipped tokens keep a gradient."""
    loss, gradient, _ = evaluate(lambda new: iw_sft_token(new, logs([0.5, 0.1, 0.5]), clip=0.8), [0.5, 0.5, 0.05])
    # .6931472, 1.8 * .6931472 = 1.2476649, .2 * 2.9957323 = .5991465
    assert loss == pytest.approx([0.6931472, 1.2476649, 0.5991465])
    assert gradient == pytest.approx([-1.0, -1.8, -0.2])


def test_psft_by_hand() -> None:
    """Ratios 1, 1.5, 1.25 and .2 under an upper bound of 1.28: only 1.5 is stopped, .2 is below 1 - .28 and is not."""
    loss, gradient, metrics = evaluate(
        lambda new: psft(new, logs([0.5, 0.4, 0.4, 0.5]), clip_high=0.28), [0.5, 0.6, 0.5, 0.1]
    )
    assert loss == pytest.approx([-1.0, -1.28, -1.25, -0.2])
    assert gradient == pytest.approx([-1.0, 0.0, -1.25, -0.2])
    assert metrics["clip_fraction"] == [0.0, 1.0, 0.0, 0.0]
    assert metrics["ratio"] == pytest.approx([1.0, 1.5, 1.25, 0.2])


def slow_iw_sft(tokens: list[tuple[float, float, int]], temperature: float, max_weight: float) -> list[float]:
    """Token by token, each looking up its own sequence."""
    losses = []
    for new, _, sequence in tokens:
        log_ratios = [n - r for n, r, s in tokens if s == sequence]
        weight = min(max_weight, math.exp(temperature * math.fsum(log_ratios) / len(log_ratios)))
        losses.append(-weight * new)
    return losses


@given(TOKENS, st.floats(0, 3), st.floats(0.1, 20))
def test_iw_sft_against_a_slow_reference(
    tokens: list[tuple[float, float, int]], temperature: float, max_weight: float
) -> None:
    new, reference, sequences = (torch.tensor(column, dtype=torch.float64) for column in zip(*tokens, strict=True))
    loss, _ = iw_sft(new, reference, sequences.long(), temperature=temperature, max_weight=max_weight)
    assert loss.tolist() == pytest.approx(slow_iw_sft(tokens, temperature, max_weight), rel=1e-9, abs=1e-12)


def slow_psft(new: float, old: float, clip: float) -> float:
    """The paper's min(r, clip(r, 1 - e, 1 + e)), with both bounds and in probabilities."""
    ratio = math.exp(new) / math.exp(old)
    return -min(ratio, max(1 - clip, min(1 + clip, ratio)))


@given(TOKENS, st.floats(0.01, 0.99))
def test_psft_against_a_slow_reference(tokens: list[tuple[float, float, int]], clip: float) -> None:
    """The lower bound that the paper writes never acts."""
    new, old = (torch.tensor([token[i] for token in tokens], dtype=torch.float64) for i in (0, 1))
    loss, _ = psft(new, old, clip_high=clip)
    assert loss.tolist() == pytest.approx([slow_psft(n, o, clip) for n, o, _ in tokens], rel=1e-9)


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6), st.floats(0.01, 0.9))
def test_at_the_old_policy_all_are_supervised_fine_tuning(probabilities: list[float], clip: float) -> None:
    same = logs(probabilities)
    sequences = torch.zeros(len(same), dtype=torch.long)
    expected = evaluate(imitation, probabilities)[1]
    for objective in (
        lambda new: psft(new, same, clip_high=clip),
        lambda new: iw_sft(new, same, sequences),
        lambda new: iw_sft_token(new, same, clip=clip),
    ):
        assert evaluate(objective, probabilities)[1] == pytest.approx(expected)


@given(TOKENS, st.floats(0.01, 0.9))
def test_psft_stops_only_tokens_that_have_risen(tokens: list[tuple[float, float, int]], clip: float) -> None:
    """No gradient exactly where the ratio is beyond 1 + clip; there is one however far a token has fallen."""
    new = torch.tensor([token[0] for token in tokens], dtype=torch.float64, requires_grad=True)
    old = torch.tensor([token[1] for token in tokens], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(psft(new, old, clip_high=clip)[0].sum(), new)
    risen = (new - old).detach().exp() > 1 + clip
    assert ((gradient == 0) == risen).all()


def test_f_divergence_by_hand() -> None:
    """β = 2, ratios 1 and 2: d = 0 and log 2."""
    loss, gradient, metrics = evaluate(
        lambda new: f_divergence(new, logs([0.5, 0.25]), beta=2.0, divergence="kl"), [0.5, 0.5]
    )
    assert loss == pytest.approx([0.0, (0.25 - 1) / 2])  # exp(-2 log 2) = 1 / 4
    assert gradient == pytest.approx([-1.0, -0.25])
    assert metrics["imitation_weight"] == pytest.approx([1.0, 0.25])
    loss, gradient, metrics = evaluate(
        lambda new: f_divergence(new, logs([0.5, 0.25]), beta=2.0, divergence="pearson"), [0.5, 0.5]
    )
    # t = -1.3862944: (t + t^2 / 4) / 2 = (-1.3862944 + .4804530) / 2; weight 1 - .6931472
    assert loss == pytest.approx([0.0, -0.4529207])
    assert gradient == pytest.approx([-1.0, -0.3068528])
    assert metrics["imitation_weight"] == pytest.approx([1.0, 0.3068528])


@pytest.mark.parametrize("divergence", ["kl", "pearson"])
def test_what_is_as_likely_as_at_first_is_imitated_plainly_and_what_is_likelier_less(divergence: Divergence) -> None:
    for beta in (0.01, 1.0):
        _, weighed, _ = evaluate(
            partial(f_divergence, reference_logprobs_N=logs([0.1] * 3), beta=beta, divergence=divergence),
            [0.05, 0.1, 0.2],
        )
        assert weighed[1] == pytest.approx(-1.0)
        assert weighed[0] < weighed[1] < weighed[2]


def test_pearson_pulls_back_what_is_too_likely() -> None:
    """At β = 1 where the ratio is above exp(2) = 7.389."""
    _, gradient, _ = evaluate(
        lambda new: f_divergence(new, logs([0.1, 0.1]), beta=1.0, divergence="pearson"), [0.7, 0.8]
    )
    assert gradient[0] < 0 < gradient[1]


def conjugate(t: float, f: Callable[[float], float]) -> float:
    """sup over u of t u - f(u), by trying."""
    return max(t * u - f(u) for u in (step / 1000 for step in range(1, 8000)))


@pytest.mark.parametrize(
    ("divergence", "f"),
    [("kl", lambda u: u * math.log(u) - u + 1), ("pearson", lambda u: (u - 1) ** 2)],
)
def test_f_divergence_against_a_slow_conjugate(divergence: Divergence, f: Callable[[float], float]) -> None:
    for new, reference in ((0.5, 0.3), (0.2, 0.3), (0.9, 0.3)):
        (loss,), _, _ = evaluate(
            partial(f_divergence, reference_logprobs_N=logs([reference]), beta=0.7, divergence=divergence), [new]
        )
        assert loss == pytest.approx(conjugate(-0.7 * math.log(new / reference), f) / 0.7, abs=1e-5)


def test_kl_ends_between_the_expert_and_the_reference() -> None:
    """Of three tokens, at β = .5: (expert · reference^.5)^(1 / 1.5)."""
    expert, reference = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64), logs([0.2, 0.3, 0.5])
    logits = reference.clone().requires_grad_()
    for _ in range(3000):
        loss, _ = f_divergence(logits.log_softmax(0), reference, beta=0.5, divergence="kl")
        (gradient,) = torch.autograd.grad((expert * loss).sum(), logits)
        logits.data -= gradient
    between = ((expert.log() + 0.5 * reference) / 1.5).softmax(0)
    assert logits.softmax(0).tolist() == pytest.approx(between.tolist(), abs=1e-6)
