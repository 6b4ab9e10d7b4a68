"""How many steps an update takes, and what is steered from one update to the next."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from agentgym.config import validated
from agentgym.errors import ConfigError
from agentgym.trainers.cory import CORY, CORYSettings
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.mixed import MixedSettings
from agentgym.trainers.ppo import PPO, PPOSettings
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped, moved

__all__ = ["one_thread"]

GROUP = [episode([1.0], [[5, 9]]), episode([0.0], [[6, 9]]), episode([0.0], [[7, 9]])]


def grpo(**settings: Any) -> GRPO:
    made = equipped(GRPO(GRPOSettings(**{"learning_rate": 0.01, **settings})), tiny_model())
    assert isinstance(made, GRPO)
    return made


def learned(trainer: Any) -> tuple[dict[str, float], torch.Tensor]:
    """Metrics and weights after an update."""
    metrics = trainer.learn(0, trainer.lesson(0, GROUP))
    return metrics, torch.cat([p.detach().flatten() for p in trainer.equipment.learner.module.parameters()])


def test_an_update_ends_where_the_policy_is_too_far_from_where_it_began() -> None:
    """The second step is not taken: after the first the divergence is above a millionth, and below a million."""
    one, taken = learned(grpo())
    stopped, same = learned(grpo(epochs=4, target_kl=1e-6))
    assert torch.equal(taken, same)
    assert [one["optimizer_steps"], stopped["optimizer_steps"]] == [1.0, 1.0]
    all_of_them, far = learned(grpo(epochs=4))
    unbounded, as_far = learned(grpo(epochs=4, target_kl=1e6))
    assert torch.equal(far, as_far)
    assert not torch.equal(far, taken)
    assert [all_of_them["optimizer_steps"], unbounded["optimizer_steps"]] == [4.0, 4.0]


def test_too_far_is_half_as_much_again_as_the_target() -> None:
    trainer = grpo(epochs=2, target_kl=0.5)
    assert [trainer.stops({"old_kl": far}) for far in (0.7, 0.75, 0.76)] == [False, False, True]
    assert not grpo(epochs=2).stops({"old_kl": 1e9})


def test_the_critic_goes_on() -> None:
    ppo: Any = equipped(PPO(PPOSettings(learning_rate=0.01, epochs=2, minibatches=2, target_kl=1e-6)), tiny_model())
    assert learned(ppo)[0]["optimizer_steps"] == 1.0
    assert (ppo.equipment.learner.num_updates, ppo.critic.num_updates) == (1, 4)


def test_the_weight_of_the_divergence_is_steered() -> None:
    """None at first, which is below any target: .98 of it is left; then far more than the target: 1.02 times that."""
    trainer = grpo(kl_coefficient=0.5, adaptive_kl_target=1e-9)
    weights = [learned(trainer)[0]["kl_coefficient"] for _ in range(3)]
    assert weights == pytest.approx([0.5, 0.49, 0.49 * 1.02])
    assert "kl_coefficient" not in learned(grpo(kl_coefficient=0.5))[0]

    other = grpo(kl_coefficient=0.5, adaptive_kl_target=1e-9)
    other.load_state(json.loads(json.dumps(trainer.state())))
    assert other.kl.value == trainer.kl.value != 0.5
    assert grpo(kl_coefficient=0.5).state() == {}


def test_what_is_steered_is_what_is_subtracted() -> None:
    """In the loss, and in the reward: twice the weight is twice the penalty."""
    losses = {}
    for weight in (0.5, 1.0, 2.0):
        trainer = grpo(kl_coefficient=0.5, adaptive_kl_target=0.1)
        moved(trainer.equipment.learner.module)
        trainer.kl.value = weight
        losses[weight] = learned(trainer)[0]["loss"]
    assert losses[2.0] - losses[1.0] == pytest.approx(2 * (losses[1.0] - losses[0.5]), rel=1e-3)
    assert losses[2.0] > losses[1.0] + 1e-3

    trainer = grpo(kl_coefficient=0.5, kl_in="reward", adaptive_kl_target=0.1)
    moved(trainer.equipment.learner.module)
    (row, *_) = trainer.lesson(0, GROUP).rows
    before = trainer.penalty(row)
    trainer.kl.value = 1.0
    assert trainer.penalty(row) == pytest.approx(2 * before)
    assert abs(before).max() > 0


def test_both_copies_have_a_weight_of_their_own() -> None:
    settings = CORYSettings(kl_coefficient=0.5, adaptive_kl_target=0.1)
    one, other = (equipped(CORY(settings), tiny_model()) for _ in range(2))
    assert isinstance(one, CORY)
    assert isinstance(other, CORY)
    one.copies[1].kl.value = 0.7
    other.load_state(json.loads(json.dumps(one.state())))
    assert [member.kl.value for member in other.copies] == [0.5, 0.7]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"target_kl": 0.1}, "target_kl has no effect without further steps in an update: add epochs or minibatches"),
        ({"target_kl": 0.1, "epochs": 2, "loss": "reinforce"}, "target_kl has no effect without loss clip or cispo"),
        ({"target_kl": 0.1, "epochs": 2, "loss": "nft"}, "target_kl has no effect without loss clip or cispo"),
        ({"adaptive_kl_target": 0.1}, "adaptive_kl_target has no effect without a kl_coefficient"),
        ({"kl_coefficient": 0.1, "adaptive_kl_rate": 0.2}, "adaptive_kl_rate has no effect without an adaptive_kl_ta"),
    ],
)
def test_what_would_have_no_effect_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        validated(GRPOSettings, settings, where="trainer")


@pytest.mark.parametrize("settings", [{"target_kl": 0.1, "epochs": 2}, {"adaptive_kl_target": 0.1}])
def test_a_mixture_without_ratio_and_reference_is_not_steered(settings: dict[str, Any]) -> None:
    given = {"method": "srft", "kl_coefficient": 0.1, **settings}
    with pytest.raises(ConfigError, match="has no effect with method srft"):
        validated(MixedSettings, given, where="trainer")
