"""Which episodes are played again, where, beside what, and what is closed when."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from agentgym import doctor
from agentgym.doctor import repeats
from agentgym.errors import EnvError
from agentgym.registry import EnvFactory
from agentgym.types import Observation, StepResult
from tests.unit.doctor.kit import KnowsTheSeedAgain, Result, SharesAcrossInstances, Sound, Start, written_down

FIRST, SECOND, THIRD, FOURTH = 0, 250_000, 500_000, 750_000
"""The tasks of four episodes."""


def begun(log: list[str]) -> list[str]:
    """Which instance begins what."""
    return [line for line in log if "begins" in line]


def test_every_episode_is_played_on_a_fresh_instance_and_twice_on_a_used_one() -> None:
    env, log = written_down()
    assert doctor.repeats_by_seed(env, 600.0) == "4 episodes, each on a fresh instance and twice on a used one"
    fresh = [f"{2 + i} begins {task}" for i, task in enumerate((FIRST, SECOND, THIRD, FOURTH))]
    used = [f"6 begins {task}" for task in (FIRST, SECOND, THIRD, FOURTH, FOURTH, THIRD, SECOND, FIRST)]
    assert begun(log) == fresh + used
    assert log.count("6 steps") == 8 * 4
    assert [line for line in log if "closes" in line] == [f"{i} closes" for i in range(1, 7)]


def test_an_episode_that_is_another_one_the_second_time_is_found() -> None:
    with pytest.raises(EnvError, match=r"on an instance that played before, turn 0 differs:.*\n.*welcome back"):
        doctor.repeats_by_seed(KnowsTheSeedAgain, 600.0)


def test_slow_environments_repeat_as_many_episodes_as_the_check_needs() -> None:
    assert doctor.repeats_by_seed(Sound, -1.0).startswith("1 episodes")
    assert doctor.forgets_former_episodes(Sound, -1.0).startswith("3 episodes")
    assert doctor.keeps_instances_apart(Sound, -1.0).startswith("1 pairs")
    assert doctor.repeats_in_threads(Sound, -1.0) == "2 episodes in each of 2 threads"


def test_an_episode_is_left_at_each_turn_and_the_next_one_played_to_the_end() -> None:
    env, log = written_down()
    told = doctor.forgets_former_episodes(env, 600.0, 3)
    assert told == "5 episodes, each after another that was left in the middle"
    pairs = [  # the one that is left, after how many turns, and the one that is played
        (0, 0, 333_333),
        (333_333, 1, 666_666),
        (666_666, 2, 0),
        (0, 3, 333_333),
        (333_333, 4, 666_666),
    ]
    expected = [
        line
        for left, turns, played in pairs
        for line in (f"5 begins {left}", *["5 steps"] * turns, f"5 begins {played}", *["5 steps"] * 4)
    ]
    assert [line for line in log if line.startswith("5 ")] == [*expected, "5 closes"]


def test_two_instances_take_turns_and_one_is_closed_before_the_other_ends() -> None:
    env, log = written_down()
    told = doctor.keeps_instances_apart(env, 600.0, 3)
    assert told == "2 pairs of instances, stepped in turn, one of them closed in the middle"
    first, second = log.index("5 begins 0"), log.index("7 begins 333333")
    turns = ["5 steps", "6 steps"] * 3
    assert log[first:second] == ["5 begins 0", "6 begins 333333", *turns, "6 closes", "5 steps", "5 closes"]
    turns = ["7 steps", "8 steps"] * 3
    assert log[second:] == ["7 begins 333333", "8 begins 666666", *turns, "8 closes", "7 steps", "7 closes"]


def test_what_the_other_instance_sees_is_compared_as_well() -> None:
    class SecondDiffers(Sound):
        """Of two instances that are open at the same time the later one plays another game."""

        open = 0

        def __init__(self) -> None:
            SecondDiffers.open += 1
            self.place = SecondDiffers.open

        def step(self, action: str) -> Result:
            seen, *rest = super().step(action)
            return f"{seen} {self.place}", *rest  # type: ignore[return-value]

        def close(self) -> None:
            SecondDiffers.open -= 1

    with pytest.raises(EnvError, match=r"^beside another instance, turn 1 differs"):
        doctor.keeps_instances_apart(SecondDiffers, 600.0)


def test_threads_play_at_the_same_time_each_from_another_episode_on() -> None:
    both = threading.Barrier(2, timeout=60.0)
    orders: dict[int, list[int]] = defaultdict(list)

    class Meets(Sound):
        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            if threading.current_thread() is not threading.main_thread():
                orders[threading.get_ident()].append(self.seed)
                both.wait()
            return super().reset(seed=seed)

    assert doctor.repeats_in_threads(Meets, -1.0) == "2 episodes in each of 2 threads"
    assert sorted(orders.values()) == [[0, 125_000], [125_000, 0]]


def test_as_many_threads_as_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    class Slow(Sound):
        """An episode takes a second, in the main thread."""

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            clock[0] += threading.current_thread() is threading.main_thread()
            return super().reset(seed=seed)

    # Eight, or what fits into an eighth of the time: that many are played alone, and as often as that fits.
    assert doctor.repeats_in_threads(Slow, 100.0) == "8 episodes in each of 8 threads"
    assert doctor.repeats_in_threads(Slow, 16.0) == "3 episodes in each of 5 threads"
    assert doctor.repeats_in_threads(Slow, 4.0) == "2 episodes in each of 2 threads"
    assert doctor.repeats_in_threads(Slow, 100.0, 3) == "3 episodes in each of 3 threads"


def test_a_third_of_the_time_is_for_what_is_played_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    class Slow(Sound):
        """An episode takes a second."""

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            clock[0] += 1.0
            return super().reset(seed=seed)

    # three seconds, and the one that has begun by then
    assert doctor.repeats_by_seed(Slow, 9.0, 20).startswith("4 episodes")
    assert doctor.forgets_former_episodes(Slow, 9.0, 20).startswith("7 episodes")
    assert doctor.keeps_instances_apart(Slow, 9.0, 20).startswith("3 pairs")


def test_what_one_thread_sees_of_another_is_found() -> None:
    with pytest.raises(EnvError, match=r"^in one of \d threads, turn 1 differs"):
        doctor.repeats_in_threads(SharesAcrossInstances, 600.0)


# -- processes ----------------------------------------------------------------------------------------------


def test_what_a_function_makes_is_not_tried_in_processes() -> None:
    found = doctor.repeats_in_processes(Sound)
    assert isinstance(found, doctor.Remark)
    assert found.startswith("left out: ")


SMALL = """
import os
import agentgym
MAIN = {main}
@agentgym.register
class {name}(agentgym.Env):
    def reset(self, *, seed=None, options=None):
        return f'{{seed}} {{MAIN and os.getpid() != MAIN}}', {{}}
    def step(self, action):
        return action, 1.0, True, False, {{}}
