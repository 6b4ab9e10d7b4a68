"""Many episodes: what becomes of a host, who plays on which, who is cancelled, and what each record says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import agentgym
from agentgym.engine import Completion
from agentgym.errors import EnvError, UserError
from agentgym.protocols.plain import Plain
from agentgym.rollout import Episode, EpisodeSpec, Limits, Rollout, runner
from agentgym.types import StopReason, Trajectory
from tests.kit import episode, until
from tests.unit.rollout.kit import TOKENIZER, Stage, Stages, rollout_on, said, says, seen, spec, timeless

DONE = seen("done", 1.0, over=True)


def stage(*results: Any, **options: Any) -> Stage:
    return Stage(*(results or [DONE]), **options)


def broken() -> Stage:
    return Stage(EnvError("broke"))


def played(hosts: Stages, *specs: EpisodeSpec, limits: Limits | None = None, **options: Any) -> list[Trajectory]:
    rollout = rollout_on(hosts, **options)
    return timeless(rollout.run(specs or [spec()], says(), limits=limits))


# -- what becomes of a host --------------------------------------------------------------------------------


def test_a_host_is_used_again_and_closed_with_the_run() -> None:
    async def go() -> None:
        hosts = Stages()
        rollout = rollout_on(hosts, concurrency=1)
        await rollout.run([spec("a", seed=1), spec("b", seed=2)], says())
        await rollout.run([spec("c", seed=3)], says())
        (one,) = hosts.opened
        assert [seed for seed, _ in one.resets] == [1, 2, 3]
        assert (one.num_killed, one.num_closed, hosts.num_closed) == (0, 0, 0)
        await rollout.close()
        assert (one.num_killed, one.num_closed, hosts.num_closed) == (0, 1, 1)
        await rollout.close()
        assert one.num_closed == 1

    timeless(go())


def test_all_idle_hosts_are_closed_before_what_they_share() -> None:
    ended: list[str] = []

    class Closes(Stage):
        async def close(self) -> None:
            ended.append("host")

    class Shared(Stages):
        async def close(self) -> None:
            ended.append("hosts")

    async def go() -> None:
        rollout = rollout_on(Shared(*[Closes() for _ in range(3)]))
        await rollout.run([spec(f"{n}") for n in range(3)], says())
        await rollout.close()

    timeless(go())
    assert ended == ["host", "host", "host", "hosts"]


def test_a_run_that_was_closed_plays_on_fresh_hosts() -> None:
    async def go() -> None:
        hosts = Stages()
        rollout = rollout_on(hosts)
        await rollout.run([spec()], says())
        await rollout.close()
        await rollout.run([spec()], says())
        first, second = hosts.opened
        assert (len(first.resets), len(second.resets)) == (1, 1)

    timeless(go())


def test_an_attempt_after_a_failure_has_a_fresh_host_though_others_are_idle() -> None:
    async def go() -> None:
        hosts = Stages(stage(), stage(), stage(DONE, EnvError("broke")))
        rollout = rollout_on(hosts)
        await rollout.run([spec(f"{n}") for n in range(3)], says())
        assert len(hosts.opened) == 3  # all idle now, and the last given back breaks the second time
        (trajectory,) = await rollout.run([spec("again", seed=5)], says())
        assert (trajectory.attempt, trajectory.terminated, trajectory.error) == (1, True, None)
        assert [one.num_killed for one in hosts.opened] == [0, 0, 1, 0]
        assert hosts.opened[3].resets == [(5, None)]

    timeless(go())


@pytest.mark.parametrize(("attempts", "opened"), [(1, 1), (2, 2), (5, 5)])
def test_a_host_that_breaks_is_killed_and_the_episode_tried_as_often_as_it_may(attempts: int, opened: int) -> None:
    hosts = Stages(*[broken() for _ in range(9)])
    (trajectory,) = played(hosts, limits=Limits(max_attempts=attempts))
    assert (trajectory.stop_reason, trajectory.attempt) == (StopReason.ENV_ERROR, attempts - 1)
    assert [one.num_killed for one in hosts.opened] == [1] * opened


def test_a_host_whose_episode_took_too_long_is_killed_and_not_tried_again() -> None:
    async def go() -> None:
        hosts = Stages(stage(hangs=["step"]))
        rollout = rollout_on(hosts, limits=Limits(step_seconds=None, max_attempts=3))
        late, next_one = await rollout.run([spec("a")], says()) + await rollout.run([spec("b")], says())
        assert (late.stop_reason, late.attempt) == (StopReason.DEADLINE, 0)
        assert next_one.stop_reason is StopReason.TERMINATED
        assert [one.num_killed for one in hosts.opened] == [1, 0]
        assert hosts.opened[0].cancelled == ["step"]

    timeless(go())


def test_an_episode_that_was_merely_cut_spoils_no_host() -> None:
    async def go() -> None:
        hosts = Stages(Stage(seen()))
        rollout = rollout_on(hosts, limits=Limits(max_turns=1))
        for name in "abc":
            await rollout.run([spec(name)], says())
        assert (len(hosts.opened), hosts.opened[0].num_killed) == (1, 0)

    timeless(go())


def test_an_environment_that_cannot_be_made_is_tried_again_and_then_void() -> None:
    class Make:
        id = "shop"

        def __call__(self) -> Any:
            raise AssertionError

    def rollout_of(*hosts: Any) -> Rollout:
        rollout = Rollout(Make(), TOKENIZER, Plain(), max_context=4096)
        rollout.hosts = Stages(*hosts)
        return rollout

    (second,) = timeless(rollout_of(EnvError("no port")).run([spec()], says()))
    assert (second.attempt, second.terminated, second.error, second.env) == (1, True, None, "Stage")
    (never,) = timeless(rollout_of(EnvError("no port"), EnvError("still none")).run([spec()], says()))
    assert (never.stop_reason, never.attempt, never.error, never.env) == (
        StopReason.ENV_ERROR,
        1,
        "still none",
        "shop",
    )


# -- failures and interruptions ----------------------------------------------------------------------------


class Waits:
    """An actor that waits for ever, but for "bad", which raises once the others wait."""

    def __init__(self, error: BaseException, *, slowly: bool = False) -> None:
        self.slowly = slowly
        """It takes a while to stop."""
        self.error, self.waiting, self.cancelled = error, list[str](), list[str]()

    async def __call__(self, episode: Episode) -> Completion:
        name = episode.spec.episode_id
        if name == "bad":
            await until(lambda: len(self.waiting) == 2)
            raise self.error
        self.waiting.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            if self.slowly:
                await asyncio.sleep(1)
            self.cancelled.append(name)
        raise AssertionError


@pytest.mark.parametrize("error", [UserError("stop here"), KeyError("stop here")], ids=lambda e: type(e).__name__)
def test_a_failure_cancels_the_others_kills_all_hosts_and_releases_all_sessions(error: Exception) -> None:
    actor, hosts, released = Waits(error, slowly=True), Stages(), list[str]()

    async def go() -> None:
        rollout = rollout_on(hosts, limits=Limits(episode_seconds=None))
        specs = [spec(name) for name in ("one", "bad", "two")]
        with pytest.raises(type(error), match="stop here"):
            await rollout.run(specs, actor, release=released.append)
        assert sorted(actor.cancelled) == ["one", "two"], "before it is told"
        assert [one.num_killed for one in hosts.opened] == [1, 1, 1]
        assert sorted(released) == ["bad/0", "one/0", "two/0"]
        assert rollout.num_running == 0
        await rollout.close()
        assert [one.num_closed for one in hosts.opened] == [0, 0, 0]

    timeless(go())


def test_a_run_that_is_cancelled_cancels_its_episodes_before_it_ends() -> None:
    actor, hosts, released = Waits(KeyError()), Stages(), list[str]()

    async def go() -> None:
        rollout = rollout_on(hosts, concurrency=2, limits=Limits(episode_seconds=None))
        specs = [spec(name) for name in ("one", "two", "waits for a place")]
        running = asyncio.ensure_future(rollout.run(specs, actor, release=released.append))
        await until(lambda: len(actor.waiting) == 2)
        assert rollout.num_running == 2
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert sorted(actor.cancelled) == ["one", "two"]
        assert [one.num_killed for one in hosts.opened] == [1, 1]
        assert sorted(released) == ["one/0", "two/0"]
        assert rollout.num_running == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    timeless(go())


def test_a_run_that_is_cancelled_twice_waits_for_its_episodes_all_the_same() -> None:
    actor, hosts = Waits(KeyError(), slowly=True), Stages()

    async def go() -> None:
        rollout = rollout_on(hosts, limits=Limits(episode_seconds=None))
        running = asyncio.ensure_future(rollout.run([spec("one"), spec("two")], actor))
        await until(lambda: len(actor.waiting) == 2)
        for _ in range(3):
            running.cancel()
            await asyncio.sleep(0.1)  # of the second that each takes to stop
        assert actor.cancelled == []
        with pytest.raises(asyncio.CancelledError):
            await running
        assert sorted(actor.cancelled) == ["one", "two"]
        assert [one.num_killed for one in hosts.opened] == [1, 1]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    timeless(go())


class Late(Stages):
    """Takes days to import or to make an environment."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    async def get_ready(self) -> None:
        if self.what == "importing":
            await asyncio.sleep(10**6)

    async def open(self) -> Any:
        if self.what == "making":
            await asyncio.sleep(10**6)
        return await super().open()


