"""Runs compared on the same tasks: by hand-made episodes, and how often an interval holds the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agentgym.archive import Archive
from agentgym.errors import UserError
from agentgym.launch.comparing import compare, successes
from agentgym.launch.intervals import paired
from agentgym.types import StopReason, Trajectory
from tests.kit import episode
from tests.typed import Typed, agentgym  # noqa: F401


def played(how: str, task: int, success: bool, stage: str = "after", **more: object) -> Trajectory:
    made = episode(float(success), episode_id=f"{how}-{stage}-{task}-{len(more)}-{success}")
    about = {"task": task, "success": success, "stage": stage, "group_id": f"{how}-{task}", **more}
    return made.model_copy(update=about)


def a_run(at: Path, solved: Sequence[bool], *, seed: int = 0, greedy: Sequence[bool] = (), **config: object) -> Path:
    """A finished run that solved some of its test tasks."""
    episodes = [played("sampled", task, success) for task, success in enumerate(solved)]
    episodes += [played("greedy", task, success) for task, success in enumerate(greedy)]
    with_archive(at, [*episodes, played("sampled", 0, True, stage="before")])
    (at / "config.json").write_text(json.dumps({"seed": seed, "output": str(at), **config}))
    return at


def with_archive(at: Path, episodes: Sequence[Trajectory]) -> Path:
    at.mkdir()
    archive = Archive(at)
    archive.append(episodes)
    archive.close()
    return at


def test_two_runs_are_compared_task_by_task(tmp_path: Path) -> None:
    """Six tasks: the second wins two that the first lost and loses one."""
    was, now = [True, False, False, False, True, True], [True, True, True, False, False, True]
    first = a_run(tmp_path / "a", was, greedy=[True, True])
    second = a_run(tmp_path / "b", now, greedy=[False, True])
    sampled, greedy = compare([first], [second])
    low, high = paired(was, now)
    assert (sampled.how, sampled.tasks, sampled.difference) == ("sampled", 6, round(1 / 6, 4))
    assert sampled.ci95 == (round(float(low), 4), round(float(high), 4))
    assert (sampled.first.success, sampled.second.success) == ([0.5], [round(4 / 6, 4)])
    assert (greedy.how, greedy.tasks, greedy.difference) == ("greedy", 2, -0.5)


def test_what_one_of_them_did_not_play_does_not_count(tmp_path: Path) -> None:
    first = a_run(tmp_path / "a", [True, False, True, True])
    second = with_archive(tmp_path / "b", [played("sampled", task, False) for task in (1, 3, 9)])
    (second / "config.json").write_text('{"seed": 0}')
    (found,) = compare([first], [second])
    assert (found.tasks, found.difference) == (2, -0.5)


def test_void_episodes_do_not_count_and_several_of_a_task_are_averaged(tmp_path: Path) -> None:
    episodes = [played("evaluate", 0, True), played("evaluate", 0, False, update=1), played("evaluate", 1, True)]
    episodes.append(played("evaluate", 1, False, stop_reason=StopReason.ENV_ERROR, update=1))
    assert successes(with_archive(tmp_path / "played", episodes)) == {"all": {0: 0.5, 1: 1.0}}


def test_several_seeds_are_compared_seed_by_seed_whatever_their_order(tmp_path: Path) -> None:
    """Seeds differ by far more than the sides do, which only pairs can show."""
    rng = np.random.default_rng(0)
    shares = {1: 0.2, 2: 0.5, 3: 0.8}
    was = {seed: rng.random(200) < share for seed, share in shares.items()}
    now = {seed: own | (rng.random(200) < 0.2) for seed, own in was.items()}
    first = [a_run(tmp_path / f"a{seed}", was[seed].tolist(), seed=seed) for seed in (1, 2, 3)]
    second = [a_run(tmp_path / f"b{seed}", now[seed].tolist(), seed=seed) for seed in (3, 1, 2)]
    (found,) = compare(first, second)
    assert found.by_seed
    assert found.ci95[0] > 0.03
    assert found.second.success == pytest.approx([now[seed].mean() for seed in (1, 2, 3)], abs=1e-4)
    (apart,) = compare(first[:2], second)
    assert not apart.by_seed


def test_the_interval_over_runs_and_tasks_is_that_of_a_slow_count(tmp_path: Path) -> None:
    """Two runs against two and one task: of the 16 equally likely draws of runs, the differences are counted."""
    first = [a_run(tmp_path / f"a{seed}", [bool(seed)], seed=seed) for seed in (0, 1)]
    second = [a_run(tmp_path / f"b{seed}", [True], seed=seed + 5) for seed in (0, 1)]
    (found,) = compare(first, second)
    assert found.difference == 0.5
    assert found.ci95 == (0.0, 1.0)  # a quarter of the draws each
    assert not found.by_seed


def test_tasks_are_drawn_anew_too(tmp_path: Path) -> None:
    """Runs of a side that are alike: of two tasks the second solves one, which a quarter of the draws has not."""
    first = [a_run(tmp_path / f"a{seed}", [False, False], seed=seed) for seed in (0, 1)]
    second = [a_run(tmp_path / f"b{seed}", [True, False], seed=seed) for seed in (0, 1)]
    (found,) = compare(first, second)
    assert (found.difference, found.ci95) == (0.5, (0.0, 1.0))


def test_settings_that_differ_are_told(tmp_path: Path) -> None:
    first = a_run(tmp_path / "a", [True], trainer={"id": "grpo"}, seed=1)
    second = a_run(tmp_path / "b", [True], trainer={"id": "rloo"}, seed=2)
    (found,) = compare([first], [second])
    assert found.differences == [f'{first}: trainer.id "grpo"', f'{second}: trainer.id "rloo"']


def test_runs_of_other_tasks_are_refused(tmp_path: Path) -> None:
    first = a_run(tmp_path / "a", [True])
    second = with_archive(tmp_path / "b", [played("sampled", 7, True)])
    (second / "config.json").write_text('{"seed": 0}')
    with pytest.raises(UserError, match="no task in common"):
        compare([first], [second])


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    first = a_run(tmp_path / "a", [True])
    second = with_archive(tmp_path / "b", [played("sampled", 0, True, stage="before")])
    (second / "config.json").write_text('{"seed": 0}')
    with pytest.raises(UserError, match=r"nothing to compare: .*b: nothing"):
        compare([first], [second])


def test_it_is_typed_with_two_dashes_between_the_sides(agentgym: Typed, tmp_path: Path) -> None:  # noqa: F811
    for name, share in (("a", 2), ("b", 3), ("c", 4)):
        a_run(tmp_path / name, [task % share == 0 for task in range(8)], seed=share)
    sides = [str(tmp_path / name) for name in "abc"]
    code, out, _ = agentgym("compare", *sides[:2], "--", sides[2], "--json", "found.json")
    assert code == 0
    assert "0.500 0.375" in out
    (found,) = json.loads(Path("found.json").read_text())
    assert (found["first"]["runs"], found["second"]["runs"]) == (sides[:2], sides[2:])
    code, out, _ = agentgym("compare", *sides[:2])
    assert code == 0
    assert "-0.125" in out
    code, _, errors = agentgym("compare", *sides)
    assert code == 2
    assert "found 3 runs and no --; type: agentgym compare RUN_A… -- RUN_B…" in errors
