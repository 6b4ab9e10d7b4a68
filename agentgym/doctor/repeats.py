"""The same episode again: whatever was played before, beside other instances, in threads and in processes."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from agentgym.doctor.playing import (
    SECONDS,
    Case,
    MakeEnv,
    Moment,
    Remark,
    cases_of,
    episode_of,
    expect_same,
    moment_of,
    paced,
    play,
)
from agentgym.hosts import Host, make_hosts
from agentgym.loops import run
from agentgym.registry import EnvFactory
from agentgym.types import Action
from agentgym.visit import Player

__all__ = [
    "forgets_former_episodes",
    "keeps_instances_apart",
    "repeats_by_seed",
    "repeats_in_processes",
    "repeats_in_threads",
]

Episodes: TypeAlias = dict[Case, list[tuple[str, Moment]]]


def repeats_by_seed(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 4) -> str:
    """The same task, seed and actions give the same episode, on a fresh instance and on a used one."""
    alone = _alone(make_env, episodes, seconds / 3)
    with Player(make_env()) as player:
        for case in [*alone, *reversed(alone)]:
            expect_same(list(play(player, case)), alone[case], "on an instance that played before")
    return f"{len(alone)} episodes, each on a fresh instance and twice on a used one"


def forgets_former_episodes(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 6) -> str:
    """An episode that is left in the middle, at any turn, does not show in the next one."""
    alone = _alone(make_env, episodes, seconds / 3, least=2)
    with Player(make_env()) as player:
        for number, (former, case) in enumerate(itertools.pairwise([*alone, *alone])):
            for _ in itertools.islice(play(player, former), number + 1):
                pass
            expect_same(list(play(player, case)), alone[case], f"after an episode that was left at turn {number}")
    return f"{2 * len(alone) - 1} episodes, each after another that was left in the middle"


def keeps_instances_apart(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 4) -> str:
    """Two instances that are stepped in turn play as each does alone, also when the other is closed on the way."""
    alone = _alone(make_env, episodes, seconds / 3, least=2)
    for one, other in itertools.pairwise(alone):
        mine: list[tuple[str, Moment]] = []
        its: list[tuple[str, Moment]] = []
        with Player(make_env()) as player:
            with Player(make_env()) as second:
                first_play, second_play = play(player, one), play(second, other)
                for _ in alone[other][:-1]:
                    mine.extend(itertools.islice(first_play, 1))
                    its.extend(itertools.islice(second_play, 1))
            mine.extend(first_play)
        expect_same(mine, alone[one], "beside another instance, which was closed before the end")
        expect_same(its, alone[other][:-1], "beside another instance")
    return f"{len(alone) - 1} pairs of instances, stepped in turn, one of them closed in the middle"


def repeats_in_threads(make_env: MakeEnv, seconds: float = SECONDS, /, threads: int = 8) -> str:
    """Threads that play at the same time see what one alone sees: eight, or fewer where an episode takes long."""
    started = time.perf_counter()
    alone = _alone(make_env, threads, seconds / threads, least=2)
    took = time.perf_counter() - started  # about what one thread takes
    num_threads = max(2, min(threads, round(seconds / took)))
    cases = list(alone)

    def played(shift: int) -> None:
        with Player(make_env()) as player:
            for case in cases[shift % len(cases) :] + cases[: shift % len(cases)]:
                expect_same(list(play(player, case)), alone[case], f"in one of {num_threads} threads")

    with ThreadPoolExecutor(num_threads) as pool:
        list(pool.map(played, range(num_threads)))
    return f"{len(cases)} episodes in each of {num_threads} threads"


def repeats_in_processes(make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 6) -> str:
    """Two processes that play at the same time see what is seen here, and end when they are asked to."""
    if not isinstance(make_env, EnvFactory):
        return Remark("left out: a process makes environments from an id or path, and this one is made by a function")
    if sys.platform != "linux":
        return Remark("left out: environments run in processes on Linux only")
    alone = _alone(make_env, episodes, seconds / 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # how a host tells that an environment did not close
        run(_in_processes(make_env, alone))
    return f"{len(alone)} episodes in each of 2 processes"


async def _in_processes(make_env: EnvFactory, alone: Episodes) -> None:
    hosts = make_hosts("processes", make_env)
    opened: list[Host] = []
    try:
        for _ in range(2):
            opened.append(await hosts.open())
        orders = ([*alone], [*reversed(alone)])
        await asyncio.gather(*(_in_process(host, order, alone) for host, order in zip(opened, orders, strict=True)))
    finally:
        for host in opened:
            await host.close()
        await hosts.close()


async def _in_process(host: Host, order: list[Case], alone: Mapping[Case, list[tuple[str, Moment]]]) -> None:
    for task, seed in order:
        expected = alone[task, seed]
        observation, _ = await host.reset(seed, None if task is None else {"task": task})
        seen = [("", Moment(str(observation), observation.admissible, 0.0, False, False, None))]
        for action, _ in expected[1:]:
            seen.append((action, moment_of(await host.step(Action(action)))))
        expect_same(seen, expected, "in a process")


def _alone(make_env: MakeEnv, episodes: int, seconds: float, *, least: int = 1) -> Episodes:
    """Episodes, each on a fresh instance, as many as fit into the time."""
    cases = cases_of(make_env, episodes)
    return {case: episode_of(make_env, case) for case in paced(cases, seconds, least=least)}
