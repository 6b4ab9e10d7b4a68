"""What the loop does with every update: in which order, with which weights, and what it says of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Outcome as Became
from agentgym.errors import NonFiniteError
from agentgym.learn.learner import Learner
from agentgym.learn.loop import Loop, summary
from agentgym.learn.players import Players
from agentgym.learn.trainer import Equipment, Lesson
from agentgym.rollout import EpisodeSpec, Limits
from agentgym.types import StopReason, Trajectory, Turn
from tests.kit import chat, episode, row, sample, until
from tests.unit.launch.kit import Listening, Pupil, Stand, a_policy, mark

SAMPLED = sample([[5, 6], [7]])
"""Tokens 1 5 6 2 7, of which 5, 6 and 7 are the policy's."""


class Heard(Uniform):
    """Remembers what it learned, which is its state."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(range(40), seed=0)
        self.log, self.outcomes = log, list[Became]()
        self.level = 1

    def learn(self, outcomes: Sequence[Became]) -> None:
        self.log.append("curriculum")
        self.outcomes += outcomes

    def state(self) -> dict[str, Any]:
        return {"level": self.level}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.level = state["level"]


class Bench:
    """A loop of hand-made parts."""

    def __init__(self, *episodes: Trajectory, scheduler: Any = None) -> None:
        self.log: list[str] = []
        self.engine = Listening(self.log)
        self.episodes = list(episodes) or [played(0)]
        self.trainer = Pupil(self.log)
        self.draws = Heard(self.log)
        self.learner = Learner(a_policy().module, learning_rate=1e-3)
        rollout: Any = Stand(self.engine, lambda spec: self.episodes[0])
        players = Players(rollout, self.engine, self.draws, limits=Limits())
        make: Any = None
        self.trainer.prepare(Equipment(self.learner, make, make, chat(), 1.0))
        self.loop = self.another(players, scheduler)

    def another(self, players: Players, scheduler: Any = None) -> Loop:
        beat = lambda: self.log.append("beat")  # noqa: E731
        return Loop(self.trainer, self.learner, players, self.engine, scheduler=scheduler, beat=beat)

    def update(self, number: int) -> Any:
        return asyncio.run(self.loop.update(number))


class Given(Bench):
    """The episodes are given, whatever the trainer asks for."""

    def __init__(self, *episodes: Trajectory) -> None:
        super().__init__(*episodes)

        async def play(update: int, players: Players) -> list[Trajectory]:
            await players.before_policy()
            return self.episodes

        self.trainer.play = play  # type: ignore[method-assign]


class Ahead:
    """In place of a scheduler."""

    def __init__(self, log: list[str], *episodes: Trajectory) -> None:
        self.log, self.episodes, self.loaded = log, list(episodes), dict[str, Any]()

    def admit(self, version: int) -> None:
        self.log.append(f"admit {version}")

    async def take(self, update: int) -> list[Trajectory]:
        self.log.append(f"take {update}")
        return self.episodes

    def settle(self) -> None:
        self.log.append("settle")

    async def close(self) -> None:
        self.log.append("close scheduler")

    def state(self) -> dict[str, Any]:
        return {"num_begun": 4}

    def load_state(self, state: dict[str, Any]) -> None:
        self.loaded = state


def played(ordinal: int | None = 0, *rewards: float, **changes: Any) -> Trajectory:
    return episode(*(rewards or (0.0, 1.0)), ordinal=ordinal, **{"samples": [SAMPLED], **changes})


def ahead(*episodes: Trajectory) -> Bench:
    bench = Bench()
    bench.loop.scheduler = Ahead(bench.log, *(episodes or (played(0),)))  # type: ignore[assignment]
    return bench


# -- in which order --------------------------------------------------------------------------------------


def test_the_weights_are_published_before_the_policy_plays_and_the_curriculum_hears_last() -> None:
    bench = Bench()
    mark(bench.learner.module, 4.5)
    bench.update(3)
    assert bench.log == ["publish 3", "play train", "beat", "lesson 3", "learn 3", "curriculum", "beat"]
    assert bench.engine.published == [(3, 4.5)]


def test_what_is_played_ahead_is_admitted_with_the_new_weights_and_settled_when_it_is_learned() -> None:
    bench = ahead()
    bench.update(3)
    assert bench.log == [
        "publish 3",
        "admit 3",
        "take 3",
        "beat",
        "lesson 3",
        "learn 3",
        "settle",
        "curriculum",
        "beat",
    ]


def test_nothing_is_published_where_no_policy_plays() -> None:
    bench = Bench()

    async def play(update: int, players: Players) -> list[Trajectory]:
        return [played(0)]

    bench.trainer.play = play  # type: ignore[method-assign]
    bench.update(0)
    assert bench.engine.published == []


def test_a_version_is_published_once() -> None:
    bench = Bench()
    for version in (0, 0, 1, 1, 0):
        asyncio.run(bench.loop.publish(version))
    assert [version for version, _ in bench.engine.published] == [0, 1, 0]


def test_nothing_is_learned_from_no_rows_and_the_update_counts() -> None:
    bench = Bench()
    bench.trainer.rows = []
    outcome = bench.update(0)
    assert "learn 0" not in bench.log
    assert "loss" not in outcome.metrics
    assert outcome.metrics["informative_groups"] == 1.0
    assert [entry.fate for entry in outcome.entries] == ["trained"]


def test_an_update_is_whole_while_it_plays_and_not_after_it_learned() -> None:
    for bench, rows in ((Bench(), True), (Bench(), False)):
        bench.trainer.rows = bench.trainer.rows if rows else []
        seen: list[bool] = []
        original = bench.trainer.play

        async def play(update: int, players: Players, own: Any = original, seen: Any = seen, of: Any = bench) -> Any:
            seen.append(of.loop.is_whole)
            return await own(update, players)

        bench.trainer.play = play  # type: ignore[method-assign]
        bench.update(0)
        assert seen == [True]
        assert not bench.loop.is_whole


def test_an_update_that_learns_is_not_whole_meanwhile() -> None:
    bench, seen = Bench(), list[bool]()

    def learn(update: int, lesson: Lesson) -> dict[str, float]:
        seen.append(bench.loop.is_whole)
        return {}

    bench.trainer.learn = learn  # type: ignore[method-assign]
    bench.update(0)
    assert seen == [False]


# -- whether the engine has the weights ------------------------------------------------------------------


def test_the_gap_is_measured_on_the_first_tokens_once_after_each_publishing() -> None:
    long = sample([list(range(10, 90))])
    bench = Given(played(0, samples=[long]))
    assert "engine_gap" not in bench.update(0).metrics
    assert bench.engine.scored == []
    bench.trainer.rows = []
    asyncio.run(bench.loop.publish(1))
    (prompt,) = bench.engine.scored
    assert list(prompt.token_ids) == [1, *range(10, 73)]  # 64 of them
    gap = bench.update(1).metrics["engine_gap"]
    assert gap > 1  # the engine says that each is certain
    asyncio.run(bench.loop.publish(1))
    assert "engine_gap" not in bench.update(1).metrics
    assert len(bench.engine.scored) == 1


def test_the_tokens_are_those_of_an_episode_that_the_engine_sampled() -> None:
    expert = played(0, role="expert", samples=[sample([[9, 9]], version=-1)])
    bench = Given(expert, played(1))
    bench.update(0)
    assert bench.loop.state()["canary"] == [1, 5, 6, 2, 7]
    bench = Given(expert)
    bench.update(0)
    assert bench.loop.state()["canary"] == []


def test_with_images_all_tokens_are_kept_and_the_images() -> None:
    shown = sample([list(range(10, 90))])
    shown.media = ["digest"]
    bench = Given(played(0, samples=[shown]))
    bench.update(0)
    assert (len(bench.loop.state()["canary"]), bench.loop.state()["canary_media"]) == (81, ["digest"])


def test_without_anything_learned_the_tokens_stay_the_ones_before() -> None:
    bench = Given(played(0))
    bench.update(0)
    bench.episodes = [played(1, samples=[sample([[8]])])]
    bench.trainer.rows = []
    bench.update(1)
    assert bench.loop.state()["canary"] == [1, 5, 6, 2, 7]


# -- updates that are refused ----------------------------------------------------------------------------


def test_a_refused_update_is_told_and_its_tasks_are_rejected() -> None:
    bench = Given(played(1), played(0))
    bench.trainer.unfit, bench.trainer.rejected = {0}, {1: "equal rewards"}
    outcome = bench.update(0)
    assert outcome.metrics["refused"] == 1.0
    assert [(e.ordinal, e.fate, e.reason) for e in outcome.entries] == [
        (0, "rejected", "non-finite update"),
        (1, "rejected", "equal rewards"),
    ]


def test_the_third_refused_update_in_a_row_ends_training() -> None:
    bench = Bench()
    bench.trainer.unfit = {0, 1, 3, 4, 5}
    for number in range(5):
        assert ("refused" in bench.update(number).metrics) == (number != 2)
    with pytest.raises(NonFiniteError, match="not finite"):
        bench.update(5)


# -- what is said of it ----------------------------------------------------------------------------------


def test_each_task_has_one_entry_in_their_order_with_its_draw() -> None:
    hard = {"task": 7, "options": {"size": 3}, "level": 2.0, "strength": 0.5, "shown_turns": 0, "max_turns": 4}
    bench = Given(played(5, **hard), played(5, **hard), played(2), played(None))
    bench.trainer.rejected = {2: "void"}
    outcome = bench.update(4)
    assert [entry.model_dump() for entry in outcome.entries] == [
        {
            "ordinal": 2,
            "task": 0,
            "options": {},
            "level": None,
            "strength": 0.0,
            "shown_turns": 0,
            "max_turns": None,
            "update": 5,
            "fate": "rejected",
            "reason": "void",
        },
        {"ordinal": 5, **hard, "update": 5, "fate": "trained", "reason": ""},
    ]
    assert [(each.ordinal, list(each.rewards)) for each in bench.draws.outcomes] == [(2, [1.0]), (5, [1.0, 1.0])]
    assert (outcome.metrics["level"], outcome.metrics["strength"]) == (2.0, 0.25)
    assert outcome.trajectories == bench.episodes


def test_the_entry_has_what_was_drawn_though_some_of_the_group_played_without() -> None:
    bench = Given(played(5, strength=0.5), played(5, strength=0.0), played(2, strength=0.25), played(2, strength=0.0))
    outcome = bench.update(0)
    assert [(entry.ordinal, entry.strength) for entry in outcome.entries] == [(2, 0.25), (5, 0.5)]
    assert outcome.metrics["strength"] == 0.375


def test_success_without_augmentations_is_told_where_others_have_some() -> None:
    one, other = played(0, strength=0.5, success=True), played(0, strength=0.0, success=False)
    assert "clean_success" not in summary([other], version=0)
    assert "clean_success" not in summary([one], version=0)
    metrics = summary([one, other, played(0, strength=0.0, success=True)], version=0)
    assert [metrics["clean_success"], metrics["success"]] == pytest.approx([0.5, 2 / 3])


def test_what_the_trainer_measured_is_among_the_metrics() -> None:
    metrics = Bench().update(0).metrics
    assert (metrics["loss"], metrics["informative_groups"], metrics["success"]) == (0.5, 1.0, 0.0)
    assert {"play_seconds", "learn_seconds", "loop_lag_p99_seconds"} <= metrics.keys()
    assert all(metrics[name] >= 0 for name in ("play_seconds", "learn_seconds", "loop_lag_p99_seconds"))


def test_the_summary_by_hand() -> None:
    won = played(0, 0.0, 1.0, success=True, shaped=0.25, samples=[sample([[5, 6], [7]], version=2)])
    cut = played(1, 0.5, stop=StopReason.TURN_LIMIT, samples=[sample([[5, 6, 7, 8, 9]], version=3)])
    cut.turns.append(Turn(observation="", reply="?", error="no such action"))
    void = played(2, 9.0, 9.0, 9.0, stop=StopReason.ENV_ERROR, success=True, samples=[sample([[1]], version=0)])
    assert summary([won, cut, void], version=5) == {
        "success": 0.5,
        "reward": 0.75,  # the environment's 1 and 0.5
        "turns": 2.0,
        "environment_steps": 7.0,  # those of the void episode were made, too
        "tokens": 5.5,  # 5 and 6
        "reply_tokens": 4.0,  # 3 and 5
        "truncated": 0.5,
        "invalid": 0.5,
        "void": 1.0,
        "staleness": 2.375,  # (3 * 3 + 5 * 2) / 8
        "staleness_max": 3.0,
    }


def test_the_summary_of_nothing_is_zero() -> None:
    assert set(summary([], version=3).values()) == {0.0}


def test_the_age_of_an_experts_tokens_does_not_count() -> None:
    shown = played(0, role="expert", samples=[sample([[5, 6]], version=-1)])
    assert summary([shown, played(1, samples=[sample([[7]], version=4)])], version=4)["staleness_max"] == 0.0


# -- what a checkpoint holds -----------------------------------------------------------------------------


def test_the_position_of_a_loop_is_its_state() -> None:
    bench = ahead(played(0))
    bench.trainer.unfit = {0}
    bench.update(0)
    bench.draws.level = 7
    assert bench.loop.state() == {
        "num_refused": 1,
        "canary": [1, 5, 6, 2, 7],
        "canary_media": [],
        "curriculum": {"level": 7},
        "scheduler": {"num_begun": 4},
    }
    assert Bench().loop.state()["scheduler"] is None


def test_a_loop_goes_on_from_a_state() -> None:
    bench = ahead()
    state = {
        "num_refused": 2,
        "canary": [3, 4],
        "canary_media": ["digest"],
        "curriculum": {"level": 9},
        "scheduler": {"num_begun": 6},
    }
    bench.loop.load_state(state)
    assert bench.loop.state() == {**state, "scheduler": {"num_begun": 4}}
    scheduler: Any = bench.loop.scheduler
    assert scheduler.loaded == {"num_begun": 6}
    bench.trainer.unfit = {0}
    bench.loop.load_state({**state, "canary": [], "canary_media": []})
    with pytest.raises(NonFiniteError):
        bench.update(0)  # the third


def test_closing_stops_what_is_played_and_then_the_trainer() -> None:
    bench = ahead()
    asyncio.run(bench.loop.close())
    assert bench.log == ["close scheduler", "close"]
    plain = Bench()
    asyncio.run(plain.loop.close())
    assert plain.log == ["close"]


# -- learning in a thread --------------------------------------------------------------------------------


def test_episodes_go_on_while_the_trainer_learns() -> None:
    bench = ahead()
    may, original = threading.Event(), bench.trainer.lesson

    def lesson(update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        assert may.wait(60)
        return original(update, trajectories)

    bench.trainer.lesson = lesson  # type: ignore[method-assign]

    async def main() -> None:
        updating = asyncio.ensure_future(bench.loop.update(0))
        await until(lambda: "take 0" in bench.log)
        may.set()  # by the event loop, which is free
        await updating

    asyncio.run(main())
    assert "learn 0" in bench.log


def test_an_interruption_waits_for_what_is_being_learned_and_comes_after_it_was_counted() -> None:
    bench = ahead()
    began, may, original = threading.Event(), threading.Event(), bench.trainer.lesson
    counted: list[Any] = []

    def lesson(update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        began.set()
        assert may.wait(60)
        return original(update, trajectories)

    bench.trainer.lesson = lesson  # type: ignore[method-assign]

    async def caller() -> None:
        counted.append(await bench.loop.update(0))
        await asyncio.sleep(0)
        counted.append("went on")

    async def main() -> None:
        calling = asyncio.ensure_future(caller())
        await until(began.is_set)
        calling.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not calling.done()
        may.set()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert calling.cancelling() == 1  # of more, asyncio.run raises no KeyboardInterrupt

    asyncio.run(main())
    assert [type(each).__name__ for each in counted] == ["Outcome"]
    assert bench.log[-4:] == ["learn 0", "settle", "curriculum", "beat"]


def test_rows_that_train_nothing_are_no_lesson() -> None:
    bench = Bench()
    bench.trainer.rows = [row(4, loss_mask=[False] * 4)]
    assert "loss" not in bench.update(0).metrics


def test_the_specs_come_from_what_is_drawn() -> None:
    bench = Bench()
    (spec,) = bench.trainer.specs(2, bench.draws)
    assert isinstance(spec, EpisodeSpec)
    bench.update(2)
    rollout: Any = bench.loop.players.rollout
    assert rollout.played[0].specs == [spec]