@pytest.mark.parametrize(("what", "seconds"), [("importing", 60), ("making", 5)])
def test_an_environment_that_is_not_made_in_time_voids_its_episode(what: str, seconds: int) -> None:
    (trajectory,) = played(Late(what), limits=Limits(max_attempts=1))
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert str(trajectory.error).endswith(f": {what} it took longer than 300 s; raise --rollout.step_seconds if it may")
    rollout = rollout_on(Late(what), limits=Limits(step_seconds=5, max_attempts=1))
    (trajectory,) = timeless(rollout.run([spec()], says()))
    assert f": {what} it took longer than {seconds} s;" in str(trajectory.error)


def test_hosts_that_there_are_already_are_played_on_and_closed() -> None:
    hosts = Stages()
    rollout = Rollout(Stage, TOKENIZER, Plain(), max_context=4096, hosts=hosts)
    (trajectory,) = timeless(rollout.run([spec()], says()))
    assert (trajectory.terminated, len(hosts.opened)) == (True, 1)
    timeless(rollout.close())
    assert hosts.num_closed == 1


def test_what_hangs_while_it_closes_has_a_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[Any] = []

    @contextlib.contextmanager
    def armed(seconds: float | None) -> Iterator[None]:
        log.append(seconds)
        yield
        log.append([one.num_closed for one in hosts.opened])

    hosts = Stages()
    rollout = rollout_on(hosts)
    timeless(rollout.run([spec()], says()))
    monkeypatch.setattr(runner, "ended_by_force", armed)
    timeless(rollout.close())
    assert log == [60.0, [1]]


