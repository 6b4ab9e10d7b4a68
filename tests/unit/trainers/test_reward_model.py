"""Reward models: what they learn from, that they learn it, and what they leave."""

from __future__ import annotations

import asyncio
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr

from agentgym import store
from agentgym.config import validated
from agentgym.critics.model import ModelCritic
from agentgym.curricula.uniform import Uniform
from agentgym.errors import ConfigError, DataError
from agentgym.learn.policy import Policy
from agentgym.learn.reward_model import RewardModel
from agentgym.moments import agreement
from agentgym.trainers.reward_model import RewardModelSettings, RewardModelTrainer
from agentgym.types import Trajectory
from tests.kit import chat, one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped
from tests.unit.trainers.readable import cut, readable

__all__ = ["one_thread"]


class NobodyPlays:
    draws = Uniform(range(100), seed=5)

    async def shaped(self, recorded: list[Trajectory]) -> list[Trajectory]:
        return recorded


def model() -> Any:
    return tiny_model(vocab_size=len(chat().hf), initializer_range=0.1)


def trainer(**settings: Any) -> RewardModelTrainer:
    made = equipped(RewardModelTrainer(RewardModelSettings(**{"learning_rate": 5e-3, **settings})), model())
    assert isinstance(made, RewardModelTrainer)
    return made


def written(file: Path, episodes: list[Trajectory]) -> Path:
    store.append(file, episodes)
    return file


def trained(made: RewardModelTrainer, updates: int) -> list[dict[str, float]]:
    """Metrics of each update."""

    async def go() -> list[dict[str, float]]:
        seen = []
        for update in range(updates):
            lesson = made.lesson(update, await made.play(update, NobodyPlays()))  # type: ignore[arg-type]
            seen.append(made.learn(update, lesson))
        return seen

    return asyncio.run(go())


def recorded(first: int, tasks: int, **changes: Any) -> list[Trajectory]:
    return list(itertools.chain.from_iterable(readable(task, **changes) for task in range(first, first + tasks)))


def left(made: RewardModelTrainer, run: Path) -> Path:
    """A run's directory with the policy and what was trained."""
    Policy(made.equipment.learner.module, chat()).save(run / "policy")
    made.leave(run)
    return run


# -- what is learned from ----------------------------------------------------------------------------------


def test_a_moment_is_read_at_the_last_token_of_its_reply() -> None:
    """Of [1, 5, 9, 2, 6, 9] the tokens after the two 9s are marked, the second of which stands in for what follows."""
    made = trainer()
    lesson = made.lesson(0, [episode([0.0, 1.0], [[5, 9], [6, 9]])])
    (row,) = lesson.rows
    assert row.token_ids.tolist() == [1, 5, 9, 2, 6, 9, 0]
    assert row.loss_mask.tolist() == [False, False, False, True, False, False, True]
    assert row.returns is not None
    assert row.returns[row.loss_mask].tolist() == [1.0, 1.0]
    assert (lesson.metrics, lesson.rejected) == ({"moments": 2.0}, {})


def test_groups_are_trees_of_their_own() -> None:
    one, other = episode([1.0], [[5, 9]]), episode([0.0], [[5, 9]], group="b", ordinal=1)
    lesson = trainer().lesson(0, [one, other])
    assert [row.returns[row.loss_mask].tolist() for row in lesson.rows if row.returns is not None] == [[1.0], [0.0]]


def test_a_group_without_a_value_is_told() -> None:
    one = episode([0.0])
    one.turns[0].value, one.turns[0].visits = 0.5, 1
    lesson = trainer().lesson(0, [one])
    assert (lesson.rows, lesson.rejected) == ([], {0: "no moment with a value"})
    lesson = trainer(loss="bradley-terry").lesson(0, [episode([1.0]), episode([1.0], [[6, 9]])])
    assert (lesson.rows, lesson.rejected) == ([], {0: "no pair that differs enough"})


