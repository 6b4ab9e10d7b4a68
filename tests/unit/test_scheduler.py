"""Playing ahead: nothing grows too old, nothing is thrown away, nothing is played twice."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.rollout import EpisodeSpec
from agentgym.scheduler import Scheduler, groups_of, reach
from agentgym.types import Trajectory
from tests.unit.rollout.kit import timeless


def specs(update: int, *, groups: int, size: int = 2) -> list[EpisodeSpec]:
    return [
        EpisodeSpec(
            task=update * groups + place,
            seed=0,
            group_id=f"{update}-{place}",
            ordinal=update * groups + place,
            episode_id=f"{update}-{place}-{member}",
        )
        for place in range(groups)
        for member in range(size)
    ]


@dataclasses.dataclass
class Stage:
    """Plays groups that end when the test says so."""

    groups: int
    version: int = 0
    began: dict[int, int] = dataclasses.field(default_factory=dict)
    running: dict[int, asyncio.Event] = dataclasses.field(default_factory=dict)

    async def play(self, group: Sequence[EpisodeSpec]) -> list[Trajectory]:
        ordinal = group[0].ordinal
        assert ordinal is not None
        self.began[ordinal] = self.version
        self.running[ordinal] = asyncio.Event()
        await self.running[ordinal].wait()
        del self.running[ordinal]
        return [
            Trajectory(env="x", task=s.task, seed=0, episode_id=s.episode_id, ordinal=s.ordinal, group_id=s.group_id)
            for s in group
        ]

    def scheduler(self, *, max_staleness: int, in_order: bool, num_updates: int) -> Scheduler:
        return Scheduler(
            lambda update: specs(update, groups=self.groups),
            self.play,
            max_staleness=max_staleness,
            in_order=in_order,
            num_updates=num_updates,
        )

    async def take(self, scheduler: Scheduler, update: int, rng: random.Random) -> list[Trajectory]:
        """What ``take`` gives while groups end in a random order, one after the other."""
        self.version = update
        scheduler.admit(update)
        taking = asyncio.ensure_future(scheduler.take(update))
        for _ in range(100_000):
            if taking.done():
                break
            await asyncio.sleep(0)
            if self.running and rng.random() < 0.7:
                rng.choice(list(self.running.values())).set()
                await asyncio.sleep(0)
        scheduler.settle()
        return taking.result()


def test_admission_goes_as_far_as_staleness_allows_and_no_farther() -> None:
    async def main() -> None:
        stage = Stage(groups=3)
        scheduler = stage.scheduler(max_staleness=2, in_order=True, num_updates=4)
        scheduler.admit(0)
        await asyncio.sleep(0)
        assert sorted(stage.began) == list(range(9))  # updates 0, 1 and 2
        scheduler.admit(1)
        scheduler.admit(2)
        await asyncio.sleep(0)
        assert sorted(stage.began) == list(range(12))  # there are no more than four updates
        await scheduler.close()

    timeless(main())


def test_a_straggler_holds_up_nobody_until_it_is_due() -> None:
    async def main() -> None:
        stage = Stage(groups=2)
        scheduler = stage.scheduler(max_staleness=2, in_order=False, num_updates=4)
        orders = []
        for update in range(3):
            stage.version = update
            scheduler.admit(update)
            await asyncio.sleep(0)
            taking = asyncio.ensure_future(scheduler.take(update))
            for ordinal in sorted(stage.running):
                if ordinal != 0:
                    stage.running[ordinal].set()
            await asyncio.sleep(0.01)
            if update == 2:
                assert not taking.done()  # the straggler began under version 0: now it is waited for
                stage.running[0].set()
            orders.append([episode.ordinal for episode in await taking][::2])
            scheduler.settle()
        assert orders == [[1, 2], [3, 4], [0, 5]]
        await scheduler.close()

    timeless(main())


@pytest.mark.parametrize("in_order", [True, False])
def test_what_was_being_played_is_played_again_after_an_interruption(in_order: bool) -> None:
    async def first() -> tuple[dict[str, object], list[int | None]]:
        stage = Stage(groups=2)
        scheduler = stage.scheduler(max_staleness=2, in_order=in_order, num_updates=4)
        episodes = await stage.take(scheduler, 0, random.Random(5))
        state = dict(scheduler.state())
        await scheduler.close()
        assert scheduler.state() == state  # also when it was asked for after the end
        return state, [episode.ordinal for episode in episodes]

    async def second(state: dict[str, object], trained: list[int | None]) -> list[int | None]:
        stage = Stage(groups=2)
        scheduler = stage.scheduler(max_staleness=2, in_order=in_order, num_updates=4)
        scheduler.load_state(dict(state))
        for update in range(1, 4):
            trained = trained + [e.ordinal for e in await stage.take(scheduler, update, random.Random(update))]
        return trained

    state, trained = timeless(first())
    assert sorted(timeless(second(state, trained))[::2], key=lambda n: n or 0) == list(range(8))


@pytest.mark.parametrize("in_order", [True, False])
def test_what_is_pending_is_played_as_it_was_drawn_whatever_is_drawn_by_now(in_order: bool) -> None:
    stage = Stage(groups=2)
    given: dict[str, list[EpisodeSpec]] = {"first": [], "second": []}

    def scheduler(run: str, task: str) -> Scheduler:
        async def play(group: Sequence[EpisodeSpec]) -> list[Trajectory]:
            given[run] += group
            return await stage.play(group)

        def drawn(update: int) -> list[EpisodeSpec]:
            options = {"sizes": [1, {"a": None}]}
            return [
                dataclasses.replace(
                    spec, task=task, options=options, level=0.5, strength=0.25, max_turns=4, split="train", member=3
                )
                for spec in specs(update, groups=2)
            ]

        return Scheduler(drawn, play, max_staleness=2, in_order=in_order, num_updates=4)

    async def first() -> str:
        one = scheduler("first", "old")
        await stage.take(one, 0, random.Random(5))
        saved = json.dumps(one.state())
        await one.close()
        return saved

    async def second(saved: str) -> None:
        other = scheduler("second", "new")
        other.load_state(json.loads(saved))
        pending = other.pending
        stage.running.clear()
        await stage.take(other, 1, random.Random(6))
        await other.close()
        old = [spec for spec in given["second"] if spec.task == "old"]
        assert old == [spec for spec in given["first"] if spec.ordinal in pending]
        assert {spec.ordinal for spec in given["second"] if spec.task == "new"} == {6, 7}

    saved = timeless(first())
    timeless(second(saved))


@pytest.mark.parametrize("is_whole", [False, True])
def test_groups_that_nothing_was_learned_from_are_played_again(is_whole: bool) -> None:
    """An interruption in the middle of taking, or between that and the learning."""

    async def main() -> None:
        stage = Stage(groups=2)
        scheduler = stage.scheduler(max_staleness=1, in_order=False, num_updates=4)
        scheduler.admit(0)
        taking = asyncio.ensure_future(scheduler.take(0))
        await asyncio.sleep(0)
        for ordinal in (1, 2) if is_whole else (1,):
            stage.running[ordinal].set()
        await asyncio.sleep(0.01)
        assert taking.done() is is_whole
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        assert scheduler.num_begun == 4
        assert scheduler.pending == [0, 1, 2, 3]
        await scheduler.close()
        assert scheduler.pending == [0, 1, 2, 3]

    timeless(main())


def test_a_failure_comes_out_of_take_and_close_leaves_no_task() -> None:
    async def main() -> None:
        async def play(group: Sequence[EpisodeSpec]) -> list[Trajectory]:
            if group[0].ordinal == 1:
                raise ValueError("broken")
            await asyncio.Event().wait()
            return []

        scheduler = Scheduler(
            lambda update: specs(update, groups=2), play, max_staleness=1, in_order=False, num_updates=3
        )
        scheduler.admit(0)
        with pytest.raises(ValueError, match="broken"):
            await scheduler.take(0)
        await scheduler.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    timeless(main())


def test_what_is_being_played_is_cancelled_by_close_and_waited_for() -> None:
    async def main() -> None:
        ended: list[int | None] = []

        async def play(group: Sequence[EpisodeSpec]) -> list[Trajectory]:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(1)
                ended.append(group[0].ordinal)
            raise AssertionError

        scheduler = Scheduler(
            lambda update: specs(update, groups=2), play, max_staleness=1, in_order=True, num_updates=3
        )
        scheduler.admit(0)
        await asyncio.sleep(0)
        await scheduler.close()
        assert ended == [0, 1, 2, 3]
        assert scheduler.pending == [0, 1, 2, 3]

    timeless(main())


def test_in_order_a_finished_group_waits_for_those_before_it() -> None:
    async def main() -> None:
        stage = Stage(groups=2)
        scheduler = stage.scheduler(max_staleness=1, in_order=True, num_updates=2)
        scheduler.admit(0)
        taking = asyncio.ensure_future(scheduler.take(0))
        await asyncio.sleep(0)
        for ordinal in (1, 2, 3):
            stage.running[ordinal].set()
        await asyncio.sleep(1)
        assert not taking.done()
        stage.running[0].set()
        assert [episode.episode_id for episode in await taking] == ["0-0-0", "0-0-1", "0-1-0", "0-1-1"]
        assert scheduler.pending == [0, 1, 2, 3]
        scheduler.settle()
        assert scheduler.pending == [2, 3]
        await scheduler.close()

    timeless(main())


def test_the_first_that_is_finished_is_taken_though_others_play_and_given_back_in_order() -> None:
    async def main() -> None:
        stage = Stage(groups=2)
        scheduler = stage.scheduler(max_staleness=2, in_order=False, num_updates=3)
        scheduler.admit(0)
        taking = asyncio.ensure_future(scheduler.take(0))
        for ordinal in (3, 2):
            await asyncio.sleep(1)
            stage.running[ordinal].set()
        assert [episode.ordinal for episode in await taking] == [2, 2, 3, 3]
        scheduler.settle()
        assert scheduler.pending == [0, 1, 4, 5]
        await scheduler.close()

    timeless(main())


def test_what_was_cut_off_is_due_as_late_as_what_begins_beside_it() -> None:
    """After a resume under version 1 an update more may pass before it is trained, and not two."""

    async def main() -> None:
        stage = Stage(groups=1)
        scheduler = stage.scheduler(max_staleness=1, in_order=False, num_updates=4)
        old = [dataclasses.asdict(spec) for spec in specs(0, groups=1)]
        scheduler.load_state({"num_begun": 2, "pending": [{"index": 0, "specs": old}]})
        assert (scheduler.num_begun, scheduler.pending) == (2, [0])
        scheduler.admit(1)
        assert scheduler.num_begun == 3
        await asyncio.sleep(0)
        assert sorted(stage.running) == [0, 2]
        stage.running[2].set()
        assert [episode.ordinal for episode in await scheduler.take(1)] == [2, 2]
        scheduler.settle()
        scheduler.admit(2)
        taking = asyncio.ensure_future(scheduler.take(2))
        await asyncio.sleep(1)
        stage.running[3].set()
        await asyncio.sleep(1)
        assert not taking.done(), "now it is due"
        stage.running[0].set()
        assert [episode.ordinal for episode in await taking] == [0, 0]
        await scheduler.close()

    timeless(main())


def test_what_is_pending_is_told_and_begun_in_order() -> None:
    async def main() -> None:
        stage = Stage(groups=2)
        scheduler = stage.scheduler(max_staleness=1, in_order=False, num_updates=2)
        scheduler.admit(0)
        taking = asyncio.ensure_future(scheduler.take(0))
        await asyncio.sleep(1)
        stage.running[2].set()
        await asyncio.sleep(1)
        state = scheduler.state()
        assert [group["index"] for group in state["pending"]] == [0, 1, 2, 3]
        taking.cancel()
        await scheduler.close()
        begun: list[int | None] = []

        async def play(group: Sequence[EpisodeSpec]) -> list[Trajectory]:
            begun.append(group[0].ordinal)
            return []

        other = Scheduler(lambda update: specs(update, groups=2), play, max_staleness=1, in_order=True, num_updates=2)
        other.load_state({"num_begun": 4, "pending": state["pending"][::-1]})
        other.admit(0)
        await asyncio.sleep(1)
        assert begun == [0, 1, 2, 3]
        await other.close()

    timeless(main())


def test_nothing_begins_twice_and_a_version_that_admits_nothing_new_begins_nothing() -> None:
    async def main() -> None:
        begun: list[int | None] = []

        async def play(group: Sequence[EpisodeSpec]) -> list[Trajectory]:
            begun.append(group[0].ordinal)
            return []

        scheduler = Scheduler(
            lambda update: specs(update, groups=2), play, max_staleness=1, in_order=True, num_updates=2
        )
        for _ in range(3):
            scheduler.admit(0)
        scheduler.admit(5)
        await asyncio.sleep(1)
        assert (begun, scheduler.num_begun) == ([0, 1, 2, 3], 4)
        await scheduler.close()

    timeless(main())


@pytest.mark.parametrize(
    ("due", "update", "room", "per_update", "expected"),
    [
        ([], 0, 1, 1, 0),
        ([0], 0, 1, 1, 1),
        ([2, 2, 2], 0, 1, 1, 3),  # three places until update 2, all for them
        ([2, 2, 2, 3], 0, 1, 1, 3),  # the fourth is not due yet and would take one
        ([2, 2, 3], 0, 1, 1, 3),
        ([1, 2, 2, 2], 1, 2, 2, 4),
        ([1, 1, 2, 2], 1, 2, 2, 2),  # this update is all for the first two
    ],
)
def test_reach(due: list[int], update: int, room: int, per_update: int, expected: int) -> None:
    runs = [(last, len(list(each))) for last, each in itertools.groupby(due)]
    assert reach(runs, update, room, per_update) == expected


def test_groups_keep_their_order() -> None:
    shuffled = [spec for pair in zip(*[iter(specs(0, groups=3))] * 2, strict=True) for spec in pair]
    assert [[spec.episode_id for spec in group] for group in groups_of(shuffled)] == [
        ["0-0-0", "0-0-1"],
        ["0-1-0", "0-1-1"],
        ["0-2-0", "0-2-1"],
    ]


@given(
    groups=st.integers(1, 5),
    max_staleness=st.integers(1, 4),
    num_updates=st.integers(1, 8),
    in_order=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_every_group_is_trained_once_and_none_too_old(
    groups: int, max_staleness: int, num_updates: int, in_order: bool, seed: int
) -> None:
    async def main() -> None:
        rng, stage = random.Random(seed), Stage(groups)
        scheduler = stage.scheduler(max_staleness=max_staleness, in_order=in_order, num_updates=num_updates)
        trained: list[int] = []
        for update in range(num_updates):
            episodes = await stage.take(scheduler, update, rng)
            ordinals = [episode.ordinal for episode in episodes]
            assert len(ordinals) == 2 * groups
            assert ordinals == sorted(ordinals, key=lambda n: n or 0)
            assert all(update - stage.began[n] <= max_staleness for n in ordinals if n is not None)
            trained += [n for n in ordinals[::2] if n is not None]
            assert scheduler.pending == sorted(set(range(scheduler.num_begun)) - set(trained))
            if in_order:
                assert trained == list(range((update + 1) * groups))
        assert sorted(trained) == list(range(num_updates * groups))
        assert scheduler.pending == []

    timeless(main())
