"""Moments that hosts keep, in every place that environments run in."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock, patch

import pytest

from agentgym.errors import SnapshotError
from agentgym.hosts import Host, Where
from agentgym.hosts.resident import MAX_KEPT, Resident
from agentgym.media import pixels_of
from agentgym.snapshot import Mark
from agentgym.types import Action, ToolCall
from tests.unit.hosts.kit import EVERYWHERE, hosted, opened
from tests.unit.hosts.odd import KeptDeck

DECKS = pytest.mark.parametrize("name", ["Deck", "KeptDeck", "AsyncDeck", "AsyncKeptDeck"])


async def dealt(host: Host, *actions: str) -> list[str]:
    return [str((await host.step(Action(action))).observation) for action in actions]


@EVERYWHERE
@DECKS
def test_a_moment_is_come_back_to_here_and_elsewhere(where: Where, name: str) -> None:
    async def go() -> None:
        async with opened(where, name) as hosts:
            host, other = await hosts.open(), await hosts.open()
            seen, _ = await host.reset(8, None)
            assert await host.expert(seen) == "first"
            call = Action(tool_calls=[ToolCall(name="add", arguments={"a": 1}, id="c")])
            await host.step(call)
            top = pixels_of((await host.step(Action("z"))).observation.images[0])[0, 0, 0]
            mark = await host.save()
            assert mark.rung == ("native" if "Kept" in name else "replay")
            assert (mark.seed, mark.options, mark.actions, len(mark.digests)) == (8, {}, (str(call), "z"), 3)
            assert mark.actions[0].tool_calls == call.tool_calls  # type: ignore[attr-defined]
            assert mark.digest == mark.digests[-1] == (await host.save()).digest
            rest = await dealt(host, "x", "y")
            await host.reset(9, {"task": 5})
            assert (host.instructions, host.max_turns) == ("Deal 5.", 6)
            for one in (host, other, host):
                assert pixels_of((await one.load(mark))[0].images[0])[0, 0, 0] == top
                assert (one.instructions, one.max_turns) == ("Deal 8.", 9)
                assert await one.expert(seen) == "first"
                assert await dealt(one, "x", "y") == rest
            for one in (host, other):
                await one.close()

    asyncio.run(go())


@EVERYWHERE
def test_a_replay_that_diverges_is_told_with_its_turn(where: Where) -> None:
    async def go() -> None:
        async with opened(where, "KeptDeck") as hosts:
            host, other = await hosts.open(), await hosts.open()
            await host.reset(3, None)
            await dealt(host, "a", "guess", "b")
            mark = await host.save()
            await host.load(mark)
            with pytest.raises(SnapshotError, match=r"KeptDeck is not deterministic: .* seed 3, turn 2 of 3 shows"):
                await other.load(mark)
            await other.reset(3, None)  # it can be used again
            assert len(await dealt(other, "a", "b")) == 2
            await host.forget(mark)
            with pytest.raises(SnapshotError, match="turn 2 of 3"):
                await host.load(mark)
            for one in (host, other):
                await one.close()

    asyncio.run(go())


@EVERYWHERE
def test_a_moment_before_the_first_reset_is_refused(where: Where) -> None:
    async def go() -> None:
        async with hosted(where, "Deck") as host:
            with pytest.raises(SnapshotError, match=r"call reset\(\) first"):
                await host.save()

    asyncio.run(go())


def test_the_moment_that_was_not_asked_for_the_longest_goes_first() -> None:
    resident = Resident(KeptDeck())
    resident.reset(1, None)
    marks: list[Mark] = [resident.save() for _ in range(MAX_KEPT)]
    resident.load(marks[0])
    resident.save()
    resident.step(Action("guess"))
    restored = Mock(wraps=resident.env.restore)
    with patch.object(resident.env, "restore", restored):
        counts = [(resident.load(mark), restored.call_count)[1] for mark in marks[:3]]
    assert counts == [1, 1, 2]  # the second was replayed


def test_marks_of_another_one_are_not_mistaken() -> None:
    one, other = Resident(KeptDeck()), Resident(KeptDeck())
    for seed, resident in enumerate((one, other)):
        resident.reset(seed, None)
    mark = one.save()
    assert mark.id != other.save().id
    other.load(mark)
    assert other.env.seed == 0
