"""The clock of the wall may jump, as it does when it is set or a summer ends: nothing but records depends on it."""

from __future__ import annotations

import ast
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import EnvError
from agentgym.launch import train
from agentgym.rollout.deadline import in_time
from tests.integration.test_resume import assert_same_run
from tests.kit import BELL, ROOT

SETTINGS: dict[str, Any] = {
    "env": BELL,
    "model": {"id": "nano", "width": 32, "feed_forward": 32},
    "trainer": {"id": "grpo", "groups": 2, "group_size": 2},
    "rollout": {"max_reply_tokens": 3, "step_seconds": 60.0, "episode_seconds": 60.0},
    "warm_start": {"max_updates": 1, "check_every": 1},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 1},
    "updates": 2,
    "max_seconds": 600.0,
    "watchdog_seconds": 600.0,
    "checkpoint_seconds": 600.0,
}
HOUR = 3600.0
RECORDS = {("agentgym/run.py", "time.time"), ("agentgym/viewer/runs.py", "time.time")}
"""When a line was written, and whether that is lately."""
WALLS = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "datetime.today",
}


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Each look at the clock is hours before or after the one before."""
    real, looks = time.time, list[float]()

    def jumped() -> float:
        looks.append(real() + (-1) ** len(looks) * HOUR * (1 + len(looks) % 24))
        return looks[-1]

    monkeypatch.setattr(time, "time", jumped)
    return looks


@pytest.mark.slow
def test_a_run_whose_clock_jumps_is_the_same_run(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    whole = train({**SETTINGS, "output": tmp_path / "whole"})
    looks = request.getfixturevalue("jumping")
    run = train({**SETTINGS, "output": tmp_path / "run"})
    assert len(looks) > 2  # its lines have their times from it
    assert_same_run(run, whole)


@pytest.mark.usefixtures("jumping")
def test_deadlines_go_by_another_clock() -> None:
    async def main() -> None:
        assert await in_time(asyncio.sleep(0, "done"), HOUR / 2, "it") == "done"
        with pytest.raises(EnvError, match="took longer"):
            await in_time(asyncio.sleep(HOUR), 0.01, "it")

    asyncio.run(main())


def test_nothing_but_records_asks_the_wall() -> None:
    found = {
        (file.relative_to(ROOT).as_posix(), name)
        for file in (ROOT / "agentgym").rglob("*.py")
        for name in walls(ast.parse(file.read_text()))
    }
    assert found == RECORDS


def walls(tree: ast.AST) -> Iterator[str]:
    """Calls of a clock of the wall, by their last two names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if f"{owner}.{node.attr}" in WALLS:
                yield f"{owner}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{alias.name}" for alias in node.names if f"time.{alias.name}" in WALLS)


def test_the_search_finds_them() -> None:
    text = "import time\nfrom time import time_ns\nx = time.time() - datetime.datetime.now()\ny = time.monotonic()"
    assert set(walls(ast.parse(text))) == {"time.time", "time.time_ns", "datetime.now"}
