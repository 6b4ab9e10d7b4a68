"""Rewards beside the environment's: whole groups, judges that fail, mistakes that are told."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.errors import JudgeError, UserError
from agentgym.groups import grouped
from agentgym.protocols.plain import Plain
from agentgym.reward import as_shaper
from agentgym.rewards.turn_cost import TurnCost
from agentgym.rollout import Limits, Rollout, engine_actor
from agentgym.rollout.shaping import Finish, Weighted, shape
from agentgym.types import StopReason, Trajectory
from tests import kit
from tests.unit.rollout.kit import timeless
from tests.unit.test_rollout import TOKENIZER, Door, played, script, spec


class Rank(agentgym.Shaper):
    """Each turn of an episode gets its place in the group."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        self.asked.append([member.episode_id for member in group])
        await asyncio.sleep(0)
        return [[float(place)] * len(member.turns) for place, member in enumerate(group)]


class Judge(agentgym.EpisodeShaper):
    """Pays 1 for the last turn, unless there is something to raise at the episode."""

    def __init__(self, **failures: BaseException) -> None:
        self.failures = failures

    async def __call__(self, trajectory: Trajectory) -> list[float]:
        await asyncio.sleep(0)
        if trajectory.episode_id in self.failures:
            raise self.failures[trajectory.episode_id]
        return [0.0] * (len(trajectory.turns) - 1) + [1.0]


def episode(name: str = "e0", *rewards: float, group: str = "", stop: StopReason = StopReason.TERMINATED) -> Trajectory:
    return kit.episode(*(rewards or (0.0,)), episode_id=name, group_id=group, stop=stop)


def shaped(group: list[Trajectory], *rewards: tuple[str, float, Any], seconds: float | None = None) -> list[Trajectory]:
    timeless(shape(group, [Weighted(name, weight, as_shaper(r)) for name, weight, r in rewards], seconds=seconds))
    return group


# -- groups ------------------------------------------------------------------------------------------------


@given(st.permutations(["a0", "a1", "a2", "b0", "b1", "alone"]), st.data())
def test_a_group_is_shaped_whole_in_whatever_order_its_members_end(order: list[str], data: st.DataObject) -> None:
    specs = [spec(episode_id=name, group_id=name[0]) for name in ("a0", "b0", "a1", "b1", "a2")]
    specs.insert(data.draw(st.integers(0, 5)), spec(episode_id="alone"))
    rank, seen = Rank(), list[str]()

    async def end() -> None:
        finish = Finish(specs, [Weighted("rank", 1.0, rank)], lambda ended: seen.append(ended.episode_id), seconds=None)
        for name in order:
            await finish.ended(episode(name, group="" if name == "alone" else name[0]))

    timeless(end())
    assert sorted(rank.asked) == [["a0", "a1", "a2"], ["alone"], ["b0", "b1"]]
    assert seen == [name for group in rank.asked for name in group]
    last = [max(order.index(name) for name in group) for group in rank.asked]
    assert last == sorted(last)


def test_members_that_end_at_different_times_in_a_rollout_are_shaped_together() -> None:
    class Slow(Door):
        async def step(self, action: str) -> Any:  # type: ignore[override]
            await asyncio.sleep(0.02 if self.seed == 0 else 0)
            return Door.step(self, action)

    rank = Rank()
    specs = [spec(n, group_id="g" if n < 3 else "h", seed=n) for n in range(5)]
    trajectories = played(script("look", "open"), *specs, env=Slow, shapers=[("rank", 0.5, rank)])
    assert sorted(rank.asked) == [["e0", "e1", "e2"], ["e3", "e4"]]
    assert [[turn.breakdown["rank"] for turn in t.turns] for t in trajectories] == [
        [0.0, 0.0], [0.5, 0.5], [1.0, 1.0], [0.0, 0.0], [0.5, 0.5],
    ]  # fmt: skip


