"""Engine cores that die while they sample and while weights are on their way. vLLM itself is not run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from agentgym.errors import EngineError
from tests.kit import until
from tests.unit.actors.vllm_kit import Core, Serving, serving

__all__ = ["serving"]


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 20))


async def assert_serves(serving: Serving, version: int) -> None:
    """All of ``version`` and nothing else: in both layers, in what is told, and for cores to come."""
    (kept,) = serving.written.there
    assert kept.version == serving.server.live.version == version
    assert serving.cores[-1].layers == [str(kept.model)] * 2
    assert (await serving.said(5)).versions == [version] * 3


async def killed(core: Core) -> None:
    core.died.set()
    await asyncio.sleep(60)


async def refused(core: Core) -> None:
    raise ValueError("a layer of another shape")


def test_what_a_dead_core_was_asked_is_answered_once_with_the_weights_that_were_live(serving: Serving) -> None:
    async def work() -> None:
        await serving.update(3)
        (dead,) = serving.cores
        dead.answers = False
        asked = [asyncio.ensure_future(serving.said(prompt)) for prompt in range(3)]
        await until(lambda: len(dead.asked) == 3)
        serving.kill()
        for prompt, request in enumerate(await asyncio.gather(*asked)):
            assert (request.token_ids, request.versions) == ([prompt] * 3, [3] * 3)
        assert serving.server.num_restarts == 1
        assert sorted(serving.cores[1].asked) == [[0], [1], [2]]
        await assert_serves(serving, 3)

    run(work)


def test_one_that_keeps_dying_is_given_up(serving: Serving) -> None:
    async def work() -> None:
        for _ in range(3):
            serving.kill()
            assert len((await serving.said(4)).token_ids) == 3
        serving.kill()
        for _ in range(2):
            with pytest.raises(EngineError, match="vLLM died 4 times within 10 minutes and is given up"):
                await serving.said(4)
        assert len(serving.cores) == 4

    run(work)


def test_killed_with_half_of_new_weights_the_next_core_has_all_of_them(serving: Serving) -> None:
    async def work() -> None:
        serving.cores[0].half_way = killed
        await serving.update(1)
        assert serving.server.num_restarts == 1
        await assert_serves(serving, 1)

    run(work)


def test_where_half_of_new_weights_is_refused_the_old_ones_serve(serving: Serving) -> None:
    async def work() -> None:
        await serving.update(1)
        serving.cores[0].half_way = refused
        with pytest.raises(EngineError, match=r"version 2: ValueError: a layer .*; version 1 keeps serving"):
            await serving.update(2)
        assert serving.server.num_restarts == 0
        await assert_serves(serving, 1)
        await serving.update(2)
        await assert_serves(serving, 2)

    run(work)


def test_killed_on_the_way_back_the_next_core_has_the_old_ones(serving: Serving) -> None:
    async def refused_and_killed(core: Core) -> None:
        core.half_way = killed
        await refused(core)

    async def work() -> None:
        await serving.update(1)
        serving.cores[0].half_way = refused_and_killed
        with pytest.raises(EngineError, match="version 1 keeps serving"):
            await serving.update(2)
        assert serving.server.num_restarts == 1
        await assert_serves(serving, 1)

    run(work)
