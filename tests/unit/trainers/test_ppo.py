"""PPO: credit for tokens over turns, the critic, what is trained when."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agentgym.learn.critic import Critic, estimate
from agentgym.learn.rows import Row
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.types import StopReason
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped

__all__ = ["one_thread"]


def trainer(**settings: Any) -> PPO:
    made = equipped(PPO(PPOSettings(**{"whiten": False, "learning_rate": 1e-3, **settings})), tiny_model())
    assert isinstance(made, PPO)
    return made


def say_constant(ppo: PPO, value: float) -> None:
    """The critic's head begins at zero; with a bias it says the same everywhere."""
    with torch.no_grad():
        ppo.critic.module.head.bias.fill_(value)


def test_with_a_critic_that_knows_nothing_the_advantage_is_the_reward_to_go() -> None:
    """Turns of two tokens with rewards 1 and 2: 3 for the first turn, 2 for the second, on sampled tokens only."""
    lesson = trainer().lesson(0, [episode([1.0, 2.0])])
    (row,) = lesson.rows
    assert row.loss_mask.tolist() == [False, True, True, False, True, True]
    assert row.advantages.tolist() == [0.0, 3.0, 3.0, 0.0, 2.0, 2.0]
    assert row.returns is not None
    assert row.returns.tolist() == [0.0, 3.0, 3.0, 0.0, 2.0, 2.0]


def test_gae_by_hand() -> None:
    """γ .5, λ .5, V .5 everywhere, reward 1 on the last of 2 tokens.

    Last: 1 - .5 = .5; first: 0 + .5 * .5 - .5 + .25 * .5 = -.125; returns .5 more.
    """
    ppo = trainer(gamma=0.5, lam=0.5)
    say_constant(ppo, 0.5)
    (row,) = ppo.lesson(0, [episode([1.0])]).rows
    assert row.advantages == pytest.approx([0.0, -0.125, 0.5])
    assert row.returns == pytest.approx([0.0, 0.375, 1.0])


@pytest.mark.parametrize(("stop", "expected"), [(StopReason.TERMINATED, -2.0), (StopReason.TURN_LIMIT, 0.0)])
def test_an_episode_that_was_cut_short_is_continued_by_the_critic(stop: StopReason, expected: float) -> None:
    """V 2 everywhere and no reward: the end is worth 0 where the episode terminated, and 2 where it was cut."""
    ppo = trainer()
    say_constant(ppo, 2.0)
    (row,) = ppo.lesson(0, [episode([0.0], stop=stop)]).rows
    assert [row.advantages[i] for i in (1, 2)] == pytest.approx([expected, expected])


def test_void_episodes_are_rejected() -> None:
    lesson = trainer().lesson(0, [episode([1.0], ordinal=4, stop=StopReason.ENV_ERROR), episode([1.0], ordinal=5)])
    assert len(lesson.rows) == 1
    assert lesson.rejected == {4: "void"}


def test_advantages_are_whitened_over_trained_tokens_alone() -> None:
    lesson = trainer(whiten=True).lesson(0, [episode([1.0, 2.0]), episode([0.0])])
    trained = [a for row in lesson.rows for a, m in zip(row.advantages, row.loss_mask, strict=True) if m]
    assert sum(trained) == pytest.approx(0, abs=1e-9)
    assert sum(a * a for a in trained) / (len(trained) - 1) == pytest.approx(1, abs=1e-6)
    assert all(a == 0 for row in lesson.rows for a, m in zip(row.advantages, row.loss_mask, strict=True) if not m)


def test_the_critic_begins_at_zero_and_learns_the_returns() -> None:
    ppo = trainer(critic_learning_rate=0.01, critic_warmup=100, value_clip=None)
    before = {name: value.clone() for name, value in ppo.equipment.learner.module.state_dict().items()}
    losses = []
    for update in range(25):
        lesson = ppo.lesson(0, [episode([1.0]), episode([0.0], [[6, 7]])])
        losses.append(ppo.learn(update, lesson)["critic_loss"])
    assert losses[0] == pytest.approx(0.25, rel=0.2)  # half the mean of 1 and 0, less what the steps between gain
    assert losses[-1] < losses[0] / 3
    after = ppo.equipment.learner.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)  # warm-up: the policy waits
    ppo.learn(100, ppo.lesson(0, [episode([1.0]), episode([0.0], [[6, 7]])]))
    assert not all(torch.equal(before[name], after[name]) for name in before)


def test_the_critic_takes_ten_times_the_steps_unless_it_is_told() -> None:
    assert trainer(learning_rate=0.002).critic.learning_rate == pytest.approx(0.02)
    assert trainer(critic_learning_rate=0.3).critic.learning_rate == 0.3


def test_the_policy_learns_from_the_first_update_after_warm_up() -> None:
    ppo = trainer(critic_warmup=2)
    lesson = ppo.lesson(0, [episode([1.0]), episode([0.0], [[6, 7]])])
    assert ["loss" in ppo.learn(update, lesson) for update in range(4)] == [False, False, True, True]


def test_values_are_those_of_the_prefix_before_each_token() -> None:
    """Against the trunk run on each prefix alone."""
    critic = Critic(tiny_model())
    with torch.no_grad():
        critic.head.weight.normal_(generator=torch.Generator().manual_seed(0))
    row = Row.of(episode([1.0, 0.5]).samples[0], 0.0)
    (last,) = estimate(critic, [row], max_tokens=100)
    slow = []
    for end in range(1, len(row.token_ids) + 1):
        hidden = critic.trunk(input_ids=torch.tensor(row.token_ids[None, :end]), output_hidden_states=True)
        slow.append(critic.head(hidden.hidden_states[-1][0, -1]).item())
    assert row.values == pytest.approx([0.0, *slow[:-1]], rel=1e-5, abs=1e-5)
    assert last == pytest.approx(slow[-1], rel=1e-5, abs=1e-5)


def test_a_penalty_in_the_reward_moves_the_returns() -> None:
    """Policy and reference are the same here, so the log-ratio is behavior - reference of each token."""
    ppo = trainer(kl_coefficient=0.5, kl_in="reward", epochs=1, minibatches=1)
    (row,) = ppo.lesson(0, [episode([1.0])]).rows
    assert row.reference_logprobs is not None
    rewards = [0.0, *(-0.5 * (-0.5 - row.reference_logprobs[i]) for i in (1, 2))]
    assert row.returns == pytest.approx([0.0, rewards[1] + rewards[2] + 1, rewards[2] + 1], abs=1e-5)