def test_members_of_different_strength_are_shaped_apart() -> None:
    specs = [
        dataclasses.replace(spec(episode_id=f"g{n}", group_id="g"), strength=strength)
        for n, strength in enumerate((1.0, 1.0, 0.0, 0.0))
    ]
    rank, seen = Rank(), list[str]()

    async def end() -> None:
        finish = Finish(specs, [Weighted("rank", 1.0, rank)], lambda ended: seen.append(ended.episode_id), seconds=None)
        for each in specs[::-1]:
            await finish.ended(episode(each.episode_id, group="g").model_copy(update={"strength": each.strength}))

    timeless(end())
    assert rank.asked == [["g2", "g3"], ["g0", "g1"]]


def test_void_members_are_left_out() -> None:
    rank = Rank()
    group = [episode("e0"), episode("e1", stop=StopReason.DEADLINE), episode("e2")]
    shaped(group, ("rank", 1.0, rank))
    assert rank.asked == [["e0", "e2"]]
    assert [member.reward for member in group] == [0.0, 0.0, 1.0]
    assert "rank" not in group[1].turns[0].breakdown
    shaped([episode(stop=StopReason.ENV_ERROR)], ("rank", 1.0, rank))
    assert rank.asked == [["e0", "e2"]]


def test_no_shaper_sees_what_another_gave_and_all_are_added_in_order() -> None:
    def total(trajectory: Trajectory) -> list[float]:
        return [trajectory.reward] * len(trajectory.turns)

    (one,) = shaped([episode("e0", 0.5, 0.25)], ("first", 1.0, total), ("second", -2.0, total))
    assert [turn.breakdown for turn in one.turns] == [
        {"environment": 0.5, "first": 0.75, "second": -1.5},
        {"environment": 0.25, "first": 0.75, "second": -1.5},
    ]
    assert [turn.reward for turn in one.turns] == [-0.25, -0.5]
    assert one.environment_reward == 0.75


def test_shaping_again_replaces_what_was_given_before() -> None:
    group = shaped([episode("e0", 1.0, 2.0)], ("cost", 1.0, TurnCost()), ("old", 1.0, TurnCost()))
    shaped(group, ("cost", 0.5, TurnCost()))
    assert [turn.breakdown for turn in group[0].turns] == [
        {"environment": 1.0, "cost": -0.5},
        {"environment": 2.0, "cost": -0.5},
    ]
    assert group[0].reward == 2.0


def test_what_was_given_before_is_not_seen() -> None:
    group = shaped([episode("e0", 1.0)], ("cost", 1.0, TurnCost()))
    shaped(group, ("again", 1.0, lambda one: [turn.reward for turn in one.turns]))
    assert group[0].turns[0].breakdown == {"environment": 1.0, "again": 1.0}


def test_without_shapers_each_episode_is_told_as_it_ends() -> None:
    seen: list[str] = []
    specs = [spec(n, group_id="g") for n in range(2)]

    async def end() -> None:
        finish = Finish(specs, [], lambda ended: seen.append(ended.episode_id), seconds=None)
        await finish.ended(episode("e1", group="g"))
        assert seen == ["e1"]
        await finish.ended(episode("e0", group="g"))

    timeless(end())
    assert seen == ["e1", "e0"]


def test_what_is_told_of_an_episode_is_its_shaped_record() -> None:
    seen: list[float] = []
    rollout = Rollout(Door, TOKENIZER, Plain(), shapers=[("cost", 0.25, TurnCost())], max_context=4096)
    actor = engine_actor(script("look", "open"), temperature=1.0)
    timeless(rollout.run([spec()], actor, on_episode=lambda ended: seen.append(ended.reward)))
    assert seen == [0.5]


def test_evaluation_asks_no_shaper() -> None:
    from agentgym.launch.evaluation import play_tasks
    from agentgym.launch.score import score

    rank = Rank()
    rollout = Rollout(Door, TOKENIZER, Plain(), shapers=[("rank", 5.0, rank)], max_context=4096)
    episodes = timeless(play_tasks(rollout, script("look", "open"), [0, 1], samples=2))
    assert rank.asked == []
    assert {tuple(turn.breakdown) for t in episodes for turn in t.turns} == {("environment",)}
    assert (score(episodes).reward, score(episodes).success) == (1.0, 1.0)


# -- judges that fail --------------------------------------------------------------------------------------

