"""Engines on nodes: they say what one here says, and an episode does not know of one that is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.cluster import engine as cluster_engine
from agentgym.cluster import replica
from agentgym.cluster.engine import ClusterEngine
from agentgym.cluster.settings import ClusterSettings
from agentgym.config import Choice
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import ConfigError, EngineError, UserError
from agentgym.weights import weights_of
from tests.kit import one_thread, tiny_model
from tests.unit.cluster.kit import LocalCluster

__all__ = ["one_thread"]

PROMPT = Prompt(list(range(1, 20)))


def asked(seed: int) -> Sampling:
    return Sampling(max_tokens=8, seed=seed)


@contextlib.asynccontextmanager
async def started(
    cluster: LocalCluster, *, engines: int = 1, id: str = "embedded", model: Any = None, **options: Any
) -> AsyncIterator[ClusterEngine]:
    settings = ClusterSettings(id="ray", engines=engines)
    choice = Choice.model_validate({"id": id, "max_sessions": 4, **options})
    engine = ClusterEngine(cluster, choice, model or tiny_model(), settings, threads=1)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


async def alone(model: Any, seed: int) -> Completion:
    return await EmbeddedEngine(model).generate(PROMPT, asked(seed), session="s")


def test_it_says_what_one_here_says() -> None:
    async def work() -> None:
        here = EmbeddedEngine(tiny_model())
        async with started(LocalCluster("a", "b"), engines=2) as engine:
            assert (engine.max_context, engine.supports_seeds) == (here.max_context, True)
            for seed in range(4):
                assert await engine.generate(PROMPT, asked(seed), session=f"{seed}") == await alone(tiny_model(), seed)
            assert await engine.score(PROMPT) == await here.score(PROMPT)
            assert await engine.outlooks(PROMPT, 2) == await here.outlooks(PROMPT, 2)

    run(work)


def test_all_take_up_new_weights_and_say_so() -> None:
    async def work() -> None:
        async with started(LocalCluster("a", "b"), engines=2) as engine:
            await engine.generate(PROMPT, asked(0), session="before")
            await engine.update_weights(3, weights_of(tiny_model(1)))
            assert not any(engine._router._known.values())  # what was computed is of no use
            expected = await alone(tiny_model(1), 5)
            for session in "stuv":
                said = await engine.generate(PROMPT, asked(5), session=session)
                assert (said.token_ids, said.policy_versions) == (expected.token_ids, [3] * len(said.token_ids))

    run(work)


def test_one_that_is_lost_is_asked_no_more_and_made_anew_with_the_weights_of_the_day() -> None:
    async def work() -> None:
        cluster = LocalCluster("a", "b")
        async with started(cluster, engines=2) as engine:
            await engine.update_weights(2, weights_of(tiny_model(1)))
            saying = asyncio.ensure_future(engine.generate(PROMPT, asked(5), session="s"))
            await asyncio.sleep(0)
            place = engine._router.where("s")
            assert isinstance(place, int)
            engine._actors[place].lose()
            said = await saying
            assert said.token_ids == (await alone(tiny_model(1), 5)).token_ids
            assert said.policy_versions[0] == 2
            for _ in range(500):
                if len(engine._actors) == 2:
                    break
                await asyncio.sleep(0.01)
            assert sorted(engine._router.sessions) == sorted(engine._actors)
            assert {actor.made._engine.policy_version for actor in engine._actors.values()} == {2}
            assert len(cluster.actors) == 3

    run(work)


def test_one_that_is_made_while_weights_change_has_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        cluster = LocalCluster("a")
        async with started(cluster) as engine:
            begun = asyncio.Event()
            start = replica.Replica.start

            async def slow(self: replica.Replica, version: int, *parcels: bytes) -> bytes:
                begun.set()
                found = await start(self, version, *parcels)
                while engine.policy_version == version:
                    await asyncio.sleep(0.001)
                return found

            monkeypatch.setattr(replica.Replica, "start", slow)
            engine._bury(0, "for the test")
            await begun.wait()
            await engine.update_weights(4, weights_of(tiny_model(1)))
            said = await engine.generate(PROMPT, asked(1), session="s")
            assert said.policy_versions[0] == 4
            assert said.token_ids == (await alone(tiny_model(1), 1)).token_ids

    run(work)


def test_one_that_comes_and_is_gone_again_at_once_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        cluster = LocalCluster("a")
        async with started(cluster) as engine:
            born = engine._born

            async def soon_gone(place: int) -> dict[str, Any]:
                found = await born(place)
                if len(cluster.actors) == 2:  # whoever waits has been called and does not go on yet
                    engine._bury(max(engine._actors), "gone again")
                return found

            monkeypatch.setattr(engine, "_born", soon_gone)
            engine._bury(0, "for the test")
            assert await engine.generate(PROMPT, asked(0), session="s") == await alone(tiny_model(), 0)
            assert ["generate" in actor.asked for actor in cluster.actors] == [False, False, True]

    run(work)


def test_where_all_are_lost_for_long_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_engine, "_PATIENCE_SECONDS", 0.2)

    async def work() -> None:
        cluster = LocalCluster("a")
        async with started(cluster) as engine:
            cluster.lose("a")
            cluster.addresses.append("b")
            cluster.answers = False
            with monkeypatch.context() as patch:
                patch.setattr(LocalCluster, "actor", lambda self, *a, **k: _lost(cluster))
                with pytest.raises(
                    EngineError, match=r"all engines on the cluster are lost, for 0.2 seconds; the last"
                ):
                    await engine.generate(PROMPT, asked(0), session="s")

    run(work)


def _lost(cluster: LocalCluster) -> Any:
    from tests.unit.cluster.kit import Actor

    actor = Actor(object(), "b")
    actor.lose()
    return actor


def test_what_does_not_fit_is_told_as_it_is_here() -> None:
    async def work() -> None:
        async with started(LocalCluster("a")) as engine:
            with pytest.raises(EngineError, match="context"):
                await engine.generate(Prompt([1] * 10_000), asked(0), session="s")
        with pytest.raises(ConfigError, match="max_context"):
            async with started(LocalCluster("a"), max_context=10**6):
                pass

    run(work)


def test_another_version_on_its_node_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "VERSION", "0.0.1")

    async def work() -> None:
        with pytest.raises(UserError, match="install the same version on all nodes"):
            async with started(LocalCluster("a")):
                pass

    run(work)


def test_forks_go_on_from_where_they_were_forked_and_ends_are_told() -> None:
    async def work() -> None:
        cluster = LocalCluster("a", "b")
        async with started(cluster, engines=2) as engine:
            said = await engine.generate(PROMPT, asked(0), session="s")
            await engine.fork("s", "f")
            await engine.fork("unknown", "g")
            longer = Prompt([*PROMPT.token_ids, *said.token_ids, 3])
            await engine.generate(longer, asked(1), session="f")
            engine.park("s")
            engine.release("f")
            engine.release("unknown")
            await asyncio.sleep(0.01)
            (used,) = [actor for actor in cluster.actors if "generate" in actor.asked]
            assert [name for name in used.asked if name not in ("start", "update")] == [
                *("generate", "fork", "generate", "park", "release")
            ]

    run(work)


def test_a_request_that_nobody_waits_for_leaves_the_others_alone() -> None:
    async def work() -> None:
        async with started(LocalCluster("a")) as engine:
            left = asyncio.ensure_future(engine.generate(PROMPT, asked(0), session="s"))
            await asyncio.sleep(0)
            left.cancel()
            assert (await engine.generate(PROMPT, asked(2), session="t")) == await alone(tiny_model(), 2)

    run(work)


def test_closed_it_leaves_nothing() -> None:
    async def work() -> None:
        cluster = LocalCluster("a")
        async with started(cluster) as engine:
            engine._bury(0, "under way")
        assert all(actor.is_lost for actor in cluster.actors)
        assert len(cluster.given_back) == 1

    run(work)
