"""A moment is come back to, in every environment and in every place that environments run in.

An episode is played to some turn and saved, goes on in one way, is taken back, goes on in another, is taken back, and
goes on in the first way again: all that is seen is what two episodes show that are played from the start. The same on
another host, which keeps nothing and replays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from agentgym.doctor import Moment
from agentgym.doctor.playing import Case, cases_of, moment_of, random_action
from agentgym.hosts import Host, Where, make_hosts
from agentgym.registry import EnvFactory
from agentgym.snapshot import Mark
from agentgym.types import Action
from agentgym.visit import Player
from tests.contract.test_environments import what_is_missing

TURNS = 3
"""That each way goes on for."""


class Fork(NamedTuple):
    """An episode that goes on in two ways after ``path``, each played from the start."""

    case: Case
    path: list[str]
    ways: list[Way]


class Way(NamedTuple):
    actions: list[str]
    seen: list[Moment]
    digest: str
    """Of its end."""


@pytest.fixture(autouse=True)
def _installed(env_id: str) -> None:
    if missing := what_is_missing(env_id):
        pytest.skip(missing)


@pytest.mark.parametrize("where", ["loop", "threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_going_on_from_a_moment_is_going_on_from_the_start(env_id: str, where: Where) -> None:
    factory = EnvFactory(env_id)
    with Player(factory()) as player:
        forks = list(forks_of(player, cases_of(factory, 2)))
    asyncio.run(_compared(where, factory, forks))


def forks_of(player: Player, cases: Sequence[Case]) -> Iterator[Fork]:
    """Right after the reset, and later."""
    for number, case in enumerate(cases):
        path = _way(player, case, [], 4 * number, seed=number).actions
        if player.now.is_over:
            path = path[:-1]
        yield Fork(case, path, [_way(player, case, path, TURNS, seed=seed) for seed in (10, 11)])


def _way(player: Player, case: Case, path: Sequence[str], num_turns: int, *, seed: int) -> Way:
    """From the start along ``path``, and on with random actions."""
    rng, way = random.Random(seed), Way([], [], "")
    player.reset(*case)
    player.env.action_space.seed(seed)
    for action in path:
        player.step(action)
    while len(way.actions) < num_turns and not player.now.is_over:
        way.actions.append(random_action(player.env, player.now.observation, rng))
        way.seen.append(moment_of(player.step(way.actions[-1])))
    return way._replace(digest=player.save().digest)


async def _compared(where: Where, factory: EnvFactory, forks: Sequence[Fork]) -> None:
    hosts = make_hosts(where, factory)
    host, other = [await hosts.open() for _ in range(2)]
    try:
        for (task, seed), path, ways in forks:
            seen, _ = await host.reset(seed, None if task is None else {"task": task})
            for action in path:
                seen = (await host.step(Action(action))).observation
            mark, expert = await host.save(), await host.expert(seen)
            await _goes(host, ways[0])
            for way in (ways[1], ways[0]):
                assert (await host.load(mark))[0] == seen
                await _goes(host, way)
            assert await _elsewhere(other, mark, ways[1]) == (seen, expert)
            await host.forget(mark)
            assert await _elsewhere(host, mark, ways[1]) == (seen, expert)
    finally:
        for one in (host, other):
            await one.close()
        await hosts.close()


async def _elsewhere(host: Host, mark: Mark, way: Way) -> tuple[str, Action | None]:
    """Where nothing is kept; returns what is seen at the moment, and what its expert says there."""
    seen, _ = await host.load(mark)
    expert = await host.expert(seen)
    await host.load(mark)  # an expert may have changed the random numbers
    await _goes(host, way)
    return seen, expert


async def _goes(host: Host, way: Way) -> None:
    assert [moment_of(await host.step(Action(action))) for action in way.actions] == way.seen
    assert (await host.save()).digest == way.digest