FAILURES = [JudgeError("no verdict"), ConnectionResetError("gone"), TimeoutError("late")]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_judge_that_fails_keeps_its_episode_out_of_learning_and_no_other(failure: Exception) -> None:
    group = [episode(f"e{n}", 0.5, float(n), group="g") for n in range(3)]
    group[1].success = True
    shaped(group, ("cost", 1.0, TurnCost()), ("judge", 2.0, Judge(e1=failure)))
    assert group[1].shaping_error == f'reward "judge" failed: {type(failure).__name__}: {failure}'
    assert [member.unfit for member in group] == ["", "not shaped", ""]
    assert [turn.breakdown for turn in group[1].turns] == [{"environment": 0.5}, {"environment": 1.0}]
    assert (group[1].reward, group[1].environment_reward, group[1].success) == (1.5, 1.5, True)
    assert [member.reward for member in group] == [0.5, 1.5, 2.5]
    (compared,) = grouped(group)
    assert [member.episode_id for member in compared.members] == ["e0", "e2"]


def test_a_group_that_cannot_be_judged_is_out_as_a_whole() -> None:
    class Broken(agentgym.Shaper):
        async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
            raise JudgeError("no quorum")

    group = shaped([episode("e0"), episode("e1")], ("broken", 1.0, Broken()), ("cost", 1.0, TurnCost()))
    assert [member.unfit for member in group] == ["not shaped"] * 2
    assert [member.reward for member in group] == [0.0, 0.0]


def test_a_judge_that_hangs_is_given_up() -> None:
    async def hang(trajectory: Trajectory) -> list[float]:
        await asyncio.sleep(60)
        return [0.0]

    (late,) = played(script("open"), shapers=[("hangs", 1.0, hang)], limits=Limits(shaping_seconds=59))
    assert late.shaping_error == 'reward "hangs" took longer than 59 s; raise --rollout.shaping_seconds if it may'
    assert late.success


def test_the_first_of_the_rewards_that_fail_is_told() -> None:
    two = [(name, 1.0, Judge(e0=JudgeError(name))) for name in ("first", "second")]
    (one,) = shaped([episode("e0")], *two)
    assert one.shaping_error == 'reward "first" failed: JudgeError: first'


def test_a_turn_that_the_environment_did_not_pay_has_the_rewards_alone() -> None:
    one = episode("e0", 0.5, 0.0)
    one.turns[1].breakdown = {}
    shaped([one], ("cost", 2.0, TurnCost()))
    assert [(turn.reward, turn.breakdown) for turn in one.turns] == [
        (-1.5, {"environment": 0.5, "cost": -2.0}),
        (-2.0, {"cost": -2.0}),
    ]


def test_an_episode_that_is_shaped_at_last_is_learned_from() -> None:
    group = shaped([episode("e0")], ("judge", 1.0, Judge(e0=JudgeError("down"))))
    assert group[0].unfit == "not shaped"
    shaped(group, ("judge", 1.0, Judge()))
    assert (group[0].unfit, group[0].reward) == ("", 1.0)


def test_members_of_a_group_are_judged_at_once() -> None:
    waiting = 0

    async def patient(trajectory: Trajectory) -> list[float]:
        nonlocal waiting
        waiting += 1
        while waiting < 3:
            await asyncio.sleep(0)
        return [1.0]

    group = shaped([episode(f"e{n}") for n in range(3)], ("patient", 1.0, patient), seconds=30)
    assert [member.reward for member in group] == [1.0] * 3


# -- mistakes ----------------------------------------------------------------------------------------------


def wrong(trajectory: Trajectory) -> list[float]:
    return [trajectory.channels["no such key"]]


async def wrong_later(trajectory: Trajectory) -> list[float]:
    await asyncio.sleep(0)
    return wrong(trajectory)


@pytest.mark.parametrize("reward", [wrong, wrong_later])
def test_a_mistake_in_a_reward_names_it_and_the_line(reward: Callable[[Trajectory], Any]) -> None:
    line = reward.__code__.co_firstlineno + (1 if reward is wrong else 2)
    with pytest.raises(UserError, match=rf'reward "mine" raised KeyError: .*no such key.* \({__file__}:{line}\)'):
        shaped([episode()], ("mine", 1.0, reward))