def test_a_mistake_is_not_tried_again() -> None:
    hosts = Stages(Stage(UserError("no such task")))
    with pytest.raises(UserError, match="no such task"):
        played(hosts)
    assert [one.num_killed for one in hosts.opened] == [1]


def test_every_attempt_releases_its_session() -> None:
    released: list[str] = []
    rollout = rollout_on(Stages(broken()))
    timeless(rollout.run([spec()], says(), release=released.append))
    assert released == ["e/0", "e/0"]


# -- places ------------------------------------------------------------------------------------------------


def test_so_many_episodes_have_a_place_and_the_others_get_theirs_in_order() -> None:
    began: list[str] = []
    gates: dict[str, asyncio.Event] = {}

    async def act(episode: Episode) -> Completion:
        name = episode.spec.episode_id
        began.append(name)
        gates[name] = asyncio.Event()
        await gates[name].wait()
        return said("on")

    async def go() -> None:
        rollout = rollout_on(Stages(), concurrency=2)
        one = asyncio.ensure_future(rollout.run([spec(name) for name in "abc"], act))
        await until(lambda: len(began) == 2)
        other = asyncio.ensure_future(rollout.run([spec(name) for name in "de"], act))
        for number, name in enumerate("abcde"):
            expected = min(2 + number, 5), min(2, 5 - number)
            await until(lambda: (len(began), rollout.num_running) == expected)  # noqa: B023
            gates[name].set()
        await asyncio.gather(one, other)
        assert (began, rollout.num_running) == (["a", "b", "c", "d", "e"], 0)

    timeless(go())


