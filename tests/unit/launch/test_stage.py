"""What all stages share: a clock, a state, an archive, and what is done about a lost best policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentgym.launch.stage import Clock, Stage, Workbench
from agentgym.types import StopReason
from tests.kit import episode
from tests.unit.launch.kit import mark, marked, workbench


class Plain(Stage):
    """Does nothing, by the name of ``plain``."""

    name = "plain"

    async def run(self, pause: Callable[[], None]) -> None: ...


class Turning:
    """In place of a loop."""

    def __init__(self) -> None:
        self.is_whole, self.closed = True, 0

    async def close(self) -> None:
        self.closed += 1


def with_loop(bench: Workbench) -> tuple[Plain, Turning]:
    stage, loop = Plain(bench), Turning()
    stage.loop = loop  # type: ignore[assignment]
    return stage, loop


def test_a_clock_counts_what_was_spent_before_and_leaves_the_rest_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("agentgym.launch.stage.time.monotonic", lambda: now[0])
    clock = Clock()
    now[0] = 1003.0
    assert clock.elapsed == 3.0
    clock.go_on_from(40.0)
    now[0] = 1005.5
    assert clock.elapsed == 42.5


def test_where_a_stage_stands_is_its_state(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    one, other = Plain(bench), Plain(bench)
    one.at = 3
    assert one.state() == {"at": 3}
    other.load_state(one.state())
    assert other.at == 3


def test_a_stage_is_whole_where_its_loop_is_and_closes_it(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    assert Plain(bench).is_whole
    asyncio.run(Plain(bench).close())
    stage, loop = with_loop(bench)
    found = [stage.is_whole]
    loop.is_whole = False
    assert [*found, stage.is_whole] == [True, False]
    asyncio.run(stage.close())
    assert loop.closed == 1


@pytest.mark.parametrize(("share", "whole", "num"), [(0.0, False, 1), (0.0, True, 3), (1.0, False, 3)])
def test_as_many_are_kept_as_the_settings_say_and_all_that_broke(
    share: float, whole: bool, num: int, tmp_path: Path
) -> None:
    bench = workbench(tmp_path, archive={"keep": share})
    episodes = [episode(0.0, group_id=f"g{place}", episode_id=f"e{place}") for place in range(2)]
    broken = episode(0.0, group_id="g2", episode_id="e2", stop=StopReason.ENV_ERROR)
    Plain(bench).keep([*episodes, broken], update=7, all_of_them=whole)
    kept = list(bench.run.episodes.episodes())
    assert [each.episode_id for each in kept] == ["e0", "e1", "e2"][3 - num :]
    assert {(each.stage, each.update) for each in kept} == {("plain", 7)}
    assert episodes[0].stage == ""  # those that are learned from stay as they were


def test_the_policy_that_is_loaded_takes_the_place_of_a_lost_one_under_its_number(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    mark(bench.parts.policy.module, 4.0)
    stage = Plain(bench)
    stage.at = 9
    stage.lose_best()
    assert bench.kept.name == "000000"
    bench.report["best_update"] = 6
    stage.lose_best()
    assert bench.kept.name == "000006"
    mark(bench.parts.policy.module, 5.0)
    bench.kept.restore(bench.parts.policy)
    assert marked(bench.parts.policy.module) == 4.0


def test_nothing_happens_before_a_stage_is_opened(tmp_path: Path) -> None:
    bench: Any = workbench(tmp_path)
    stage = Plain(bench)
    stage.open()
    assert (stage.at, stage.loop) == (0, None)
