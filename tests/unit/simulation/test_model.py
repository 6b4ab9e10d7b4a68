"""Runs of the model: by hand, against the scheduler itself, and what each part of it is counted for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.rollout import EpisodeSpec
from agentgym.scheduler import Scheduler
from agentgym.simulation import Constant, Plan, Simulation, Speed, simulate
from agentgym.types import Trajectory
from tests.kit import episode
from tests.unit.rollout.kit import timeless
from tests.unit.simulation.kit import UNEVEN, plan, workload

# -- by hand -----------------------------------------------------------------------------------------------


def test_playing_and_learning_take_turns() -> None:
    outcome = simulate(plan(), workload())  # 1 s of playing, 4 episodes of 0.25 s
    assert outcome.seconds_per_update == pytest.approx(2.0)
    assert outcome.episodes_per_second == pytest.approx(2.0)
    assert outcome.tokens_per_second == pytest.approx(2.0)
    assert (outcome.staleness, outcome.max_staleness) == (0.0, 0)
    assert outcome.actors_busy == pytest.approx(0.5)
    assert outcome.learner_busy == pytest.approx(0.5)
    assert outcome.waits_for == "slowest episodes"


def test_the_learner_is_what_is_waited_for() -> None:
    outcome = simulate(plan(max_staleness=1), workload(learn=0.5))
    assert outcome.seconds_per_update == pytest.approx(2.0)
    assert outcome.staleness == pytest.approx(1.0)
    assert outcome.waits_for == "learner"


def test_actors_are_what_is_waited_for() -> None:
    outcome = simulate(plan(max_staleness=1, actors=2), workload(learn=0.1))
    assert outcome.seconds_per_update == pytest.approx(2.0)
    assert outcome.actors_busy == pytest.approx(1.0)
    assert outcome.waits_for == "actors"


def test_more_learners_share_an_update() -> None:
    assert simulate(plan(learners=4), workload(learn=1.0)).seconds_per_update == pytest.approx(2.0)


def test_a_process_does_one_thing_at_a_time() -> None:
    slow = workload(overhead=0.5, learn=0.0)
    assert simulate(plan(), slow).seconds_per_update == pytest.approx(
        3.0
    )  # four turns of 0.5 s, and the last one's step
    outcome = simulate(plan(shards=2), slow)
    assert outcome.seconds_per_update == pytest.approx(2.0)
    assert outcome.shards_busy == pytest.approx(0.5)


def test_episodes_stay_with_the_engine_that_has_fewest() -> None:
    serial = workload(speed=Speed(0.0, 0.5), step=Constant(0.0), learn=0.0)
    assert simulate(plan(), serial).seconds_per_update == pytest.approx(2.0)
    outcome = simulate(plan(engines=2), serial)
    assert outcome.seconds_per_update == pytest.approx(1.0)
    assert outcome.sequences == pytest.approx(2.0)
    assert outcome.engines_busy == pytest.approx(1.0)
    assert simulate(plan(max_staleness=1), serial).waits_for == "engines"


def test_publishing_stalls_the_engines() -> None:
    publishing = workload(publish=0.5, learn=0.0)
    outcome = simulate(plan(), publishing)
    assert outcome.seconds_per_update == pytest.approx(1.5)
    assert outcome.publish_share == pytest.approx(1 / 3)


def test_what_is_played_ahead_stands_still_while_weights_are_published() -> None:
    decoding = workload(publish=0.5, learn=0.0, step=Constant(0.0), reply_tokens=Constant(10), speed=Speed(0.1, 0.0))
    outcome = simulate(plan(max_staleness=1), decoding)
    assert outcome.seconds_per_update == pytest.approx(1.5), (
        "a second of decoding, and half a one in which there is none"
    )


def test_turns_and_resets_take_their_time() -> None:
    long = workload(turns=Constant(3), reset=Constant(2.0), learn=0.0, reply_tokens=Constant(10), speed=Speed(0.1, 0.0))
    assert long.alone == pytest.approx(2 + 3 * (1 + 1))
    outcome = simulate(plan(), long)
    assert outcome.seconds_per_update == pytest.approx(8.0)
    assert outcome.episode_seconds == pytest.approx(8.0)


# -- against the scheduler itself --------------------------------------------------------------------------


class Scheduled:
    """The real scheduler in a time that jumps: episodes sleep on so many places, and learning sleeps."""

    def __init__(self, plan: Plan, seconds: Sequence[float], learn: float) -> None:
        self.plan, self.seconds, self.learn = plan, itertools.cycle(seconds), learn
        self.began: list[float] = []
        self.groups: list[list[int]] = []

    async def play(self, specs: Sequence[EpisodeSpec]) -> list[Trajectory]:
        async def one(spec: EpisodeSpec) -> Trajectory:
            async with self.places:
                await asyncio.sleep(next(self.seconds))
            return episode(group_id=spec.group_id)

        return list(await asyncio.gather(*map(one, specs)))

    def specs(self, update: int) -> list[EpisodeSpec]:
        groups = range(update * self.plan.groups, (update + 1) * self.plan.groups)
        return [
            EpisodeSpec(task=None, seed=0, group_id=str(group), episode_id=f"{group}-{member}")
            for group in groups
            for member in range(self.plan.group_size)
        ]

    async def run(self) -> None:
        plan, self.places = self.plan, asyncio.Semaphore(self.plan.actors)
        scheduler = Scheduler(
            self.specs,
            self.play,
            max_staleness=plan.max_staleness,
            in_order=plan.in_order,
            num_updates=plan.updates,
        )
        for update in range(plan.updates):
            scheduler.admit(update)
            taken = await scheduler.take(update)
            self.began.append(asyncio.get_running_loop().time())
            self.groups.append(sorted({int(each.group_id) for each in taken}))
            await asyncio.sleep(self.learn)
            scheduler.settle()
        await scheduler.close()


@settings(max_examples=25)
@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.booleans(),
    st.lists(st.floats(0.01, 3.0), min_size=7, max_size=30, unique=True),
    st.floats(0.001, 4.0),
)
def test_the_scheduler_takes_the_same_groups_at_the_same_times(
    actors: int, groups: int, size: int, staleness: int, in_order: bool, seconds: list[float], learn: float
) -> None:
    course = plan(
        actors=actors, groups=groups, group_size=size, max_staleness=staleness, in_order=in_order or not staleness
    )
    real = Scheduled(course, seconds, learn)
    timeless(real.run())
    model = Simulation(course, workload(learn=learn / course.per_update))
    model._steps = itertools.cycle(seconds)  # in the order in which episodes get a place, as above
    model.run()
    assert [sorted(update.groups) for update in model.updates] == real.groups
    assert [update.began for update in model.updates] == pytest.approx(real.began)


# -- what holds whatever is drawn --------------------------------------------------------------------------


PLANS = st.builds(
    lambda actors, groups, size, staleness, in_order, engines: plan(
        actors=actors,
        groups=groups,
        group_size=size,
        max_staleness=staleness,
        in_order=in_order or not staleness,
        engines=engines,
    ),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 4),
    st.booleans(),
    st.integers(1, 3),
)


@settings(max_examples=25)
@given(PLANS, st.floats(0.0, 0.5), st.integers(0, 5))
def test_every_group_is_trained_once_and_none_is_too_old(course: Plan, learn: float, seed: int) -> None:
    model = Simulation(course, workload(learn=learn, **UNEVEN), seed=seed)
    outcome = model.run()
    trained = [group for update in model.updates for group in update.groups]
    assert sorted(trained) == list(range(course.groups * course.updates))
    assert [len(update.groups) for update in model.updates] == [course.groups] * course.updates
    assert max(update.max_staleness for update in model.updates) <= course.max_staleness
    assert sum(update.tokens for update in model.updates) == 3 * 5 * course.per_update * course.updates
    assert 0 <= outcome.staleness <= course.max_staleness
    for share in (outcome.actors_busy, outcome.engines_busy, outcome.learner_busy, outcome.shards_busy):
        assert 0 <= share <= 1 + 1e-9


@settings(max_examples=25)
@given(PLANS, st.integers(0, 5))
def test_the_same_seed_gives_the_same_run(course: Plan, seed: int) -> None:
    assert simulate(course, workload(**UNEVEN), seed=seed) == simulate(course, workload(**UNEVEN), seed=seed)


def test_another_seed_gives_another() -> None:
    assert simulate(plan(), workload(**UNEVEN), seed=0) != simulate(plan(), workload(**UNEVEN), seed=1)


@settings(max_examples=25)
@given(st.integers(1, 8), st.integers(0, 3), st.floats(0.0, 0.5))
def test_more_actors_are_never_slower_where_all_episodes_are_alike(actors: int, staleness: int, learn: float) -> None:
    fewer, more = (
        simulate(plan(actors=num, groups=4, max_staleness=staleness), workload(learn=learn)).episodes_per_second
        for num in (actors, 2 * actors)
    )
    assert more >= fewer * (1 - 1e-9)


@pytest.mark.parametrize("learn", [0.05, 0.2, 0.5])
def test_to_play_further_ahead_is_never_slower(learn: float) -> None:
    speeds = [
        simulate(plan(actors=8, groups=4, max_staleness=each, updates=60), workload(learn=learn, **UNEVEN))
        for each in (0, 1, 2, 4)
    ]
    rates = [outcome.episodes_per_second for outcome in speeds]
    assert all(after >= 0.97 * before for before, after in itertools.pairwise(rates))
    assert rates[2] > 1.15 * rates[0]
