"""Dynamic sampling: groups are drawn until enough of them teach something, and what it costs is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from agentgym.curricula.uniform import Uniform
from agentgym.rollout import EpisodeSpec
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.mixed import MixedSettings
from agentgym.trainers.rloo import RLOO, RLOOSettings
from agentgym.types import Trajectory
from tests.unit.trainers.kit import episode


class Played:
    """Plays groups of which every ``rare``-th ordinal's members differ."""

    def __init__(self, rare: int) -> None:
        self.rare, self.rounds = rare, list[list[int | None]]()
        self.draws = Uniform(range(50), seed=0)
        self.ids: list[str] = []

    async def policy(self, specs: Sequence[EpisodeSpec]) -> list[Trajectory]:
        self.rounds.append(sorted({spec.ordinal for spec in specs}, key=str))
        self.ids += [spec.episode_id for spec in specs]
        return [self._played(spec) for spec in specs]

    def _played(self, spec: EpisodeSpec) -> Trajectory:
        assert spec.ordinal is not None
        reward = float(spec.member == 0) if spec.ordinal % self.rare == self.rare - 1 else 0.0
        made = episode([reward], [[5, 9]])
        return made.model_copy(update={"ordinal": spec.ordinal, "group_id": spec.group_id, "task": 0})


def grpo(**settings: Any) -> GRPO:
    return GRPO(GRPOSettings(groups=2, group_size=2, **settings))


def played(trainer: Any, players: Any, update: int = 0) -> list[Trajectory]:
    return asyncio.run(trainer.play(update, players))


def test_it_draws_as_many_again_as_are_missing() -> None:
    """Of the ordinals 0 to 3 the third teaches, of 4 to 6 the sixth."""
    players, trainer = Played(3), grpo(draw_on=9)
    lesson = trainer.lesson(0, played(trainer, players))
    assert players.rounds == [[0, 1], [2, 3], [4], [5]]
    assert len(set(players.ids)) == len(players.ids) == 12
    assert len(lesson.rows) == 4
    assert lesson.rejected == dict.fromkeys((0, 1, 3, 4), "equal rewards")
    assert lesson.metrics["groups_drawn"] == 6


def test_the_next_update_goes_on_behind_the_last_ordinal_after_a_resume_too() -> None:
    players, trainer = Played(3), grpo(draw_on=9)
    trainer.lesson(0, played(trainer, players))
    again = grpo(draw_on=9)
    again.load_state(json.loads(json.dumps(trainer.state())))
    for each in (trainer, again):
        players = Played(3)
        played(each, players, 1)
        assert players.rounds == [[6, 7], [8, 9], [10], [11]]


def test_an_update_that_was_interrupted_while_it_played_draws_the_same_again() -> None:
    trainer, first, second = grpo(draw_on=1), Played(3), Played(3)
    played(trainer, first)
    played(trainer, second)
    assert first.rounds == second.rounds == [[0, 1], [2, 3]]


def test_it_gives_up_after_so_many_rounds() -> None:
    players, trainer = Played(100), grpo(draw_on=2)
    lesson = trainer.lesson(0, played(trainer, players))
    assert players.rounds == [[0, 1], [2, 3], [4, 5]]
    assert (lesson.rows, len(lesson.rejected), trainer.num_drawn) == ([], 6, 6)


def test_without_it_an_update_draws_what_it_is_to_have_and_may_be_played_ahead() -> None:
    players, trainer = Played(3), grpo()
    lesson = trainer.lesson(1, played(trainer, players, 1))
    assert players.rounds == [[2, 3]]
    assert "groups_drawn" not in lesson.metrics
    assert "num_drawn" not in trainer.state()
    assert (trainer.plays_ahead, grpo(draw_on=1).plays_ahead) == (True, False)
    assert (trainer.num_played(players.draws), grpo(draw_on=3).num_played(players.draws)) == ((4, 0), (16, 0))


@pytest.mark.parametrize("make", [lambda **more: grpo(**more), lambda **more: RLOO(RLOOSettings(groups=2, **more))])
def test_groups_weigh_by_the_share_that_teaches(make: Any) -> None:
    """One of two: half as much."""
    episodes = [
        episode([reward], [[5, 9]]).model_copy(update={"ordinal": ordinal, "group_id": str(ordinal)})
        for ordinal, rewards in enumerate([(1.0, 0.0), (0.0, 0.0)])
        for reward in rewards
    ]
    plain, weighed = (make(weigh_groups=weighs).lesson(0, episodes).rows for weighs in (False, True))
    assert len(plain) == len(weighed) == 2
    for one, other in zip(plain, weighed, strict=True):
        assert list(other.advantages) == [value / 2 for value in one.advantages]


def test_what_has_no_effect_is_told() -> None:
    with pytest.raises(ValueError, match='weigh_groups has no effect with aggregation "constant"'):
        grpo(weigh_groups=True, aggregation="constant")
    with pytest.raises(ValueError, match="draw_on has no effect with mixed"):
        MixedSettings(draw_on=1)
