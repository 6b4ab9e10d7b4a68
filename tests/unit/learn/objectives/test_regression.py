"""CoPG, ShiQ and NFT: by hand, against sums over pairs and steps, and at the optimum that each is to find."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.advantages import leave_one_out
from agentgym.learn.objectives.regression import contrastive_policy_gradient, nft, shiq

MEMBERS = st.lists(st.tuples(st.floats(-9, 0), st.floats(-9, 0), st.floats(-3, 3)), min_size=2, max_size=5)


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def copg(
    members: list[tuple[float, float, float]], groups: list[int], beta: float
) -> tuple[list[float], list[float], list[float]]:
    """(losses, gradients, regularized rewards) of (log-prob, reference, reward) triples."""
    new, reference, rewards = (tensor(list(column)) for column in zip(*members, strict=True))
    loss, metrics = contrastive_policy_gradient(
        new.requires_grad_(), reference, rewards, torch.tensor(groups), beta=beta
    )
    (gradient,) = torch.autograd.grad(loss.sum(), new)
    return loss.tolist(), gradient.tolist(), metrics["regularized_reward"].tolist()


def test_copg_by_hand() -> None:
    """Group 0: R = 1, 0, beta = 0.5, log-ratios 0.4, -0.2: R_b = 0.8, 0.1. Group 1: R_b = 3, 0, 0, log-ratios 0."""
    members = [(-1.0, -1.4, 1.0), (-2.0, -1.8, 0.0), (-1.0, -1.0, 3.0), (-1.0, -1.0, 0.0), (-3.0, -3.0, 0.0)]
    loss, gradient, regularized = copg(members, [0, 0, 1, 1, 1], 0.5)
    assert regularized == pytest.approx([0.8, 0.1, 3.0, 0.0, 0.0])
    # one pair: 0.7^2 / 1 = 0.49, half to each; pairs 9, 9, 0 over k - 1 = 2: 9 = 3/2 * (2^2 + 1 + 1)
    assert loss == pytest.approx([0.245, 0.245, 6.0, 1.5, 1.5])
    # -2 * beta * leave-one-out: -(0.7, -0.7) and -(3, -1.5, -1.5)
    assert gradient == pytest.approx([-0.7, 0.7, -3.0, 1.5, 1.5])


@given(MEMBERS, st.floats(0.01, 2))
def test_copg_against_the_sum_over_pairs(members: list[tuple[float, float, float]], beta: float) -> None:
    loss, _, _ = copg(members, [0] * len(members), beta)
    regularized = [reward - beta * (new - reference) for new, reference, reward in members]
    pairs = sum((regularized[i] - regularized[j]) ** 2 for i in range(len(members)) for j in range(i))
    assert math.fsum(loss) == pytest.approx(pairs / (len(members) - 1), abs=1e-9)


@given(MEMBERS, st.floats(0.01, 2))
def test_copgs_gradient_is_that_of_leave_one_out(members: list[tuple[float, float, float]], beta: float) -> None:
    _, gradient, regularized = copg(members, [0] * len(members), beta)
    expected = [-2 * beta * advantage for advantage in leave_one_out(regularized)]
    assert gradient == pytest.approx(expected, abs=1e-9)


@given(MEMBERS, MEMBERS, st.floats(0.01, 2))
def test_groups_do_not_touch_each_other(
    first: list[tuple[float, float, float]], second: list[tuple[float, float, float]], beta: float
) -> None:
    together = copg([*first, *second], [0] * len(first) + [1] * len(second), beta)
    apart = [copg(group, [0] * len(group), beta) for group in (first, second)]
    for found, one, other in zip(together, *apart, strict=True):
        assert found == pytest.approx([*one, *other], abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-9, 0)), min_size=2, max_size=5), st.floats(0.1, 2), st.floats(-3, 3)
)
def test_copg_is_nothing_where_rewards_differ_as_the_log_ratios_do(
    members: list[tuple[float, float]], beta: float, constant: float
) -> None:
    optimal = [(reference + (reward - constant) / beta, reference, reward) for reward, reference in members]
    loss, gradient, _ = copg(optimal, [0] * len(members), beta)
    assert loss == pytest.approx([0.0] * len(members), abs=1e-18)
    assert gradient == pytest.approx([0.0] * len(members), abs=1e-9)


def test_a_group_of_one_has_no_pair() -> None:
    loss, gradient, _ = copg([(-1.0, -2.0, 5.0)], [0], 0.5)
    assert (loss, gradient) == ([0.0], [0.0])


def test_copg_on_a_tabular_policy_points_where_leave_one_out_does() -> None:
    """Of the logits of a softmax policy: the same draws, the same direction, 2 beta k times the mean."""
    beta, draws = 0.3, torch.tensor([0, 2, 2, 1])
    rewards_V, reference_V = tensor([1.0, 0.2, -0.5]), tensor([0.1, 0.4, -0.3]).log_softmax(0)
    logits_V = tensor([0.3, -0.2, 0.5]).requires_grad_()
    logprobs_B = logits_V.log_softmax(0)[draws]
    loss_B, _ = contrastive_policy_gradient(
        logprobs_B, reference_V[draws], rewards_V[draws], torch.zeros(4, dtype=torch.long), beta=beta
    )
    (found,) = torch.autograd.grad(loss_B.sum(), logits_V, retain_graph=True)
    regularized = (rewards_V[draws] - beta * (logprobs_B.detach() - reference_V[draws])).tolist()
    policy_gradient = -(tensor(leave_one_out(regularized)) * logprobs_B).mean()
    (expected,) = torch.autograd.grad(policy_gradient, logits_V)
    assert found.tolist() == pytest.approx((2 * beta * 4 * expected).tolist(), abs=1e-12)


def residuals(
    new: list[float],
    reference: list[float],
    normalizers: list[float],
    reference_normalizers: list[float],
    rewards: list[float],
    numbers: list[int],
    beta: float,
) -> list[float]:
    loss, _ = shiq(
        tensor(new),
        tensor(reference),
        tensor(normalizers),
        tensor(reference_normalizers),
        tensor(rewards),
        torch.tensor(numbers),
        beta=beta,
    )
    numbers_: list[float] = loss.tolist()
    return numbers_


def test_shiq_by_hand() -> None:
    """One sequence of two tokens with rewards 0 and 1, one of one token with reward 2; beta 0.5."""
    new, reference = [-1.0, -2.0, -1.0], [-1.4, -1.8, -1.0]
    normalizers, reference_normalizers = [2.0, 1.0, 3.0], [1.0, 0.0, 5.0]
    # r - beta * log-ratio: 0 - 0.5 * 0.4 = -0.2; 1 - 0.5 * -0.2 = 1.1; 2 - 0 = 2
    # to go: 0.9, 1.1, 2; minus beta * (LSE - LSE_ref) = 0.5, 0.5, -1: residuals 0.4, 0.6, 3
    found = residuals(new, reference, normalizers, reference_normalizers, [0.0, 1.0, 2.0], [0, 0, 1], 0.5)
    assert found == pytest.approx([0.16, 0.36, 9.0])


def test_shiqs_metric_is_the_residual() -> None:
    _, metrics = shiq(
        tensor([-1.0]), tensor([-1.4]), tensor([2.0]), tensor([1.0]), tensor([0.0]), torch.tensor([0]), beta=0.5
    )
    assert metrics["residual"].tolist() == pytest.approx([0.7])  # -0.5 * 0.4 - 0.5 * 1


STEPS = st.lists(st.tuples(*[st.floats(-3, 3)] * 5), min_size=1, max_size=4)


@given(st.lists(STEPS, min_size=1, max_size=3), st.floats(0.1, 2))
def test_shiq_against_a_slow_reference_with_its_gradient(
    sequences: list[list[tuple[float, float, float, float, float]]], beta: float
) -> None:
    columns = [tensor([step[i] for steps in sequences for step in steps]) for i in range(5)]
    new, reference, normalizers, reference_normalizers, rewards = columns
    numbers = torch.tensor([i for i, steps in enumerate(sequences) for _ in steps])
    loss, _ = shiq(
        new.requires_grad_(),
        reference,
        normalizers.requires_grad_(),
        reference_normalizers,
        rewards,
        numbers,
        beta=beta,
    )
    expected, slopes, other_slopes = [], [], []
    for steps in sequences:
        own = []
        for t in range(len(steps)):
            to_go = sum(r - beta * (n - ref) for n, ref, _, _, r in steps[t:])
            own.append(to_go - beta * (steps[t][2] - steps[t][3]))
        expected += [residual**2 for residual in own]
        slopes += [-2 * beta * sum(own[: k + 1]) for k in range(len(steps))]
        other_slopes += [-2 * beta * residual for residual in own]
    assert loss.tolist() == pytest.approx(expected, abs=1e-9)
    gradients = torch.autograd.grad(loss.sum(), (new, normalizers))
    assert gradients[0].tolist() == pytest.approx(slopes, abs=1e-9)
    assert gradients[1].tolist() == pytest.approx(other_slopes, abs=1e-9)


@given(st.integers(0, 2**31), st.floats(0.1, 2))
def test_shiq_is_nothing_at_the_soft_optimum_of_a_tree_and_something_elsewhere(seed: int, beta: float) -> None:
    """Two steps, three actions each, all nine paths; optimal values by backward induction, in plain numbers."""
    random = torch.Generator().manual_seed(seed)
    reference_logits = torch.randn(4, 3, generator=random, dtype=torch.float64)  # the root and its three children
    rewards = torch.randn(4, 3, generator=random, dtype=torch.float64)
    reference = reference_logits.log_softmax(1)
    leaf_values = [
        beta * math.log(sum(math.exp(reference[1 + a][b] + rewards[1 + a][b] / beta) for b in range(3)))
        for a in range(3)
    ]
    q = rewards.clone()
    q[0] += tensor(leaf_values)
    optimal = q / beta + reference_logits.logsumexp(1, keepdim=True) + reference  # q = beta (l - LSE l_ref - log ref)
    for logits, zero in ((optimal, True), (optimal + torch.randn(4, 3, generator=random, dtype=torch.float64), False)):
        logprobs = logits.log_softmax(1)
        states, actions = [], []
        for a in range(3):
            for b in range(3):
                states += [0, 1 + a]
                actions += [a, b]
        at = torch.tensor(states), torch.tensor(actions)
        loss, _ = shiq(
            logprobs[at],
            reference[at],
            logits.logsumexp(1)[at[0]],
            reference_logits.logsumexp(1)[at[0]],
            rewards[at],
            torch.arange(9).repeat_interleave(2),
            beta=beta,
        )
        assert (loss.max().item() < 1e-20) is zero
    policy = optimal.log_softmax(1)[0]
    expected = torch.log_softmax(reference[0] + q[0] / beta, 0)
    assert policy.tolist() == pytest.approx(expected.tolist())  # softmax(l) is the policy, without the reference


def test_with_no_reward_the_reference_is_optimal() -> None:
    assert residuals([-1.0, -2.0], [-1.0, -2.0], [0.3, 0.4], [0.3, 0.4], [0.0, 0.0], [0, 0], 0.7) == [0.0, 0.0]


def nft_of(
    log_ratios: list[float], correct: list[bool], accuracies: list[float], epsilon: float
) -> tuple[list[float], list[float], list[float]]:
    log_ratio = tensor(log_ratios).requires_grad_()
    loss, metrics = nft(log_ratio, torch.tensor(correct), tensor(accuracies), epsilon=epsilon)
    (gradient,) = torch.autograd.grad(loss.sum(), log_ratio)
    return loss.tolist(), gradient.tolist(), metrics["clip_fraction"].tolist()


def test_nft_by_hand() -> None:
    """Accuracy 0.25, epsilon 0.1."""
    ratios, correct = [2.0, 1.0, 2.0, 3.9, 8.0], [True, False, False, False, False]
    loss, gradient, clipped = nft_of([math.log(r) for r in ratios], correct, [0.25] * 5, 0.1)
    # right: -log 2, slope -1
    # wrong, ratio 1: (1 - 0.25) / 0.75 = 1, loss 0, slope 0.25 / 0.75 / 1 = 1/3
    # ratio 2: (1 - 0.5) / 0.75 = 2/3, -log 2/3 = 0.4054651, slope 0.5 / 0.75 / (2/3) = 1
    # ratio 3.9: (1 - 0.975) / 0.75 = 1/30, below 0.1: -log 0.1 = 2.3025851, slope 0.975 / 0.75 / 0.1 = 13
    # ratio 8: (1 - 2) / 0.75 < 0: the same value, slope 2 / 0.75 / 0.1 = 26.6667
    assert loss == pytest.approx([-0.6931472, 0.0, 0.4054651, 2.3025851, 2.3025851], abs=1e-7)
    assert gradient == pytest.approx([-1.0, 1 / 3, 1.0, 13.0, 80 / 3])
    assert clipped == [0.0, 0.0, 0.0, 1.0, 1.0]


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.booleans(), st.floats(0.05, 0.95)), min_size=1, max_size=6),
    st.floats(0.01, 1),
)
def test_nft_against_a_slow_reference(tokens: list[tuple[float, bool, float]], epsilon: float) -> None:
    """Gradients by the paper's weights: 1 for a right token, r ρ / ((1 − r) max(ratio of negatives, ε)) for a wrong."""
    loss, gradient, _ = nft_of(
        [x for x, _, _ in tokens], [right for _, right, _ in tokens], [r for _, _, r in tokens], epsilon
    )
    for (log_ratio, right, accuracy), value, slope in zip(tokens, loss, gradient, strict=True):
        negative = (1 - accuracy * math.exp(log_ratio)) / (1 - accuracy)
        expected = log_ratio if right else math.log(negative if negative > epsilon else epsilon)
        weight = -1.0 if right else accuracy * math.exp(log_ratio) / (1 - accuracy) / max(negative, epsilon)
        assert value == pytest.approx(-expected, abs=1e-9)
        assert slope == pytest.approx(weight, rel=1e-9)