"""


def small(tmp_path: Path, name: str, main: int = 0) -> EnvFactory:
    """An environment in a file, which plays another game outside of the process ``main``."""
    file = tmp_path / f"{name.lower()}.py"
    file.write_text(SMALL.format(main=main, name=name))
    return EnvFactory(str(file))


def test_elsewhere_than_on_linux_nothing_is_tried_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    found = doctor.repeats_in_processes(small(tmp_path, "Elsewhere"))
    assert isinstance(found, doctor.Remark)
    assert found == "left out: environments run in processes on Linux only"


def test_processes_see_what_is_seen_here(tmp_path: Path) -> None:
    assert doctor.repeats_in_processes(small(tmp_path, "Counts")) == "6 episodes in each of 2 processes"


def test_an_environment_that_knows_its_process_is_found(tmp_path: Path) -> None:
    with pytest.raises(EnvError, match=r"^in a process, turn 0 differs"):
        doctor.repeats_in_processes(small(tmp_path, "KnowsItsProcess", os.getpid()))


class Hosts:
    """Two hosts at most, which play ``Sound`` in this process and write down what they are asked for."""

    def __init__(self, *, refuse: int = 9, warn: str = "", lie: float = 0.5) -> None:
        self.refuse, self.warn, self.lie = refuse, warn, lie
        self.log: list[str] = []
        self.opened = 0

    async def open(self) -> Any:
        self.opened += 1
        if self.opened == self.refuse:
            raise EnvError("no more processes")
        return Played(self, self.opened)

    async def close(self) -> None:
        self.log.append("all close")


class Played:
    def __init__(self, hosts: Hosts, number: int) -> None:
        self.hosts, self.number, self.env, self.turns = hosts, number, Sound(), itertools.count(1)

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        self.hosts.log.append(f"{self.number} begins {options} {seed}")
        await asyncio.sleep(0)
        observation, info = self.env.reset(seed=seed, options=options)
        return Observation.of(observation), info

    async def step(self, action: str) -> StepResult:
        await asyncio.sleep(0)
        result: StepResult = self.env.step(action)  # type: ignore[assignment]
        return result._replace(reward=self.hosts.lie) if next(self.turns) == 4 else result

    async def close(self) -> None:
        self.hosts.log.append(f"{self.number} closes")
        if self.hosts.warn:
            warnings.warn(self.hosts.warn, RuntimeWarning, stacklevel=1)


def in_hosts(hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, episodes: int = 2) -> str:
    """The check of ``Sound`` where processes are these hosts."""
    asked: list[Any] = []

    def make_hosts(*given: Any) -> Hosts:
        asked.append(given)
        return hosts

    monkeypatch.setattr(repeats, "make_hosts", make_hosts)
    factory = small(tmp_path, "Stands")
    monkeypatch.setattr(EnvFactory, "__call__", lambda self: Sound())
    try:
        return doctor.repeats_in_processes(factory, 600.0, episodes)
    finally:
        assert asked == [("processes", factory)]


def test_two_processes_play_at_the_same_time_in_opposite_orders_and_are_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hosts = Hosts()
    assert in_hosts(hosts, monkeypatch, tmp_path) == "2 episodes in each of 2 processes"
    assert hosts.log == [
        "1 begins {'task': 0} 100",
        "2 begins {'task': 500000} 101",
        "1 begins {'task': 500000} 101",
        "2 begins {'task': 0} 100",
        "1 closes",
        "2 closes",
        "all close",
    ]


def test_the_last_turn_in_a_process_is_compared_and_its_hosts_are_closed_nevertheless(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hosts = Hosts(lie=0.75)
    with pytest.raises(EnvError, match=r"^in a process, turn 4 differs"):
        in_hosts(hosts, monkeypatch, tmp_path)
    assert hosts.log[-3:] == ["1 closes", "2 closes", "all close"]


def test_a_process_that_does_not_start_leaves_no_other_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hosts = Hosts(refuse=2)
    with pytest.raises(EnvError, match="no more processes"):
        in_hosts(hosts, monkeypatch, tmp_path)
    assert hosts.log == ["1 closes", "all close"]


def test_an_environment_that_does_not_close_in_a_process_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeWarning, match="did not close"):
        in_hosts(Hosts(warn="did not close"), monkeypatch, tmp_path)
