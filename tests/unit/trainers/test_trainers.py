"""Which episodes the trainers ask for, and what they learn from which."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from agentgym.config import validated
from agentgym.curricula.uniform import Uniform
from agentgym.errors import ConfigError
from agentgym.learn.batch import microbatches
from agentgym.learn.forward import Predictions
from agentgym.learn.rows import Row
from agentgym.learn.trainer import Trainer
from agentgym.rollout import EpisodeSpec
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.sft import SFT, SFTSettings
from agentgym.types import Sample, StopReason, Trajectory, Turn
from tests.kit import tiny_model
from tests.unit.trainers.kit import equipped

TASKS = Uniform(range(40), seed=3)


def episode(group: str, reward: float, stop: StopReason = StopReason.TERMINATED, samples: int = 1) -> Trajectory:
    sample = Sample(
        token_ids=[1, 2, 3, 4],
        loss_mask=[False, False, True, True],
        logprobs=[0.0, 0.0, -1.0, -2.0],
        turn_index=[0] * 4,
        policy_versions=[-1, -1, 0, 0],
    )
    turn = Turn(observation="", reply="", reward=reward)
    return Trajectory(
        episode_id="e",
        env="x",
        task=0,
        seed=0,
        group_id=group,
        turns=[turn],
        samples=[sample] * samples,
        stop_reason=stop,
    )


def predicted(logprobs_N: torch.Tensor) -> Predictions:
    zeros_N = torch.zeros_like(logprobs_N)
    return Predictions(logprobs_N=logprobs_N, entropies_N=zeros_N, logsumexps_N=zeros_N)


def taught(trainer: Trainer[Any], trajectories: list[Trajectory]) -> tuple[list[Row], dict[str, float], dict[int, str]]:
    lesson = trainer.lesson(0, trajectories)
    return lesson.rows, lesson.metrics, lesson.rejected


def test_grpo_asks_for_groups_that_share_draw_and_seed_but_not_the_member() -> None:
    specs = GRPO(GRPOSettings(groups=3, group_size=4)).specs(5, TASKS)
    groups = [specs[i : i + 4] for i in (0, 4, 8)]
    for number, group in enumerate(groups):
        assert {(spec.task, spec.seed, spec.group_id) for spec in group} == {
            (TASKS.draw(15 + number).task, group[0].seed, f"5-{number}")
        }
        assert [spec.member for spec in group] == [0, 1, 2, 3]
    assert len({group[0].seed for group in groups}) == 3


def test_grpo_sees_every_task_once_an_epoch() -> None:
    trainer = GRPO(GRPOSettings(groups=4, group_size=2))
    tasks = [spec.task for update in range(10) for spec in trainer.specs(update, TASKS)][::2]
    assert sorted(map(int, filter(lambda task: task is not None, tasks))) == list(range(40))  # type: ignore[arg-type]


def test_grpo_by_hand() -> None:
    """Rewards 3, 0, 0: mean 1, sample deviation √3; every token of an episode has its episode's advantage."""
    rows, metrics, _ = taught(GRPO(GRPOSettings()), [episode("a", 3.0), episode("a", 0.0), episode("a", 0.0)])
    assert [row.advantages for row in rows] == [
        pytest.approx([2 / 3**0.5] * 4, abs=1e-5),
        pytest.approx([-1 / 3**0.5] * 4, abs=1e-5),
        pytest.approx([-1 / 3**0.5] * 4, abs=1e-5),
    ]
    assert rows[0].loss_mask.tolist() == [False, False, True, True]
    assert metrics["informative_groups"] == 1.0
    unscaled, _, _ = taught(GRPO(GRPOSettings(scale_by_std=False)), [episode("a", 3.0), episode("a", 0.0)])
    assert [row.advantages[0] for row in unscaled] == [1.5, -1.5]


def test_grpo_drops_groups_whose_rewards_do_not_differ() -> None:
    rows, metrics, _ = taught(
        GRPO(GRPOSettings()), [episode("a", 1.0), episode("a", 1.0), episode("b", 0.0), episode("b", 1.0)]
    )
    assert len(rows) == 2
    assert metrics["informative_groups"] == 0.5


def test_grpo_leaves_void_episodes_out_of_the_group() -> None:
    group = [episode("a", 1.0), episode("a", 0.0, StopReason.ENV_ERROR), episode("a", 0.5), episode("a", 0.0)]
    rows, _, _ = taught(GRPO(GRPOSettings()), group)
    expected, _, _ = taught(GRPO(GRPOSettings()), [group[0], group[2], group[3]])
    assert rows == expected
    alone, metrics, _ = taught(GRPO(GRPOSettings()), [group[0], group[1]])
    assert (alone, metrics["informative_groups"]) == ([], 0.0)


def test_grpo_learns_from_every_sample_of_a_forked_episode() -> None:
    rows, _, _ = taught(GRPO(GRPOSettings()), [episode("a", 1.0, samples=3), episode("a", 0.0)])
    assert [row.advantages[0] > 0 for row in rows] == [True, True, True, False]