def test_the_branch_not_taken_leaves_no_trace() -> None:
    """All right (1 - r = 0), all wrong (r = 0), and ratios that overflow: nothing is NaN."""
    loss, gradient, _ = nft_of([0.5, 900.0, -0.5, 0.0], [True, True, False, False], [1.0, 1.0, 0.0, 0.0], 1.0)
    assert loss == [-0.5, -900.0, 0.0, 0.0]
    assert gradient == [-1.0, -1.0, 0.0, 0.0]


@pytest.mark.parametrize("num_correct", [1, 2, 3])
def test_nft_on_policy_is_grpo_up_to_the_weight_of_the_task(num_correct: int) -> None:
    """Four tokens of a task, some right; ratio 1, epsilon 1."""
    correct, accuracy = [i < num_correct for i in range(4)], num_correct / 4
    _, gradient, _ = nft_of([0.0] * 4, correct, [accuracy] * 4, 1.0)
    centered = [float(right) - accuracy for right in correct]
    deviation = math.sqrt(sum(a * a for a in centered) / 4)
    dr_grpo, grpo = [-a for a in centered], [-a / deviation for a in centered]
    assert [(1 - accuracy) * g for g in gradient] == pytest.approx(dr_grpo)
    assert [math.sqrt((1 - accuracy) / accuracy) * g for g in gradient] == pytest.approx(grpo)


def test_off_policy_nft_is_not_grpo() -> None:
    _, gradient, _ = nft_of([0.2, 0.2], [True, False], [0.5, 0.5], 0.1)
    assert gradient[0] / gradient[1] != pytest.approx(-1.0, abs=0.1)


def test_metrics_carry_no_gradient() -> None:
    x, zero = torch.tensor([-1.0], requires_grad=True), torch.zeros(1)
    index = torch.zeros(1, dtype=torch.long)
    found = [
        contrastive_policy_gradient(x, zero, zero, index, beta=0.1)[1],
        shiq(x, zero, x, zero, zero, index, beta=0.1)[1],
        nft(x, torch.tensor([False]), torch.tensor([0.5]), epsilon=0.1)[1],
    ]
    assert [name for metrics in found for name, value in metrics.items() if value.requires_grad] == []
