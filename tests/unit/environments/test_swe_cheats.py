"""Ways to a reward without the repair: none pays, in real containers. The repair does, and doing nothing does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentgym.environments.swe import SWE
from agentgym.environments.swe.cheats import cheats_at
from agentgym.environments.swe.tasks import Level, task_of
from agentgym.errors import UserError
from agentgym.tools import call
from agentgym.types import Action, Observation

TASK = 1_001_000
CHEATS = cheats_at(task_of(TASK, "test", "s1", 0))
NAMES = list(CHEATS)


@pytest.fixture(scope="module")
def env() -> Iterator[SWE]:
    made = SWE(reward="ratio")
    yield made
    made.close()


def played(env: SWE, actions: list[Action]) -> tuple[float, bool, dict[str, Any], list[str]]:
    total, ended = 0.0, False
    seen: list[str] = []
    info: dict[str, Any] = {}
    for action in actions:
        observation, reward, ended, _, info = env.step(action)
        total += reward
        seen.append(str(observation))
    return total, ended, info, seen


@pytest.mark.docker
@pytest.mark.parametrize("name", NAMES)
def test_no_cheat_pays(env: SWE, name: str) -> None:
    """Not even a part of the ratio, although the shell did what it was told."""
    env.reset(seed=0, options={"task": TASK})
    total, ended, info, seen = played(env, env.cheats()[name])
    assert ended
    assert (total, info["success"]) == (0.0, False), seen
    if len(seen) > 1 and name != "only look":
        assert "exit code 0" in seen[0]


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 25


@pytest.mark.docker
@pytest.mark.parametrize("level", ["s1", "s2", "s3", "s4"])
def test_the_repair_is_seen_and_paid(level: Level) -> None:
    env = SWE(level=level)
    try:
        begun, _ = env.reset(seed=0, options={"task": TASK + 7})
        seen, expert, ended, reward = Observation.of(begun), env.expert(), False, 0.0
        info: dict[str, Any] = {}
        while not ended:
            said, reward, ended, _, info = env.step(expert(seen))
            seen = Observation.of(said)
        assert (reward, info["success"]) == (1.0, True)
        assert info["channels"]["tests"] == info["channels"]["gain"] == 1.0
        assert str(seen).startswith("0 of ")
    finally:
        env.close()


@pytest.mark.docker
def test_half_the_repair_is_half_the_ratio(env: SWE) -> None:
    """At s4, where one of two bugs is taken out; nothing where the reward is binary."""
    for reward, least, most in (("ratio", 0.05, 0.95), ("binary", 0.0, 0.0)):
        env = SWE(level="s4", reward=reward)  # type: ignore[arg-type]
        env.reset(seed=0, options={"task": TASK})
        steps = env._plan()
        total, _, info, _ = played(env, [*steps[:2], steps[-1]])
        assert least <= total <= most
        assert 0 < info["channels"]["gain"] < 1
        env.close()


@pytest.mark.docker
def test_a_test_that_is_broken_counts_against_the_repair() -> None:
    env = SWE(level="s2", reward="ratio")
    env.reset(seed=0, options={"task": TASK})
    other = next(trial.module for trial in env.job.trials if not trial.failing)
    steps = env._plan()
    spoiled = f"echo 'raise ValueError' >> {env.job.package}/{other}.py"
    total, _, info, _ = played(env, [*steps[:-1], call("shell", command=spoiled), steps[-1]])
    assert not info["success"]
    assert total < 1
    env.close()


def test_outside_a_container_there_are_none() -> None:
    env = SWE(unsafe_local=True)
    env.reset(seed=0, options={"task": TASK})
    with pytest.raises(UserError, match="attack whatever they run on"):
        env.cheats()
    env.close()


def test_what_writes_to_other_processes_asks_where_it_is_and_truncates_nothing() -> None:
    command = str(CHEATS["forge the report"][0].tool_calls[0].arguments["command"])
    guard, _, guarded = command.partition('if os.path.exists("/.dockerenv") and os.getuid() != 0:')
    assert guarded.strip().startswith("_forge()")
    assert "_forge()" not in guard.replace("def _forge()", "")
    assert '"wb"' not in command
    assert "O_TRUNC" not in command
