"""One environment, several lines: who steps is where it stands, and nobody is brought back in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from agentgym.errors import EnvError, SnapshotError
from agentgym.search.lanes import Ground, Lane
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult
from tests.unit.rollout.kit import Stage, seen


class Track(Stage):
    """Shows where it is: the letters that were said."""

    rung = "native"
    is_lost = False

    def __init__(self) -> None:
        super().__init__()
        self.at = ""
        self.kept: dict[str, str] = {}

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        self.at = ""
        return Observation(""), {}

    async def step(self, action: Action) -> StepResult:
        await asyncio.sleep(0)
        self.at += str(action)
        return seen(self.at)

    async def save(self) -> Mark:
        self.saved += 1
        self.kept[str(self.saved)] = self.at
        return Mark(seed=0, options={}, actions=(), digests=("",), id=str(self.saved), rung=self.rung)  # type: ignore[arg-type]

    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        self.loaded.append(mark.id)
        if self.is_lost:
            self.at = "?"
            raise SnapshotError("elsewhere")
        self.at = self.kept[mark.id]
        return Observation(self.at), {}


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def begun(track: Track) -> tuple[Ground, Lane]:
    ground = Ground(track)
    lane = ground.lane()
    await lane.reset(0, None)
    return ground, lane


async def says(lane: Lane, *words: str) -> str:
    for word in words:
        result = await lane.step(Action(word))
    return str(result.observation)


def test_a_line_that_nobody_comes_between_needs_no_way_back() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        one = ground.lane(root)
        assert await says(one, "a", "b") == "ab"
        assert await says(ground.lane(one), "c") == "abc"
        assert (track.saved, track.loaded, ground.num_restores) == (0, [], 0)

    run(go())


def test_lines_go_on_each_from_where_it_stands() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        await root.save()
        one, two = ground.lane(root), ground.lane(root)
        assert await says(one, "a") == "a"
        assert await says(two, "b") == "b"
        assert await says(one, "c") == "ac"  # it was saved when the other one came
        assert await says(two, "d") == "bd"
        assert (track.saved, ground.num_restores) == (4, 3)
        assert ground.restore_seconds > 0

    run(go())


def test_many_at_once_do_not_mix() -> None:
    async def go() -> None:
        ground, root = await begun(Track())
        await root.save()
        lanes = {word: ground.lane(root) for word in "abcdef"}
        found = await asyncio.gather(*(says(lane, word, word, word) for word, lane in lanes.items()))
        assert found == [3 * word for word in lanes]

    run(go())


def test_what_was_left_is_not_saved() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        await root.save()
        one = ground.lane(root)
        await says(one, "a")
        one.leave()
        one.leave()
        assert await says(ground.lane(root), "b") == "b"
        assert (track.saved, track.loaded) == (1, ["1"])

    run(go())


def test_where_it_stands_already_it_is_not_brought() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        mark = await root.save()
        assert await root.save() is mark
        await ground.lane(root).expert(Observation())
        await ground.lane(root).has_expert()
        assert (track.saved, track.loaded) == (1, [])

    run(go())


def test_a_moment_that_was_not_saved_is_not_come_back_to() -> None:
    async def go() -> None:
        class Unsaved(Track):
            async def save(self) -> Mark:
                raise SnapshotError("no")

        ground, root = await begun(track := Unsaved())
        await says(ground.lane(root), "a")
        with pytest.raises(SnapshotError, match="Stage has moved on from a moment that there is no way back to"):
            await says(ground.lane(root), "b")
        assert track.at == "a"

    run(go())


def test_one_that_was_not_come_back_to_is_not_tried_again() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        await root.save()
        one = ground.lane(root)
        await says(one, "a")
        track.is_lost = True
        for _ in range(2):
            with pytest.raises(SnapshotError):
                await says(ground.lane(root), "b")
        assert track.loaded == ["1"]
        track.is_lost = False
        assert await says(one, "c") == "ac"  # it does not go on from where the replay led

    run(go())


def test_a_step_that_fails_leaves_nobody_where_it_was() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        await root.save()
        one = ground.lane(root)

        async def broken(action: Action) -> StepResult:
            raise EnvError("broke")

        track.step = broken  # type: ignore[method-assign]
        with pytest.raises(EnvError, match="broke"):
            await one.step(Action("a"))
        await root.expert(Observation())
        assert track.loaded == ["1"]

    run(go())


@pytest.mark.parametrize(("rung", "order"), [("replay", "aaabbb"), ("native", "ababab")])
def test_where_a_way_back_is_a_replay_a_line_is_played_to_its_end(rung: str, order: str) -> None:
    async def go() -> None:
        track = Track()
        track.rung = rung
        ground, root = await begun(track)
        await root.save()
        said = ""

        async def line(word: str) -> None:
            nonlocal said
            lane = ground.lane(root)
            async with ground.kept():
                for _ in range(3):
                    await says(lane, word)
                    said += word
                    await asyncio.sleep(0)
                lane.leave()

        await asyncio.gather(line("a"), line("b"))
        assert said == order

    run(go())


def test_marks_are_forgotten_together() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        await root.save()
        await says(ground.lane(root), "a")
        await root.expert(Observation())
        await ground.forget()
        await ground.forget()
        assert track.forgotten == ["1", "2"]

    run(go())


def test_a_lane_is_a_host() -> None:
    async def go() -> None:
        ground, root = await begun(track := Track())
        assert list(await root.tasks("train")) == [0, 1, 2]
        assert (root.name, root.max_turns) == ("Stage", 99)
        with pytest.raises(SnapshotError, match="goes on"):
            await root.load(await root.save())
        await root.forget(await root.save())
        assert track.forgotten == []
        root.kill()
        assert track.num_killed == 1
        await root.close()
        assert root.is_left
        assert ground.lane(root).name == "Stage"

    run(go())
