"""Generalized advantages: an episode of two turns worked by hand, slow references, and the two ends of lambda."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.advantages import gae, turn_returns

NUMBER = st.floats(-5, 5).map(lambda x: round(x, 3))
STEPS = st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=8)
DISCOUNT = st.floats(0, 1).map(lambda x: round(x, 3))


def test_two_turns_by_hand() -> None:
    """Turn 1 is tokens 1 and 2 with reward 1 on token 2; turn 2 is token 3 with reward 2, and ends the episode."""
    rewards, values = [0.0, 1.0, 2.0], [0.5, 1.0, 1.5]
    # gamma 0.5, lam 0.5, so an advantage decays by 0.25 a token:
    # token 3: delta = 2 + 0.5 * 0 - 1.5 = 0.5                 A = 0.5
    # token 2: delta = 1 + 0.5 * 1.5 - 1 = 0.75                A = 0.75 + 0.25 * 0.5 = 0.875
    # token 1: delta = 0 + 0.5 * 1 - 0.5 = 0                   A = 0.25 * 0.875 = 0.21875
    advantages, returns = gae(rewards, values, gamma=0.5, lam=0.5, bootstrap=0.0)
    assert advantages.tolist() == [0.21875, 0.875, 0.5]
    assert returns.tolist() == [0.71875, 1.875, 2.0]
    # Truncated before a state of value 4: token 3: 2 + 0.5 * 4 - 1.5 = 2.5; token 2: 0.75 + 0.25 * 2.5 = 1.375;
    # token 1: 0.25 * 1.375 = 0.34375
    advantages, returns = gae(rewards, values, gamma=0.5, lam=0.5, bootstrap=4.0)
    assert advantages.tolist() == [0.34375, 1.375, 2.5]
    assert returns.tolist() == [0.84375, 2.375, 4.0]


def masked_gae(
    rewards: list[float], values: list[float], mask: list[bool], gamma: float, lam: float, bootstrap: float
) -> list[float]:
    """Right to left over all tokens; an observation token changes neither the next value nor the last advantage."""
    advantages = [0.0] * len(rewards)
    next_value, last = bootstrap, 0.0
    for i in range(len(rewards) - 1, -1, -1):
        if mask[i]:
            last = rewards[i] + gamma * next_value - values[i] + gamma * lam * last
            advantages[i], next_value = last, values[i]
    return advantages


def test_observation_tokens_are_jumped_by_hand() -> None:
    """The two turns above with two observation tokens between, whose values are garbage."""
    mask = [True, True, False, False, True]
    full = masked_gae([0.0, 1.0, 0.0, 0.0, 2.0], [0.5, 1.0, 99.0, -77.0, 1.5], mask, 0.5, 0.5, 0.0)
    assert full == [0.21875, 0.875, 0.0, 0.0, 0.5]


@given(st.lists(st.tuples(NUMBER, NUMBER, st.booleans()), min_size=1, max_size=10), DISCOUNT, DISCOUNT, NUMBER)
def test_the_recursion_over_a_masked_sequence_gives_the_same(
    tokens: list[tuple[float, float, bool]], gamma: float, lam: float, bootstrap: float
) -> None:
    rewards, values, mask = map(list, zip(*tokens, strict=True))
    trained = [i for i, kept in enumerate(mask) if kept]
    expected = masked_gae(rewards, values, mask, gamma, lam, bootstrap)
    advantages, _ = gae(
        [rewards[i] for i in trained], [values[i] for i in trained], gamma=gamma, lam=lam, bootstrap=bootstrap
    )
    assert advantages == pytest.approx([expected[i] for i in trained])


@given(STEPS, DISCOUNT, DISCOUNT, NUMBER)
def test_against_the_sum_of_decayed_errors(
    steps: list[tuple[float, float]], gamma: float, lam: float, bootstrap: float
) -> None:
    """The definition, not the recursion: A_i = sum over l of (gamma lam)^l delta_{i+l}; returns add the value."""
    rewards, values = map(list, zip(*steps, strict=True))
    after = [*values[1:], bootstrap]
    deltas = [r + gamma * v_next - v for r, v, v_next in zip(rewards, values, after, strict=True)]
    expected = [sum((gamma * lam) ** (k - i) * deltas[k] for k in range(i, len(deltas))) for i in range(len(deltas))]
    advantages, returns = gae(rewards, values, gamma=gamma, lam=lam, bootstrap=bootstrap)
    assert advantages == pytest.approx(expected, abs=1e-9)
    assert returns == pytest.approx([a + v for a, v in zip(expected, values, strict=True)], abs=1e-9)


@given(STEPS, DISCOUNT, DISCOUNT, NUMBER)
def test_to_the_digit_the_recursion_written_out(
    steps: list[tuple[float, float]], gamma: float, lam: float, bootstrap: float
) -> None:
    rewards, values = map(list, zip(*steps, strict=True))
    expected = masked_gae(rewards, values, [True] * len(steps), gamma, lam, bootstrap)
    advantages, returns = gae(rewards, values, gamma=gamma, lam=lam, bootstrap=bootstrap)
    assert advantages.tolist() == expected
    assert returns.tolist() == [a + v for a, v in zip(expected, values, strict=True)]


@given(STEPS, NUMBER)
def test_without_decay_it_is_the_later_rewards_minus_the_value(
    steps: list[tuple[float, float]], bootstrap: float
) -> None:
    rewards, values = map(list, zip(*steps, strict=True))
    expected = [sum(rewards[i:]) + bootstrap - values[i] for i in range(len(rewards))]
    advantages, returns = gae(rewards, values, gamma=1.0, lam=1.0, bootstrap=bootstrap)
    assert advantages == pytest.approx(expected, abs=1e-9)
    assert returns == pytest.approx([sum(rewards[i:]) + bootstrap for i in range(len(rewards))], abs=1e-9)


@given(STEPS, DISCOUNT, NUMBER)
def test_with_lambda_zero_it_is_the_error_of_one_step(
    steps: list[tuple[float, float]], gamma: float, bootstrap: float
) -> None:
    rewards, values = map(list, zip(*steps, strict=True))
    after = [*values[1:], bootstrap]
    expected = [r + gamma * v_next - v for r, v, v_next in zip(rewards, values, after, strict=True)]
    assert gae(rewards, values, gamma=gamma, lam=0.0, bootstrap=bootstrap)[0] == pytest.approx(expected)


@given(STEPS, DISCOUNT, DISCOUNT)
def test_values_that_are_right_leave_nothing(steps: list[tuple[float, float]], gamma: float, lam: float) -> None:
    rewards = [reward for reward, _ in steps]
    values = turn_returns(rewards, gamma)
    advantages, returns = gae(rewards, values, gamma=gamma, lam=lam, bootstrap=0.0)
    assert advantages == pytest.approx([0.0] * len(steps), abs=1e-9)
    assert returns == pytest.approx(values, abs=1e-9)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="found 2 rewards and 1 values"):
        gae([0.0, 1.0], [0.5], gamma=1.0, lam=1.0, bootstrap=0.0)


def test_no_tokens_give_nothing() -> None:
    advantages, returns = gae([], [], gamma=1.0, lam=1.0, bootstrap=3.0)
    assert (advantages.tolist(), returns.tolist()) == ([], [])


def test_turn_returns_by_hand() -> None:
    # 4; 2 + 0.5 * 4 = 4; 1 + 0.5 * 4 = 3
    assert turn_returns([1.0, 2.0, 4.0], 0.5) == [3.0, 4.0, 4.0]
    assert turn_returns([], 0.5) == []


@given(st.lists(NUMBER, max_size=8), DISCOUNT)
def test_turn_returns_against_the_discounted_sum(rewards: list[float], gamma: float) -> None:
    expected = [sum(gamma ** (k - t) * rewards[k] for k in range(t, len(rewards))) for t in range(len(rewards))]
    assert turn_returns(rewards, gamma) == pytest.approx(expected, abs=1e-9)