def test_either_side_of_a_pair_is_read_at_its_end() -> None:
    group = [episode([0.0], [[7, 9]]), episode([1.0], [[5, 6, 9]])]
    lesson = trainer(loss="bradley-terry").lesson(0, group)
    assert [row.token_ids.tolist() for row in lesson.rows] == [[1, 5, 6, 9, 0], [1, 7, 9, 0]]
    assert [row.loss_mask.tolist() for row in lesson.rows] == [[False] * 4 + [True], [False] * 3 + [True]]
    assert [row.returns[-1] for row in lesson.rows if row.returns is not None] == [1.0, -1.0]
    assert ([row.unit for row in lesson.rows], lesson.metrics) == ([0, 0], {"pairs": 1.0})


def test_units_of_pairs_go_on_from_group_to_group() -> None:
    groups = [episode([float(i)], [[5 + i, 9]], group=group) for group in "ab" for i in (0, 1)]
    assert [row.unit for row in trainer(loss="bradley-terry").lesson(0, groups).rows] == [0, 0, 1, 1]


@pytest.mark.parametrize(("pairs", "num"), [("extremes", 1), ("all", 3), ("longer", 1), ("steps", 3), ("decorated", 0)])
def test_which_pairs(pairs: str, num: int) -> None:
    group = [episode([1.0], [[5, 9]]), episode([0.5], [[6, 6, 9]]), episode([0.0], [[7, 9]])]
    assert trainer(loss="bradley-terry", pairs=pairs).lesson(0, group).metrics == {"pairs": float(num)}


# -- learning ----------------------------------------------------------------------------------------------


def test_the_first_losses_are_those_of_a_head_that_says_0() -> None:
    group = [episode([1.0], [[5, 9]]), episode([0.0], [[7, 9]])]
    made = trainer()
    assert made.learn(0, made.lesson(0, group))["loss"] == pytest.approx(0.25)  # ½ of the mean of 1 and 0
    made = trainer(loss="bradley-terry")
    assert made.learn(0, made.lesson(0, group))["loss"] == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("has_values", [True, False])
def test_it_learns_to_rank_moments_that_it_has_not_seen(has_values: bool, tmp_path: Path) -> None:
    """From the values of a search, and from what episodes earned in the end, which says less of where they stood."""
    file = written(tmp_path / "seen.jsonl", recorded(0, 40, has_values=has_values))
    made = trainer(data=file, groups=8)
    before = {name: weight.clone() for name, weight in made.equipment.learner.module.state_dict().items()}
    seen = trained(made, 41)
    looks = [metrics["held_out_agreement"] for metrics in seen if "held_out_agreement" in metrics]
    assert len(looks) == 5
    assert looks[-1] > 0.75
    held_out = [cut(one, num) for one in recorded(600, 12) for num in range(1, 5)]
    values = [one.turns[-1].value for one in held_out]
    scores = RewardModel.load(left(made, tmp_path / "run")).scores(held_out)
    assert float(spearmanr(scores, values).statistic) > (0.9 if has_values else 0.6)
    for name, weight in made.equipment.learner.module.state_dict().items():
        assert torch.equal(weight, before[name])  # the policy is as it was


def test_it_learns_preferences(tmp_path: Path) -> None:
    file = written(tmp_path / "seen.jsonl", recorded(0, 40, num=4, has_values=False))
    made = trainer(data=file, groups=8, loss="bradley-terry", pairs="all")
    seen = trained(made, 31)
    assert seen[0]["accuracy"] < 0.75 < 0.8 < seen[-1]["accuracy"]
    held_out = recorded(600, 20, num=4)
    scores = RewardModel.load(left(made, tmp_path / "run")).scores(held_out)
    assert agreement(scores, [one.reward for one in held_out]) > 0.8


