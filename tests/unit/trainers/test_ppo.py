"""PPO: credit for tokens over turns, the critic, what is trained when."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from agentgym.config import validated
from agentgym.errors import ConfigError
from agentgym.learn.critic import Critic, estimate
from agentgym.learn.rows import Row
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.types import Sample, StopReason
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped, logprobs_of, moved

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


@pytest.mark.parametrize(
    ("stop", "bootstrap", "shown", "expected"),
    [
        (StopReason.TURN_LIMIT, False, False, -2.0),  # as evaluation has it: it came to nothing
        (StopReason.TURN_LIMIT, False, True, -2.0),
        (StopReason.TURN_LIMIT, True, True, 0.0),
        (StopReason.TRUNCATED, True, True, 0.0),
        (StopReason.CONTEXT_LIMIT, True, False, -2.0),  # no room to read a value at
        (StopReason.TERMINATED, True, True, -2.0),
    ],
)
def test_an_episode_that_was_cut_short_is_continued_by_the_critic_if_that_is_wanted(
    stop: StopReason, bootstrap: bool, shown: bool, expected: float
) -> None:
    """V 2 everywhere and no reward."""
    ppo = trainer(bootstrap=bootstrap)
    say_constant(ppo, 2.0)
    cut = episode([0.0], stop=stop)
    cut.samples = [seen_to_the_end(cut.samples[0])] if shown else cut.samples
    (row,) = ppo.lesson(0, [cut]).rows
    assert [row.advantages[i] for i in (1, 2)] == pytest.approx([expected, expected])


def seen_to_the_end(sample: Sample) -> Sample:
    """``sample`` and what the next reply would have followed."""
    added = {"token_ids": 4, "loss_mask": False, "logprobs": 0.0, "turn_index": 1, "policy_versions": -1}
    return sample.model_copy(update={name: np.append(getattr(sample, name), value) for name, value in added.items()})


def test_the_value_of_what_would_have_followed_is_read_behind_it() -> None:
    """Not after the last token of the reply, which the critic never learns about."""
    ppo = trainer(bootstrap=True)
    with torch.no_grad():
        ppo.critic.module.head.weight.normal_(generator=torch.Generator().manual_seed(0))
    cut = episode([0.0], stop=StopReason.TURN_LIMIT)
    cut.samples = [seen_to_the_end(cut.samples[0])]
    (row,) = ppo.lesson(0, [cut]).rows
    trunk = ppo.critic.module.trunk
    hidden = trunk(input_ids=torch.tensor(cut.samples[0].token_ids[None]).long(), output_hidden_states=True)
    behind = ppo.critic.module.head(hidden.hidden_states[-1][0, -1]).item()
    assert row.returns is not None
    assert row.returns[1:3] == pytest.approx([behind, behind], abs=1e-5)


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
    """By the log-ratio of the policy as it is now, not as the sampler had it: -.5 a token here, which has no say."""
    ppo = trainer(kl_coefficient=0.5, kl_in="reward", epochs=1, minibatches=1)
    moved(ppo.equipment.learner.module)
    (row,) = ppo.lesson(0, [episode([1.0])]).rows
    now, began = (logprobs_of(m, row) for m in (ppo.equipment.learner.module, tiny_model()))
    rewards = [0.0, *(-0.5 * (now[i] - began[i]) for i in (1, 2))]
    assert row.returns == pytest.approx([0.0, rewards[1] + rewards[2] + 1, rewards[2] + 1], abs=1e-5)


def test_rewards_are_scaled_by_the_deviation_of_the_returns_so_far() -> None:
    """Returns 0 and 4 have deviation 2, and with 2 more √(8/3)."""
    ppo = trainer(scale_rewards=True)
    lesson = ppo.lesson(0, [episode([0.0]), episode([4.0])])
    assert [row.advantages[-1] for row in lesson.rows] == pytest.approx([0.0, 2.0])
    assert lesson.metrics["return_deviation"] == 2.0
    other = trainer(scale_rewards=True)
    other.load_state(json.loads(json.dumps(ppo.state())))
    for each in (ppo, other):
        (row,) = each.lesson(1, [episode([2.0])]).rows
        assert row.advantages[-1] == pytest.approx(2 / (8 / 3) ** 0.5)
    assert other.state() == ppo.state()


def test_returns_are_discounted_for_each_token_up_to_each_turn() -> None:
    """Of 6, and two tokens later 2 more: 6 and .25 × 6 + 2 = 3.5, of which the deviation is 1.25."""
    ppo = trainer(scale_rewards=True, gamma=0.5)
    (row,) = ppo.lesson(0, [episode([6.0, 2.0])]).rows
    assert row.returns is not None
    assert row.returns[-1] == pytest.approx(2 / 1.25)


def test_a_penalty_is_not_scaled_and_nothing_is_where_that_is_not_wanted() -> None:
    ppo = trainer(scale_rewards=True, kl_coefficient=0.5, kl_in="reward")
    moved(ppo.equipment.learner.module)
    first, second = ppo.lesson(0, [episode([0.0]), episode([4.0])]).rows
    assert first.returns is not None
    assert second.returns is not None
    assert first.returns[-1] == pytest.approx(-ppo.penalty(first)[-1])
    assert second.returns[-1] == pytest.approx(2.0 - ppo.penalty(second)[-1])
    plain = trainer()
    lesson = plain.lesson(0, [episode([0.0]), episode([4.0])])
    assert [row.advantages[-1] for row in lesson.rows] == [0.0, 4.0]
    assert "return_deviation" not in lesson.metrics
    assert plain.state() == {}


def test_a_bound_that_no_value_meets_is_refused() -> None:
    """Before the first optimizer step no value has moved."""
    one = {"epochs": 1, "minibatches": 1}
    with pytest.raises(ConfigError, match=r"value_clip 0.1 has no effect in an update of one optimizer step"):
        validated(PPOSettings, {**one, "value_clip": 0.1})
    for given in ({**one, "value_clip": None}, one, {"value_clip": 0.1}):
        validated(PPOSettings, given)