def test_a_seat_is_a_place_and_is_given_back_or_killed() -> None:
    async def go() -> None:
        hosts = Stages()
        rollout = rollout_on(hosts, concurrency=1)
        async with rollout.seat() as seat:
            assert (rollout.num_running, seat.is_spoiled) == (1, False)
        async with rollout.seat() as seat:
            assert seat.host is hosts.opened[0]
            seat.is_spoiled = True
        with pytest.raises(KeyError):  # noqa: PT012
            async with rollout.seat() as seat:
                assert seat.host is hosts.opened[1]
                raise KeyError
        async with rollout.seat():
            assert len(hosts.opened) == 3
        assert [one.num_killed for one in hosts.opened] == [1, 1, 0]
        assert rollout.num_running == 0

    timeless(go())


def test_a_seat_that_cannot_be_had_gives_its_place_back() -> None:
    async def go() -> None:
        rollout = rollout_on(Stages(EnvError("no port")), concurrency=1)
        with pytest.raises(EnvError, match="no port"):
            async with rollout.seat():
                raise AssertionError
        assert rollout.num_running == 0
        (trajectory,) = await rollout.run([spec()], says())
        assert trajectory.attempt == 0

    timeless(go())


# -- what is on record and who is told ---------------------------------------------------------------------


def test_the_record_says_what_was_to_be_played() -> None:
    told = spec(
        "name",
        task="t",
        seed=5,
        options={"size": 2},
        level=0.5,
        strength=0.25,
        max_turns=7,
        shown_turns=1,
        split="validation",
        group_id="g",
        ordinal=9,
        role="partner",
    )
    (trajectory,) = played(Stages(), told)
    assert trajectory.model_dump(include={*EpisodeSpec.__slots__}) == {
        "task": "t",
        "seed": 5,
        "options": {"size": 2},
        "level": 0.5,
        "strength": 0.25,
        "max_turns": 7,
        "shown_turns": 1,
        "split": "validation",
        "group_id": "g",
        "ordinal": 9,
        "role": "partner",
        "episode_id": "name",
    }
    assert (trajectory.env, trajectory.attempt, trajectory.tokenizer) == ("Stage", 0, TOKENIZER.fingerprint)
    assert trajectory.options is not told.options


def test_two_episodes_of_one_name_are_refused_before_anything_is_opened() -> None:
    hosts = Stages()
    with pytest.raises(ValueError, match="episode_id 'b' is given twice: sessions and records go by it"):
        played(hosts, spec("a"), spec("b"), spec("b"))
    assert hosts.opened == []


def test_trajectories_are_in_order_and_told_of_as_they_end_once_each() -> None:
    told: list[str] = []

    class Late(Stage):
        async def step(self, action: Any) -> Any:
            await asyncio.sleep(100 - self.resets[-1][0])
            return DONE

    async def go() -> None:
        rollout = rollout_on(Stages(*[Late() for _ in range(4)]))
        specs = [spec(f"{n}", seed=n) for n in range(4)]
        given = await rollout.run(iter(specs), says(), on_episode=lambda ended: told.append(ended.episode_id))
        assert [one.episode_id for one in given] == ["0", "1", "2", "3"]

    timeless(go())
    assert told == ["3", "2", "1", "0"]