def test_a_reward_that_cannot_be_called_names_where_it_was_called() -> None:
    two: Any = lambda trajectory, other: [1.0]  # noqa: E731
    with pytest.raises(UserError, match=r"missing 1 required positional argument: 'other' \(.*reward\.py:\d+\)"):
        shaped([episode("e0")], ("mine", 1.0, two))


def test_a_mistake_ends_the_run_when_all_that_were_asked_have_answered() -> None:
    answered: list[str] = []

    async def slow(trajectory: Trajectory) -> list[float]:
        await asyncio.sleep(10)
        answered.append(trajectory.episode_id)
        return [1.0]

    async def go() -> None:
        rewards = [Weighted(name, 1.0, as_shaper(reward)) for name, reward in (("mine", wrong), ("slow", slow))]
        with pytest.raises(UserError, match='reward "mine" raised KeyError'):
            await shape([episode("e0")], rewards)
        assert answered == ["e0"]

    timeless(go())


def test_what_a_reward_tells_the_user_comes_as_it_is() -> None:
    with pytest.raises(UserError, match=r"^choose another channel$"):
        shaped([episode("e0")], ("mine", 1.0, Judge(e0=UserError("choose another channel"))))


class Given(agentgym.Shaper):
    def __init__(self, given: Any) -> None:
        self.given = given

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        given: list[list[float]] = self.given
        return given


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, r"gave None for 2 episodes, expected a list for each"),
        ([[1.0]], r"gave \[\[1\.0\]\] for 2 episodes"),
        ([1.0, 1.0], r"gave 1\.0, expected a list with one number for each turn"),
        (["a", [1.0]], r"gave 'a', expected a list with one number for each turn"),
        ([[1.0, 2.0], [1.0]], r"gave 2 numbers for 1 turns, expected one for each"),
        ([[float("inf")], [1.0]], r"gave inf for turn 0, expected a finite number"),
        ([[10**400], [1.0]], r"gave 10+ for turn 0, expected a finite number"),
        ([["1"], [1.0]], r"gave '1' for turn 0, expected a finite number"),
    ],
)
def test_what_is_no_number_for_each_turn_is_told(given: Any, told: str) -> None:
    with pytest.raises(UserError, match=f'reward "mine" {told}'):
        shaped([episode("e0"), episode("e1")], ("mine", 1.0, Given(given)))


def test_a_reward_that_its_weight_makes_too_large_is_told() -> None:
    told = r'reward "mine" gave 1e\+200 for turn 0, times its weight 1e\+200 beyond what can be learned from'
    with pytest.raises(UserError, match=told):
        shaped([episode("e0"), episode("e1")], ("mine", 1e200, Given([[1e200], [1.0]])))
    with pytest.raises(UserError, match="times its weight -2 beyond"):
        shaped([episode("e0"), episode("e1")], ("mine", -2.0, Given([[1.0], [6e11]])))


def test_what_is_no_reward_is_told_before_anything_is_played() -> None:
    with pytest.raises(UserError, match=r"a reward is an agentgym\.Shaper or a function of a trajectory, found int 3"):
        Rollout(Door, TOKENIZER, Plain(), shapers=[("three", 1.0, 3)], max_context=64)  # type: ignore[list-item]


def test_a_function_may_be_plain_or_async_and_an_object() -> None:
    async def later(trajectory: Trajectory) -> list[float]:
        return [2.0]

    def awaitable(trajectory: Trajectory) -> Awaitable[list[float]]:
        return later(trajectory)

    class Callable_:
        def __call__(self, trajectory: Trajectory) -> list[float]:
            return [3.0]

    rewards = [("a", 1.0, later), ("b", 1.0, awaitable), ("c", 1.0, Callable_()), ("d", 1.0, lambda t: [4.0])]
    (one,) = shaped([episode()], *rewards)
    assert one.turns[0].breakdown == {"environment": 0.0, "a": 2.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert timeless(TurnCost().shape([episode("e0", 0.0, 0.0)])) == [[-1.0, -1.0]]