def test_what_is_left_scores_as_what_was_trained(tmp_path: Path) -> None:
    file = written(tmp_path / "seen.jsonl", recorded(0, 8))
    made = trainer(data=file, groups=4)
    trained(made, 3)
    held_out = recorded(600, 3)
    live = RewardModel(made.model.module, chat().fingerprint).scores(held_out)
    run = left(made, tmp_path / "run")
    assert RewardModel.load(run).scores(held_out) == pytest.approx(live, abs=1e-6)

    async def scored() -> tuple[list[float], float]:
        critic = ModelCritic(run, max_tokens=20)
        await critic.open()
        found = await critic.score(held_out), await critic.compare(held_out[0], held_out[1])
        await critic.close()
        return found

    scores, chance = asyncio.run(scored())
    assert scores == pytest.approx(live, abs=1e-5)
    assert chance == pytest.approx(1 / (1 + math.exp(live[1] - live[0])), abs=1e-5)
    made.leave(run)  # a run that is gone on with leaves it again
    assert RewardModel.load(run).scores(held_out) == pytest.approx(live, abs=1e-6)


def test_it_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    file = written(tmp_path / "seen.jsonl", recorded(0, 8))
    one, other = trainer(data=file, groups=4), trainer(data=file, groups=4)
    trained(one, 2)
    assert list(one.learners()) == ["reward_model"]
    one.model.save(tmp_path / "saved")
    other.model.load(tmp_path / "saved")
    lesson = one.lesson(2, recorded(20, 4))
    assert one.learn(2, lesson)["loss"] == other.learn(2, lesson)["loss"]


# -- what is held out, and what is refused -----------------------------------------------------------------


def test_some_tasks_are_held_out_and_never_learned_from(tmp_path: Path) -> None:
    file = written(tmp_path / "seen.jsonl", recorded(0, 10))
    made = trainer(data=file, groups=2, held_out=0.3)
    assert (len(made.tasks), len(made.held_out)) == (7, 3)
    shown = {t.task for update in range(9) for t in asyncio.run(made.play(update, NobodyPlays()))}  # type: ignore[arg-type]
    assert shown.isdisjoint({card.task for cards in made.held_out for card in cards})
    assert len(shown) == 7
    nothing = trainer(data=file, groups=2, held_out=0)
    assert (len(nothing.tasks), nothing.held_out) == (10, [])
    assert "held_out_agreement" not in trained(nothing, 1)[0]


def test_flat_recordings_teach_too_and_preferences_want_two_of_a_task(tmp_path: Path) -> None:
    file = written(tmp_path / "seen.jsonl", recorded(0, 3, num=1, has_values=False))
    assert len(trainer(data=file).tasks) == 2
    with pytest.raises(DataError, match="has no task with two episodes to compare"):
        trainer(data=file, loss="bradley-terry")


def test_a_single_episode_without_values_has_nothing_to_tell(tmp_path: Path) -> None:
    alone = recorded(0, 1, num=1, has_values=False)
    with pytest.raises(DataError, match="has a single episode to learn from, whose turns have no values"):
        trainer(data=written(tmp_path / "alone.jsonl", alone))
    assert len(trainer(data=written(tmp_path / "valued.jsonl", recorded(0, 1, num=1))).tasks) == 1


def test_episodes_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    foreign = [one.model_copy(update={"tokenizer": "other"}) for one in recorded(0, 2)]
    with pytest.raises(DataError, match="its token ids are those of another tokenizer"):
        trainer(data=written(tmp_path / "seen.jsonl", foreign))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"pairs": "all"}, "pairs has no effect with loss mse, only with bradley-terry"),
        ({"threshold": 0.5}, "threshold has no effect with loss mse"),
        ({"loss": "bradley-terry", "min_visits": 3}, "min_visits has no effect with loss bradley-terry, only with mse"),
        ({"held_out": 0.2}, "held_out has no effect without data"),
        ({"check_every": 5}, "check_every has no effect without data"),
        ({"data": "x", "held_out": 0, "check_every": 5}, "check_every has no effect with held_out 0"),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        validated(RewardModelSettings, settings, where="trainer")


def test_it_plays_where_nothing_is_recorded() -> None:
    made = trainer(groups=2, group_size=4)
    assert (made.plays, made.plays_ahead, made.trains_policy) == (True, True, False)
    assert len(made.specs(0, Uniform(range(9), seed=1))) == 8