def test_void_episodes_are_told_of_as_well() -> None:
    told: list[str] = []
    rollout = rollout_on(Stages(broken(), broken()))
    timeless(rollout.run([spec()], says(), on_episode=lambda ended: told.append(ended.stop_reason)))
    assert told == ["env_error"]


def test_limits_of_a_call_are_in_place_of_the_rollout_s() -> None:
    async def go() -> None:
        rollout = rollout_on(Stages(Stage(seen())), limits=Limits(max_turns=4))
        (own,) = await rollout.run([spec()], says())
        (given,) = await rollout.run([spec()], says(), limits=Limits(max_turns=2))
        assert (len(own.turns), len(given.turns)) == (4, 2)

    timeless(go())


def test_a_context_and_signs_of_life_are_handed_on() -> None:
    beats: list[str] = []
    actor = says()
    rollout = rollout_on(Stages(), beat=lambda: beats.append(""), max_context=60, limits=Limits(max_reply_tokens=999))
    timeless(rollout.run([spec()], actor))
    assert len(beats) == 2
    assert 0 < actor.room[0] < 60


# -- shaping -----------------------------------------------------------------------------------------------


class Asked(agentgym.Shaper):
    """Pays 1 a turn."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        self.groups.append([member.episode_id for member in group])
        return [[1.0] * len(member.turns) for member in group]


def test_what_is_learned_from_is_shaped_and_what_is_measured_is_not() -> None:
    asked = Asked()
    rollout = rollout_on(Stages(), shapers=[("asked", 0.5, asked)])
    (trained,) = timeless(rollout.run([spec()], says()))
    assert (trained.reward, trained.environment_reward) == (0.5, 0.0)
    (measured,) = timeless(rollout.run([spec()], says(), shaped=False))
    assert measured.turns[0].breakdown == {"environment": 0.0}
    assert asked.groups == [["e"]]


def test_success_is_judged_by_what_the_environment_paid() -> None:
    class Fines(Asked):
        async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
            return [[-5.0] * len(member.turns) for member in group]

    paid, unpaid = Stages(stage(seen("a", 0.5), seen("b", 0.5, over=True))), Stages(Stage(seen(over=True)))
    (good,) = played(paid, shapers=[("fines", 1.0, Fines())])
    assert (good.success, good.reward, good.environment_reward) == (True, -9.0, 1.0)
    (bad,) = played(unpaid, shapers=[("gifts", 5.0, Asked())])
    assert (bad.success, bad.reward, bad.environment_reward) == (False, 5.0, 0.0)


def test_episodes_that_were_played_before_are_shaped_by_group_in_order() -> None:
    asked = Asked()
    rollout = rollout_on(Stages(), shapers=[("asked", 2.0, asked)])
    names = [("a", "g"), ("b", ""), ("c", "h"), ("d", "g"), ("e", "")]
    before = [episode(0.5, episode_id=name, group_id=group) for name, group in names]
    timeless(rollout.shape(before))
    assert asked.groups == [["a", "d"], ["b"], ["c"], ["e"]]
    assert [one.reward for one in before] == [2.5] * 5


@pytest.mark.parametrize("again", [False, True], ids=["played", "shaped again"])
def test_a_judge_has_the_time_that_the_limits_give_it(again: bool) -> None:
    class Slow(Asked):
        async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
            await asyncio.sleep(50)
            return await super().shape(group)

    def unfit(seconds: float) -> str | None:
        rollout = rollout_on(
            Stages(), shapers=[("slow", 1.0, Slow())], limits=Limits(shaping_seconds=seconds if again else 1.0)
        )
        if again:
            one = episode(0.5)
            timeless(rollout.shape([one]))
        else:
            (one,) = timeless(rollout.run([spec()], says(), limits=Limits(shaping_seconds=seconds)))
        return one.shaping_error

    assert unfit(51) is None
    assert unfit(49) == 'reward "slow" took longer than 49 s; raise --rollout.shaping_seconds if it may'
