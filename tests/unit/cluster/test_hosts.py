"""Environments on nodes: played as elsewhere, lost with their node, made anew on another one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agentgym.cluster import hosts as cluster_hosts
from agentgym.cluster import station
from agentgym.cluster.hosts import ClusterHosts
from agentgym.errors import EnvError, UnknownIdError, UserError
from agentgym.hosts import Host
from agentgym.registry import EnvFactory
from agentgym.types import Action
from tests.kit import BELL
from tests.unit.cluster.kit import LocalCluster

ODD = str(Path(__file__).parents[1] / "hosts" / "odd.py")


@contextlib.asynccontextmanager
async def played(cluster: LocalCluster, id: str = BELL) -> AsyncIterator[ClusterHosts]:
    made = ClusterHosts(cluster, EnvFactory(id))
    try:
        yield made
    finally:
        await made.close()
        for actor in cluster.actors:
            await actor.made._made.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_hosts, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(cluster_hosts, "_PATIENCE_SECONDS", 0.5)


def node_of(host: Host) -> str:
    assert isinstance(host, cluster_hosts.ClusterHost)
    return host.post.node.id


async def all_ready(hosts: ClusterHosts, number: int) -> None:
    """Until so many nodes have imported the environment."""
    while sum(post.ready.done() for post in hosts._posts.values()) < number:
        await hosts.get_ready()
        await asyncio.sleep(0.02)


async def episode(host: Host) -> tuple[str, float]:
    seen, _ = await host.reset(3, {"task": 1})
    result = await host.step(Action.of("ding"))
    return str(seen), float(result.reward)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_an_episode_is_the_one_that_is_played_here() -> None:
    async def work() -> None:
        from agentgym.hosts import make_hosts

        here = make_hosts("loop", EnvFactory(BELL))
        async with played(LocalCluster("a")) as there:
            host, other = await there.open(), await here.open()
            assert (host.name, host.instructions, host.max_turns) == (other.name, other.instructions, other.max_turns)
            assert await host.tasks("train") == await other.tasks("train")
            assert await episode(host) == await episode(other)
            mark = await host.save()
            assert (await host.load(mark))[0] == (await other.load(await other.save()))[0]
            await host.close()

    run(work)


def test_the_node_with_the_least_to_do_is_next_and_a_new_one_at_once() -> None:
    async def work() -> None:
        cluster = LocalCluster("a", "b")
        async with played(cluster) as hosts:
            await all_ready(hosts, 2)
            opened = [await hosts.open() for _ in range(4)]
            assert sorted(map(node_of, opened)) == ["a", "a", "b", "b"]
            cluster.addresses.append("c")
            await all_ready(hosts, 3)
            assert node_of(await hosts.open()) == "c"

    run(work)


def test_with_its_node_an_environment_is_lost_and_the_next_is_elsewhere() -> None:
    async def work() -> None:
        cluster = LocalCluster("a", "b")
        async with played(cluster) as hosts:
            host = await hosts.open()
            await host.reset(0, {"task": 1})
            step = asyncio.ensure_future(host.step(Action.of("x")))
            cluster.lose(lost := node_of(host))
            with pytest.raises(EnvError, match=rf"on node {lost} was lost with its node.*task 1, seed 0"):
                await step
            with pytest.raises(EnvError, match="was given up"):
                await host.step(Action.of("x"))
            host.kill()
            await host.close()
            assert {node_of(await hosts.open()) for _ in range(2)} == {"ab".replace(lost, "")}

    run(work)


def test_a_station_that_is_lost_alone_is_made_anew() -> None:
    async def work() -> None:
        cluster = LocalCluster("a")
        async with played(cluster) as hosts:
            host, idle = await hosts.open(), await hosts.open()
            cluster.actors[0].lose()
            assert await hosts.keeps(idle)  # nobody knows yet
            with pytest.raises(EnvError, match="was lost with its node"):
                await host.reset(0, None)
            assert not await hosts.keeps(idle)
            await asyncio.sleep(0.02)
            assert node_of(await hosts.open()) == "a"
            assert len(cluster.actors) == 2

    run(work)


def test_without_a_node_it_is_told() -> None:
    async def work() -> None:
        cluster = LocalCluster()
        async with played(cluster) as hosts:
            with pytest.raises(EnvError, match="the cluster has no node that answers"):
                await hosts.open()
            cluster.answers = False
            with pytest.raises(EnvError, match="the cluster has no node that answers"):
                await hosts.open()

    run(work)


def test_a_process_that_dies_is_told_with_what_it_printed() -> None:
    async def work() -> None:
        async with played(LocalCluster("a"), f"{ODD}:Trouble") as hosts:
            host = await hosts.open()
            await host.reset(0, None)
            with pytest.raises(
                EnvError, match=r"on node a left with exit code 7.*leave 7(.|\n)*goodbye, said with code 7"
            ):
                await host.step(Action.of("leave 7"))

    run(work)


def test_what_cannot_be_made_is_told_once() -> None:
    async def work() -> None:
        async with played(LocalCluster("a"), "nowhere") as hosts:
            with pytest.raises(UnknownIdError, match="nowhere"):
                await hosts.open()

    run(work)


def test_another_version_on_a_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "VERSION", "0.0.1")

    async def work() -> None:
        async with played(LocalCluster("a")) as hosts:
            with pytest.raises(UserError, match=r"node a has agentgym 0\.0\.1, this one .*; install the same version"):
                await hosts.open()

    run(work)


def test_a_killed_environment_is_gone_there_too() -> None:
    async def work() -> None:
        cluster = LocalCluster("a")
        async with played(cluster) as hosts:
            host = await hosts.open()
            host.kill()
            await asyncio.sleep(0.01)
            assert cluster.actors[0].made._hosts == {}
            assert next(iter(hosts._posts.values())).num_hosts == 0

    run(work)


def test_an_idle_one_moves_to_a_node_that_has_less_to_do() -> None:
    async def work() -> None:
        cluster = LocalCluster("a")
        async with played(cluster) as hosts:
            opened = [await hosts.open() for _ in range(4)]
            assert all([await hosts.keeps(host) for host in opened])
            cluster.addresses.append("b")
            await all_ready(hosts, 2)
            for _ in range(2):
                assert not await hosts.keeps(opened[0])
                await opened.pop(0).close()
                opened.append(await hosts.open())
            assert sorted(map(node_of, opened)) == ["a", "a", "b", "b"]
            assert all([await hosts.keeps(host) for host in opened])
            cluster.lose("b")
            await asyncio.sleep(0.02)
            assert [await hosts.keeps(host) for host in opened] == [True, True, False, False]

    run(work)


def test_one_whose_making_is_given_up_is_no_load() -> None:
    async def work() -> None:
        async with played(LocalCluster("a")) as hosts:
            await all_ready(hosts, 1)
            opening = asyncio.ensure_future(hosts.open())
            (post,) = hosts._posts.values()
            while not post.num_hosts:
                await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            assert post.num_hosts == 0

    run(work)