def test_grpo_groups_by_name_in_whatever_order_episodes_come() -> None:
    mixed = [episode("a", 1.0), episode("b", 0.0), episode("a", 0.0), episode("b", 1.0)]
    rows, metrics, _ = taught(GRPO(GRPOSettings()), mixed)
    assert len(rows) == 4
    assert metrics["informative_groups"] == 1.0


def test_grpo_s_objective_is_the_clipped_one() -> None:
    rows, _, _ = taught(GRPO(GRPOSettings()), [episode("a", 1.0), episode("a", 0.0)])
    (batch,) = microbatches(rows, [0.25, 0.25], max_tokens=100)
    logprobs = batch.behavior_logprobs_N.clone().requires_grad_()
    loss, _ = GRPO(GRPOSettings()).objective(predicted(logprobs), batch)
    loss.sum().backward()
    assert logprobs.grad is not None
    assert torch.allclose(logprobs.grad, -batch.advantages_N)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"group_size": 1}, "group_size"),
        ({"groups": 0}, "groups"),
        ({"clip_low": -1}, "clip_low"),
        ({"learning_rate": 0}, "learning_rate"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"trainer\.{key}: Input should be greater than"):
        validated(GRPOSettings, values, where="trainer")


def test_sft_imitates_the_expert_s_tokens_only() -> None:
    rows, _, _ = taught(SFT(SFTSettings()), [episode("", 1.0)])
    assert rows[0].loss_mask.tolist() == [False, False, True, True]
    assert rows[0].advantages.tolist() == [1.0] * 4
    assert SFT(SFTSettings()).needs_expert


def test_sft_may_also_learn_what_is_observed_by_a_smaller_weight() -> None:
    trajectory = episode("", 1.0)
    rows, _, _ = taught(SFT(SFTSettings(observation_weight=0.1)), [trajectory])
    assert rows[0].loss_mask.tolist() == [True] * 4
    assert rows[0].advantages.tolist() == [0.1, 0.1, 1.0, 1.0]
    assert trajectory.samples[0].loss_mask.tolist() == [False, False, True, True]


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_sft_counts_an_episode_in_two_rows_once(weight: float) -> None:
    """2 + 2 tokens that the expert said, 3 + 3 with those observed: the first of a row is never trained."""
    rows = SFT(SFTSettings(observation_weight=weight)).lesson(0, [episode("a", 1.0, samples=2)]).rows
    assert [(row.unit, row.num_trained, row.episode_tokens) for row in rows] == [
        (None, 3, 6) if weight else (None, 2, 4)
    ] * 2


def test_the_ratio_of_an_imitated_sequence_runs_over_the_whole_episode() -> None:
    sft = equipped(SFT(SFTSettings(loss="iw")), tiny_model())
    assert [row.unit for row in sft.lesson(0, [episode("a", 1.0, samples=2), episode("b", 1.0)]).rows] == [0, 0, 1]


def test_sft_leaves_void_episodes_out() -> None:
    assert taught(SFT(SFTSettings()), [episode("", 0.0, StopReason.ENV_ERROR)]) == ([], {}, {})


def test_sft_with_so_many_demonstrations_shows_just_these_again_and_again() -> None:
    trainer = SFT(SFTSettings(batch_size=5, demonstrations=10))
    epochs = [[spec for update in (2 * e, 2 * e + 1) for spec in trainer.specs(update, TASKS)] for e in range(3)]
    shown = [sorted((int(spec.task or 0), spec.seed) for spec in epoch) for epoch in epochs]
    assert shown[0] == shown[1] == shown[2]
    assert [task for task, _ in shown[0]] == sorted(int(TASKS.order[i]) for i in range(10))
    assert [spec.task for spec in epochs[0]] != [spec.task for spec in epochs[1]]


def test_sft_has_its_demonstrations_played_without_shaping_and_in_their_order() -> None:
    asked: list[tuple[list[EpisodeSpec], bool]] = []

    class Players:
        draws = TASKS

        async def expert(self, specs: list[EpisodeSpec], *, shaped: bool) -> list[Trajectory]:
            asked.append((specs, shaped))
            return []

    sft = SFT(SFTSettings(batch_size=3, demonstrations=5))
    for update in range(2):
        asyncio.run(sft.play(update, Players()))  # type: ignore[arg-type]
    assert [shaped for _, shaped in asked] == [False, False]
    specs = [spec for batch, _ in asked for spec in batch]
    assert [spec.ordinal for spec in specs] == [0, 1, 2, 3, 4, 5]
    assert {spec.role for spec in specs} == {"expert"}
    assert len({spec.episode_id for spec in specs}) == 6
    assert len({spec.seed for spec in specs[:5]}) == 5
    assert specs[5].seed in {spec.seed for spec in specs[:5]}  # again one of the five


def test_sft_s_objective_weighs_the_log_likelihood() -> None:
    rows, _, _ = taught(SFT(SFTSettings(observation_weight=0.5)), [episode("", 1.0)])
    (batch,) = microbatches(rows, [1 / 3], max_tokens=100)
    loss, _ = SFT(SFTSettings()).objective(predicted(torch.tensor([-1.0, -2.0, -3.0])), batch)
    assert loss.tolist() == [0.5, 2.0, 3.0]
