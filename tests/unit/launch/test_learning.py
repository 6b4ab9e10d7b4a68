"""What the learning stages choose: which weights are measured, how, when, and which policy is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentgym.launch.learning import Train
from agentgym.launch.stage import Workbench
from agentgym.launch.warming import WarmStart
from agentgym.learn.policy import load_policy
from agentgym.rollout import EpisodeSpec
from agentgym.types import StopReason, Trajectory
from tests.kit import episode
from tests.unit.launch.kit import Pupil, Still, log_of, marked, notes_of, stand_of, workbench


def nothing() -> None: ...


def ran(stage: Train | WarmStart, pause: Callable[[], None] = nothing) -> Workbench:
    stage.open()
    asyncio.run(stage.run(pause))
    return stage.bench


def warm(bench: Workbench, *, max_updates: int = 9, trainer: Pupil | None = None) -> WarmStart:
    engine: Any = bench.parts.engine
    return WarmStart(bench, "warm_start", trainer or Pupil(engine.log), max_updates)


def train(bench: Workbench, trainer: Pupil | None = None) -> Train:
    engine: Any = bench.parts.engine
    return Train(bench, trainer or Pupil(engine.log))


class Looks:
    """Episodes whose success on validation tasks is the next of ``successes`` at each look; others earn nothing."""

    def __init__(self, *looks: tuple[float, float], steps: int = 1) -> None:
        self.looks, self.steps, self.seen = looks, steps, -1

    def __call__(self, spec: EpisodeSpec) -> Trajectory:
        if spec.split != "validation":
            return episode(*[0.0] * self.steps)
        place = spec.task - 100  # type: ignore[operator]
        self.seen += place == 0
        success, reward = self.looks[self.seen]
        return episode(reward, success=place < 2 * success)


def columns(bench: Workbench, stage: str, *names: str) -> list[Any]:
    lines = [[line[name] for name in names] for line in bench.run.metrics() if line["stage"] == stage]
    return [line[0] if len(names) == 1 else tuple(line) for line in lines]


# -- training --------------------------------------------------------------------------------------------


def test_looks_come_before_every_second_update_and_at_the_end_with_the_weights_of_then(tmp_path: Path) -> None:
    bench = ran(train(workbench(tmp_path, updates=3)))
    log = [each for each in log_of(bench) if not each.startswith(("lesson", "close"))]
    assert log == [
        "open",
        *("publish 0", "play validation", "play train", "learn 0"),
        *("publish 1", "play train", "learn 1"),
        *("publish 2", "play validation", "play train", "learn 2"),
        *("publish 3", "play validation"),
    ]
    engine: Any = bench.parts.engine
    assert engine.published[1:] == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert columns(bench, "validation", "update") == [0, 2, 3]
    assert columns(bench, "train", "update") == [1, 2, 3]
    assert bench.report["stages"] == {"train": {"updates": 3, "seconds": 0.0}}


def test_a_look_is_not_taken_twice(tmp_path: Path) -> None:
    bench = ran(train(workbench(tmp_path, updates=2)))
    assert columns(bench, "validation", "update") == [0, 2]


@pytest.mark.parametrize(("given", "sampled"), [({}, [0.5] * 5), ({"temperature": 1.0}, [1.0, 1.0, 0.5, 1.0, 1.0])])
def test_validation_is_sampled_without_the_limits_of_training_or_its_rewards(
    given: dict[str, Any], sampled: list[float], tmp_path: Path
) -> None:
    """At the temperature of training, unless it is given another."""
    bench = workbench(
        tmp_path,
        updates=1,
        rollout={"max_turns": 5, "temperature": 0.5},
        eval={"episodes": 2, "validation_episodes": 2, "every": 2, **given},
    )
    ran(train(bench))
    look, update, last = stand_of(bench).played
    assert [spec.task for spec in look.specs] == [100, 101]
    assert [spec.seed for spec in look.specs] == [spec.seed for spec in last.specs]
    assert (look.limits, look.shaped) == (None, False)
    assert (update.limits, update.shaped) == (bench.parts.limits, True)
    assert (look.version, update.version, last.version) == (0, 0, 1)
    engine: Any = bench.parts.engine
    assert [asked.temperature for asked in engine.asked] == sampled


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_of_the_run_decides_what_is_looked_at(seed: int, tmp_path: Path) -> None:
    seeds = []
    for name in ("one", "other"):
        bench = workbench(tmp_path / name, updates=0, seed=seed + (name == "other"))
        ran(train(bench))
        seeds.append([spec.seed for spec in stand_of(bench).played[0].specs])
    assert not set(seeds[0]) & set(seeds[1])
    assert len(set(seeds[0])) == 2  # each task has its own


@pytest.mark.parametrize(
    ("looks", "best"),
    [
        ([(0.5, 0.0), (0.5, 0.0), (0.5, 0.0)], 0),  # the first of equals
        ([(0.0, 0.0), (0.5, 0.0), (0.5, 0.0)], 2),
        ([(0.0, 0.0), (0.5, 0.0), (1.0, 0.0)], 4),
        ([(0.5, 0.0), (0.5, 0.25), (0.5, 0.0)], 2),  # by reward, where success is the same
        ([(0.5, 0.0), (0.0, 99.0), (0.0, 99.0)], 0),  # and only there
        ([(0.0, -99.0), (0.0, -99.0), (0.0, -99.0)], 0),
        ([(0.0, 0.0), (1.0, 0.0), (0.5, 9.0)], 2),
    ],
)
def test_the_first_best_policy_is_kept_and_is_the_one_at_the_end(
    looks: list[tuple[float, float]], best: int, tmp_path: Path
) -> None:
    bench = ran(train(workbench(tmp_path, Looks(*looks), updates=4)))
    assert bench.report["best_update"] == best
    assert bench.kept.name == f"{best:06d}"
    if best:
        assert marked(bench.parts.policy.module) == best
    assert marked(load_policy(bench.run.policy, device="cpu").module) == marked(bench.parts.policy.module)
    success, reward = looks[1]
    assert columns(bench, "validation", "success", "reward")[1] == (success, reward)
    assert notes_of(bench)[1] == f"update 2: validation success {success:.3f}, reward {reward:.3f}"


def test_void_episodes_do_not_count_at_a_look(tmp_path: Path) -> None:
    def play(spec: EpisodeSpec) -> Trajectory:
        return episode(1.0, success=True, stop=StopReason.ENV_ERROR if spec.task == 101 else StopReason.TERMINATED)

    bench = ran(train(workbench(tmp_path, play, updates=0)))
    assert columns(bench, "validation", "success", "reward") == [(1.0, 1.0)]


@pytest.mark.parametrize(("most", "updates"), [(7, 3), (6, 2), (5, 2), (1, 1)])
def test_training_ends_where_its_environment_steps_are_used_up(most: int, updates: int, tmp_path: Path) -> None:
    bench = workbench(tmp_path, Looks(*[(0.0, 0.0)] * 9, steps=3), updates=5, max_environment_steps=most)
    ran(train(bench))
    assert columns(bench, "train", "update") == list(range(1, updates + 1))
    assert columns(bench, "validation", "update")[-1] == updates


@pytest.mark.parametrize(("most", "updates"), [(10, 1), (10.5, 2), (20, 2)])
def test_the_time_of_training_counts_from_its_beginning(most: float, updates: int, tmp_path: Path) -> None:
    """The warm start before it took 100 seconds, each update takes 10."""
    bench = workbench(tmp_path, updates=5, max_seconds=most)
    clock: Any = bench.clock
    clock.seconds = 100.0

    def pause() -> None:
        clock.seconds += 10

    ran(train(bench), pause)
    assert columns(bench, "train", "update") == list(range(1, updates + 1))
    assert bench.report["stages"]["train"] == {"updates": updates, "seconds": 10.0 * updates}


def test_what_is_learned_of_every_task_goes_to_the_ledger(tmp_path: Path) -> None:
    bench = workbench(tmp_path, updates=2)
    engine: Any = bench.parts.engine
    trainer = Pupil(engine.log)
    trainer.rejected = {1: "equal rewards"}
    ran(train(bench, trainer))
    assert [(e.ordinal, e.update, e.fate) for e in bench.run.ledger()] == [(0, 1, "trained"), (1, 2, "rejected")]
    assert (bench.tally.begun, bench.tally.pending) == (2, [])


def test_all_tasks_of_an_update_are_in_the_tally(tmp_path: Path) -> None:
    class Two(Pupil):
        """Plays two tasks an update."""

        def specs(self, update: int, draws: Any) -> list[EpisodeSpec]:
            return [
                EpisodeSpec(task=0, seed=0, ordinal=number, group_id=f"g{number}", episode_id=f"u{number}")
                for number in (2 * update, 2 * update + 1)
            ]

    bench = ran(train(workbench(tmp_path, updates=2), Two()))
    assert (bench.tally.begun, len(bench.run.ledger())) == (4, 4)


def test_a_run_that_learned_nothing_says_so(tmp_path: Path) -> None:
    told = "nothing was learned: in every update"
    for name, learned in (("one", {}), ("other", {"loss": 0.5})):
        trainer = Pupil()
        trainer.learn = lambda update, lesson, learned=learned: learned  # type: ignore[misc, method-assign]
        bench = ran(train(workbench(tmp_path / name, updates=1), trainer))
        assert any(note.startswith(told) for note in notes_of(bench)) == (not learned)
    assert not any(note.startswith(told) for note in notes_of(ran(train(workbench(tmp_path / "none", updates=0)))))


def test_a_run_that_learned_nothing_says_why(tmp_path: Path) -> None:
    trainer = Pupil()
    trainer.rejected = {0: "too odd", 1: "equal rewards", 2: "too odd"}
    trainer.learn = lambda update, lesson: {}  # type: ignore[method-assign]
    bench = ran(train(workbench(tmp_path, updates=3), trainer))
    assert "nothing was learned: too odd (2 groups); equal rewards (1 groups)" in notes_of(bench)


@pytest.mark.parametrize(
    ("knows", "stages", "advice"),
    [
        (False, {}, "give the environment an expert()"),
        (True, {}, "imitate the environment's expert first (--warm_start.enabled true)"),
        (True, {"warm_start": {}}, "imitate the environment's expert for longer (--warm_start.until, "),
    ],
)
def test_who_learned_nothing_is_told_of_the_expert_that_there_is(
    knows: bool, stages: dict[str, Any], advice: str, tmp_path: Path
) -> None:
    trainer = Pupil()
    trainer.rejected = {0: "equal rewards"}
    trainer.learn = lambda update, lesson: {}  # type: ignore[method-assign]
    bench = workbench(tmp_path, updates=1)
    bench.report["stages"].update(stages)
    env: Any = bench.parts.env
    env.knows = knows
    told = next(note for note in notes_of(ran(train(bench, trainer))) if note.startswith("nothing was learned: "))
    assert f"make the task easier, {advice}" in told


def test_a_run_that_learned_once_learned(tmp_path: Path) -> None:
    trainer = Pupil()
    trainer.learn = lambda update, lesson: {} if update else {"loss": 0.5}  # type: ignore[method-assign]
    bench = ran(train(workbench(tmp_path, updates=2), trainer))
    assert not any(note.startswith("nothing was learned") for note in notes_of(bench))


@pytest.mark.parametrize(("idle", "updates"), [(2, 4), (3, 8), (None, 9)])
def test_training_ends_where_nothing_can_be_learned(idle: int | None, updates: int, tmp_path: Path) -> None:
    """There is something to learn in the second update, and with more patience in the fifth."""
    trainer = Pupil()
    teach = {1, 4} if idle == 3 else {1}
    trainer.learn = lambda update, lesson: {"loss": 0.5} if update in teach else {}  # type: ignore[method-assign]
    bench = ran(train(workbench(tmp_path, updates=9, idle_updates=idle), trainer))
    assert columns(bench, "train", "update") == list(range(1, updates + 1))
    told = f"nothing was learned in the last {idle} updates, and training ends here: in every update"
    assert any(note.startswith(told) for note in notes_of(bench)) == (idle is not None)


def test_the_first_look_is_archived_whole_and_the_rest_by_the_share(tmp_path: Path) -> None:
    bench = ran(train(workbench(tmp_path, updates=2, archive={"keep": 0.0})))
    kept = [(each.stage, each.update, each.split, each.task) for each in bench.run.episodes.episodes()]
    assert kept == [("train", 0, "validation", 100), ("train", 0, "validation", 101)]


def test_episodes_are_archived_with_the_update_that_learned_from_them(tmp_path: Path) -> None:
    bench = ran(train(workbench(tmp_path, updates=1)))
    kept = [(each.stage, each.update, each.split) for each in bench.run.episodes.episodes()]
    assert kept == [("train", 0, "validation")] * 2 + [("train", 1, "")] + [("train", 1, "validation")] * 2


def test_recorded_episodes_are_not_archived_again(tmp_path: Path) -> None:
    class Recorded(Pupil):
        plays = False

    bench = ran(train(workbench(tmp_path, updates=1), Recorded()))
    assert {each.split for each in bench.run.episodes.episodes()} == {"validation"}


def test_between_two_updates_the_stage_is_whole_and_counted(tmp_path: Path) -> None:
    stage, seen = train(workbench(tmp_path, updates=2)), list[Any]()
    ran(stage, lambda: seen.append((stage.at, stage.is_whole, len(stage.bench.run.ledger()))))
    assert seen == [(1, True, 1), (2, True, 2)]
    notes: Any = stage.bench.reporter
    assert notes.begun == [("training", 2, "updates")]
    assert [(name, done) for name, done, _ in notes.advanced] == [("training", 1), ("training", 2)]


def test_a_training_stage_goes_on_from_its_state(tmp_path: Path) -> None:
    stage = train(workbench(tmp_path / "one", Looks((1.0, 0.0), (0.0, 0.0), (0.0, 0.0), steps=3), updates=3))
    seen: list[dict[str, Any]] = []
    ran(stage, lambda: seen.append(stage.state()))
    state = {key: value for key, value in seen[1].items() if key != "loop"}
    assert state == {"at": 2, "checked": 0, "began": 0.0, "best": 1.0, "steps": 6.0, "has_learned": True, "idle": 0}
    again = train(workbench(tmp_path / "other", updates=3))
    again.open()
    again.load_state({**seen[1], "began": 4.0, "checked": 2})
    assert {**again.state(), "loop": None} == {**state, "loop": None, "began": 4.0, "checked": 2}
    again.lose_best()
    assert (again.best, again.checked) == (-1.0, -1)


@pytest.mark.parametrize(
    ("mode", "staleness", "in_order"), [("async", 1, True), ("fully-async", 2, False), ("sync", None, None)]
)
def test_a_mode_decides_what_is_played_ahead(mode: str, staleness: Any, in_order: Any, tmp_path: Path) -> None:
    bench = workbench(tmp_path, updates=7, mode=mode)
    stage = train(bench)
    stage.open()
    scheduler = stage.loop.scheduler
    if scheduler is None:
        assert mode == "sync"
        return
    assert (scheduler.max_staleness, scheduler.in_order, scheduler.num_updates) == (staleness, in_order, 7)
    assert [spec.ordinal for spec in scheduler.specs(4)] == [4]
    assert asyncio.run(stand_of(bench).run(scheduler.specs(0), _silent)) != []


async def _silent(episode: Any) -> None: ...


def test_what_is_played_ahead_is_in_the_tally(tmp_path: Path) -> None:
    bench = workbench(tmp_path, updates=4, mode="async")
    seen: list[tuple[int, list[int]]] = []
    ran(train(bench), lambda: seen.append((bench.tally.begun, bench.tally.pending)))
    assert seen == [(2, [1]), (3, [2]), (4, [3]), (4, [])]


def test_the_learner_is_made_for_all_the_steps_that_there_will_be(tmp_path: Path) -> None:
    bench = workbench(tmp_path, updates=5, rollout={"temperature": 0.5})
    trainer = Pupil(epochs=2, minibatches=3, schedule="linear", learning_rate=0.25)
    stage = train(bench, trainer)
    stage.open()
    learner, equipment = stage.loop.learner, trainer.equipment
    assert (learner.temperature, learner.dump_dir) == (0.5, bench.run.directory)
    assert stage.loop.beat == bench.watchdog.beat
    assert (learner.total_updates, learner.schedule, learner.learning_rate) == (30, "linear", 0.25)
    assert learner.module is bench.parts.policy.module
    assert equipment.learner is learner
    assert equipment.tokenizer is bench.parts.policy.tokenizer
    assert (equipment.temperature, stage.loop.players.temperature) == (0.5, 0.5)
    assert stage.loop.players.limits is bench.parts.limits
    assert equipment.make_learner(bench.parts.policy.module, learning_rate=0.5).learning_rate == 0.5


def test_stages_draw_from_orders_of_their_own_that_the_seed_decides(tmp_path: Path) -> None:
    drawn = []
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        bench = workbench(tmp_path / name, updates=1, seed=seed)
        for stage in (train(bench), warm(bench)):
            stage.open()
            drawn.append([stage.loop.players.draws.draw(ordinal).task for ordinal in range(9)])
    assert drawn[:2] == drawn[4:]
    assert len({tuple(order) for order in drawn}) == 4
    assert all(sorted(order) == list(range(9)) for order in drawn)


def test_the_curriculum_of_the_settings_is_that_of_training_alone(tmp_path: Path) -> None:
    bench = workbench(tmp_path, updates=1, curriculum="frontier")
    kinds = []
    for stage in (train(bench), warm(bench)):
        stage.open()
        kinds.append(type(stage.loop.players.draws).__name__)
    assert kinds == ["Frontier", "Uniform"]


# -- the warm start --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "updates"),
    [(0.5, 4), (0.4, 4), (0.6, 6), (1.0, 6)],
)
def test_a_warm_start_ends_when_the_policy_begins_to_succeed(until: float, updates: int, tmp_path: Path) -> None:
    looks = Looks((0.0, 0.0), (0.5, 0.0), (1.0, 0.0))
    bench = workbench(tmp_path, looks, warm_start={"enabled": True, "until": until, "check_every": 2})
    ran(warm(bench))
    assert columns(bench, "warm_start", "update") == list(range(1, updates + 1))
    assert (
        columns(bench, "warm_start_validation", "update", "success") == [(2, 0.0), (4, 0.5), (6, 1.0)][: updates // 2]
    )
    seen = [0.5, 1.0][updates // 2 - 2]
    ended = f"the policy succeeds in {seen:.2f} of the validation tasks, warm_start.until is {until:g}"
    assert bench.report["stages"] == {"warm_start": {"updates": updates, "seconds": 0.0, "ended": ended}}
    assert marked(load_policy(bench.run.directory / "warm_start", device="cpu").module) == updates


@pytest.mark.parametrize(
    ("looks", "updates", "best"),
    [
        ([(0.0, 0.0)] * 9, 6, "success was 0.00 and reward 0.00"),
        (
            [(0.0, 0.1), (0.0, 0.1), (0.0, 0.2), (0.5, 0.1), (0.5, 0.2), (0.0, 0.2)],
            12,
            "success was 0.50 and reward 0.20",
        ),
    ],
)
def test_a_warm_start_ends_where_neither_success_nor_reward_rises(
    looks: list[tuple[float, float]], updates: int, best: str, tmp_path: Path
) -> None:
    bench = workbench(
        tmp_path, Looks(*looks), warm_start={"enabled": True, "until": 0.9, "check_every": 2, "patience": 2}
    )
    ran(warm(bench, max_updates=50))
    assert columns(bench, "warm_start", "update") == list(range(1, updates + 1))
    told = f"in the last 4 of them nothing rose on validation tasks; at best {best}"
    assert bench.report["stages"]["warm_start"]["ended"] == told
    assert notes_of(bench)[-1] == f"warm start: {updates} updates, 0 s; {told}"


def test_a_warm_start_ends_at_its_limit_in_any_case(tmp_path: Path) -> None:
    bench, looked = workbench(tmp_path, warm_start={"enabled": True, "check_every": 2}), list[int]()
    stage = warm(bench, max_updates=3)
    ran(stage, lambda: looked.append(stage.state()["checked"]))
    assert looked == [-1, -1, 2]
    assert columns(bench, "warm_start", "update") == [1, 2, 3]
    assert columns(bench, "warm_start_validation", "update") == [2]


def test_a_warm_start_that_was_interrupted_after_a_look_does_not_look_again(tmp_path: Path) -> None:
    bench = workbench(tmp_path, Looks((0.5, 0.5)), warm_start={"enabled": True, "until": 0.9, "check_every": 2})
    stage = warm(bench, max_updates=3)
    stage.open()
    seen = {"at": 2, "checked": 2, "best_success": 0.25, "best_reward": 0.75, "risen_at": 2}
    stage.load_state({**stage.state(), **seen})
    asyncio.run(stage.run(nothing))
    assert columns(bench, "warm_start", "update") == [3]
    assert columns(bench, "warm_start_validation", "update") == []
    state = {key: value for key, value in stage.state().items() if key in seen}
    assert state == {**seen, "at": 3}
    assert stage.ended == "it may have no more; at best success was 0.25 and reward 0.75"


def test_a_warm_start_looks_at_its_own_weights_under_the_limits_of_training(tmp_path: Path) -> None:
    bench = workbench(tmp_path, warm_start={"enabled": True, "check_every": 2}, rollout={"max_turns": 5})
    ran(warm(bench, max_updates=2))
    look = stand_of(bench).played[-1]
    assert {spec.split for spec in look.specs} == {"validation"}
    assert (look.limits, look.version, look.shaped) == (bench.parts.limits, 2, False)
    engine: Any = bench.parts.engine
    assert engine.published[-1] == (2, 2.0)
    assert {asked.temperature for asked in engine.asked} == {1.0}


def test_what_a_warm_start_left_before_an_interruption_is_replaced(tmp_path: Path) -> None:
    bench = workbench(tmp_path, warm_start={"enabled": True})
    (bench.run.directory / "warm_start").mkdir()
    (bench.run.directory / "warm_start" / "old").write_text("old")
    ran(warm(bench, max_updates=1))
    assert not (bench.run.directory / "warm_start" / "old").exists()
    assert marked(load_policy(bench.run.directory / "warm_start", device="cpu").module) == 1.0
    assert notes_of(bench) == ["warm start: 1 updates, 0 s; it may have no more"]


def test_the_imitator_is_started_before_anything_is_played(tmp_path: Path) -> None:
    bench = ran(warm(workbench(tmp_path, warm_start={"enabled": True}), max_updates=1))
    assert log_of(bench)[:2] == ["open", "publish 0"]


def test_a_warm_start_keeps_no_ledger_and_no_best(tmp_path: Path) -> None:
    bench = ran(warm(workbench(tmp_path, warm_start={"enabled": True}), max_updates=2))
    assert (bench.run.ledger(), bench.tally.begun, bench.kept.name) == ([], 0, None)


def test_seconds_are_those_since_the_stage_began(tmp_path: Path) -> None:
    bench = workbench(tmp_path, warm_start={"enabled": True})
    clock: Any = bench.clock
    assert isinstance(clock, Still)
    clock.seconds = 7.0
    stage = warm(bench, max_updates=1)
    stage.open()
    clock.seconds = 9.5
    asyncio.run(stage.run(nothing))
    assert bench.report["stages"]["warm_start"]["seconds"] == 2.5
