"""Episodes with augmentations of different strength are not compared, unless they are to be."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.curricula.uniform import Uniform
from agentgym.learn.trainer import Trainer
from agentgym.trainers.cory import CORY, CORYSettings
from agentgym.trainers.dpo import DPO, DPOSettings
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.mixed import Mixed, MixedSettings
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.trainers.rloo import RLOO, RLOOSettings
from agentgym.types import Trajectory
from tests.kit import one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped

__all__ = ["one_thread"]


def at(strength: float, reward: float, reply: int, *, ordinal: int = 0, **more: Any) -> Trajectory:
    made = episode([reward], [[reply, 9]], ordinal=ordinal, group=f"g{ordinal}", name=f"{strength}-{reply}", **more)
    return made.model_copy(update={"strength": strength})


# With hints all is right and without one of two is: over all, hints would be what is learned.
GROUP = [at(1, 1.0, 5), at(1, 1.0, 6), at(0, 1.0, 7), at(0, 0.0, 8)]


def advantages(trainer: Trainer[Any], episodes: list[Trajectory]) -> dict[int, float]:
    """Of the last token of each row, by its first."""
    return {int(row.token_ids[1]): float(row.advantages[-1]) for row in trainer.lesson(0, episodes).rows}


def test_rloo_takes_the_baseline_from_those_of_the_same_strength() -> None:
    assert advantages(RLOO(RLOOSettings()), GROUP) == {7: 1.0, 8: -1.0}
    mixed = advantages(RLOO(RLOOSettings(mix_strengths=True)), GROUP)
    assert mixed == pytest.approx({5: 1 / 3, 6: 1 / 3, 7: 1 / 3, 8: -1.0})


def test_grpo_has_its_mean_and_deviation_by_strength() -> None:
    group = [at(1, 1.0, 5), at(1, 0.0, 6), at(0.5, 4.0, 7), at(0.5, 2.0, 8)]
    half = 0.5**0.5  # of two, each is so many deviations from the mean
    assert advantages(GRPO(GRPOSettings()), group) == pytest.approx({5: half, 6: -half, 7: half, 8: -half}, abs=1e-5)


def test_dpo_prefers_no_episode_to_one_of_another_strength() -> None:
    trainer = equipped(DPO(DPOSettings(pairs="all")), tiny_model())
    assert [int(row.token_ids[1]) for row in trainer.lesson(0, GROUP).rows] == [7, 8]
    mixed = equipped(DPO(DPOSettings(pairs="all", mix_strengths=True)), tiny_model())
    assert mixed.lesson(0, GROUP).metrics["pairs"] == 3


@pytest.mark.parametrize(
    "trainer", [RLOO(RLOOSettings()), GRPO(GRPOSettings()), equipped(DPO(DPOSettings()), tiny_model())]
)
def test_an_ordinal_is_rejected_when_no_part_of_it_teaches(trainer: Trainer[Any]) -> None:
    equal = [at(1, 1.0, 5, ordinal=1), at(1, 1.0, 6, ordinal=1), at(0, 0.0, 7, ordinal=1), at(0, 0.0, 8, ordinal=1)]
    lesson = trainer.lesson(0, [*GROUP, *equal])
    assert lesson.rejected == {1: "equal rewards"}
    assert lesson.metrics["informative_groups"] == 0.25  # of the four that were compared


def test_hpt_imitates_where_the_policy_fails_at_the_strength_that_was_drawn() -> None:
    trainer = Mixed(MixedSettings(method="hpt"))
    drawn = [at(1, 0.0, 5, success=False), at(1, 0.0, 6, success=False), at(0, 1.0, 7, success=True)]
    draws = Uniform([0], seed=0)
    (first, *_) = trainer.specs(0, draws)
    assert [spec.ordinal for spec in trainer._to_show([first], drawn)] == [0]
    drawn = [at(1, 1.0, 5, success=True), at(1, 1.0, 6, success=True), at(0, 0.0, 7, success=False)]
    assert trainer._to_show([first], drawn) == []


@pytest.mark.parametrize(
    "trainer",
    [
        RLOO(RLOOSettings(group_size=8, groups=1)),
        GRPO(GRPOSettings(group_size=8, groups=1)),
        DPO(DPOSettings(group_size=8, groups=1)),
        Mixed(MixedSettings(group_size=8, groups=1, demonstrations=1)),
        CORY(CORYSettings(group_size=8, groups=1)),
    ],
    ids=lambda trainer: type(trainer).__name__,
)
def test_a_quarter_of_every_group_plays_without(trainer: Trainer[Any]) -> None:
    draws = Uniform([3, 4], seed=0)
    assert [spec.strength for spec in trainer.specs(0, draws)] == [0.0] * 8
    draws.run_strength = 0.5
    assert [spec.strength for spec in trainer.specs(0, draws)] == [0.5] * 6 + [0.0] * 2


def test_where_nothing_is_compared_all_play_as_is_drawn() -> None:
    draws = Uniform([3, 4], seed=0)
    draws.run_strength = 0.5
    assert {spec.strength for spec in PPO(PPOSettings(episodes=4)).specs(0, draws)} == {0.5}
