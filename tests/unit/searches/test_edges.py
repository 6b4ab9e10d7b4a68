"""What every search does where there is little to find, or where something goes wrong."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

import agentgym
from agentgym.errors import EngineError, UserError
from agentgym.hosts import Where
from agentgym.rollout import Limits, Rollout, engine_actor
from agentgym.search import Search, Table
from agentgym.types import StopReason
from tests.kit import NIGHTLY
from tests.unit.search.kit import (
    LIMITS,
    TOKENIZER,
    WAYS,
    Breaking,
    Critic,
    Drifting,
    Mute,
    OneWay,
    Policy,
    Walked,
    Ways,
    check,
    find,
    specs_of,
    way_of,
    worth,
)
from tests.unit.search.kit import made as made_as

SMALL: dict[str, dict[str, Any]] = {
    "beam": {"width": 2, "proposals": 3},
    "mcts": {"proposals": 3},
    "lookahead": {"proposals": 3},
}


def made(id: str, **options: Any) -> Search:
    return made_as(id, **{**SMALL.get(id, {}), **options})


IDS = agentgym.plugins("searches").ids()
BRANCHING = [id for id in IDS if made(id).comes_back]
WHOLE = [id for id in IDS if id not in BRANCHING]
EVERY = pytest.mark.parametrize("id", IDS)


def judging(id: str, critic: Critic, **options: Any) -> Search:
    search = made(id, **options)
    search.critic = critic
    return search


def test_which_there_are() -> None:
    assert {"beam", "entropy", "fragments", "mcts", "vine"} <= set(BRANCHING)
    assert {"best-of-n", "flat", "lookahead"} <= set(WHOLE)


@EVERY
@pytest.mark.parametrize("num", [1, 4])
def test_lines_are_whole_and_share_what_they_say(id: str, num: int) -> None:
    found = find(made(id), num=num)
    check(found)
    assert {len(line.turns) for line in found.lines} == {3}
    for line in found.lines:
        assert line.stop_reason is StopReason.TERMINATED
        assert line.reward == pytest.approx(worth(way_of(line)))
        assert line.samples[0].num_trained == 6
    assert found.spent.steps > 0
    assert found.spent.lost == 0
    assert made(id).choose(found.lines) in found.lines


@pytest.mark.parametrize(
    ("id", "where"),
    [
        *itertools.product(IDS, ("loop", "threads")),
        pytest.param("mcts", "processes", marks=pytest.mark.slow),
        *(pytest.param(id, "processes", marks=NIGHTLY) for id in IDS if id != "mcts"),
    ],
)
def test_the_same_seed_is_the_same_tree_wherever_it_grows(id: str, where: Where) -> None:
    one, other = find(made(id), WAYS), find(made(id), WAYS, where=where)
    assert other.lines == one.lines
    assert find(made(id), WAYS, seed=1).lines != one.lines
    names = ("sampled", "prefilled", "steps", "merged", "lost", "unjudged", "restores")
    if id not in WHOLE and where == "loop":
        assert [getattr(one.spent, name) for name in names] == [getattr(other.spent, name) for name in names]


@pytest.mark.parametrize("budget", [{"max_tokens": 1}, {"max_steps": 1}, {"max_seconds": 1e-9}], ids=str)
@pytest.mark.parametrize("id", [id for id in IDS if id != "flat"])
def test_a_budget_of_one_is_one_line(id: str, budget: dict[str, float]) -> None:
    found = find(made(id, **budget, **({"width": 1} if id == "beam" else {})), num=1)
    check(found)
    assert len(found.lines) == 1
    assert all(line.stop_reason is StopReason.TERMINATED for line in found.lines)


@pytest.mark.parametrize("id", [id for id in IDS if id != "flat"])
def test_a_budget_is_kept_to(id: str) -> None:
    budget = {"max_tokens": 60} if id == "lookahead" else {"max_steps": 8}  # of each line, which is played in any case
    found, limited = find(made(id), num=9), find(made(id, **budget), num=9)
    check(limited)
    if id != "lookahead":
        assert limited.spent.steps < found.spent.steps
        assert len(limited.lines) < len(found.lines)
    assert limited.spent.tokens < found.spent.tokens


def test_a_search_without_a_choice_takes_no_budget() -> None:
    with pytest.raises(UserError, match="max_tokens"):
        made("flat", max_tokens=1)


@EVERY
def test_where_all_ends_at_once(id: str) -> None:
    found = find(made(id), lambda: Ways(depth=1), num=4)
    check(found)
    assert {len(line.turns) for line in found.lines} == {1}


@EVERY
def test_where_all_proposals_are_equal(id: str) -> None:
    found = find(made(id), num=4, engine=Policy("a"))
    check(found)
    assert {way_of(line) for line in found.lines} == {"aaa"}
    assert len(found.lines) == {"beam": 1, "mcts": 1, "vine": 7}.get(id, 4)


@EVERY
def test_a_critic_that_does_not_answer_is_counted(id: str) -> None:
    mute = find(judging(id, Mute(), **({"by": "score"} if id == "entropy" else {})), num=4)
    check(mute)
    assert (mute.spent.unjudged > 0) == (id not in ("flat", "vine", "fragments"))
    assert all(turn.critic is None for line in mute.lines for turn in line.turns)


@EVERY
def test_a_critic_to_whom_all_is_equal_decides_nothing(id: str) -> None:
    search = judging(id, Critic())
    found = find(search, num=4)
    check(found)
    assert {turn.critic for line in found.lines for turn in line.turns} <= {None, 0.5, 0.0}
    assert search.choose(found.lines) in found.lines


@EVERY
@pytest.mark.parametrize("good", [0, 2, 4, 7])
def test_an_environment_that_breaks_is_tried_again_and_what_there_is_must_do(id: str, good: int) -> None:
    Breaking.left[0] = good
    found = find(made(id), Breaking, num=3)
    whole = [line for line in found.lines if not line.stop_reason.is_void]
    void = [line for line in found.lines if line.stop_reason.is_void]
    assert all(len(line.turns) == 3 for line in whole)
    assert all(line.stop_reason is StopReason.ENV_ERROR and "wall" in str(line.error) for line in void)
    assert whole or void
    if id in BRANCHING:
        assert bool(whole) != bool(void)
        assert len(void) <= 1
        check(found)
    if good < 3:
        assert not whole
    assert made(id).choose(found.lines) in (whole or void)


@EVERY
def test_one_that_breaks_once_is_as_good_as_one_that_does_not(id: str) -> None:
    class Once(Ways):
        steps = itertools.count()

        def step(self, action: str) -> Any:
            if next(Once.steps) == 2:
                raise ZeroDivisionError("wall")
            return super().step(action)

    found, expected = find(made(id), Once), find(made(id))
    assert [way_of(line) for line in found.lines] == [way_of(line) for line in expected.lines]
    assert max(line.attempt for line in found.lines) == 1
    if id in BRANCHING:
        assert found.spent.sampled > expected.spent.sampled


@pytest.mark.parametrize("id", BRANCHING)
def test_a_branch_that_is_not_come_back_to_is_given_up(id: str) -> None:
    found = find(made(id), Drifting, num=4)
    check(found)
    assert found.spent.lost > 0
    assert len(found.lines) == 1
    assert found.lines[0].reward == pytest.approx(worth(way_of(found.lines[0])))


@pytest.mark.parametrize("id", WHOLE)
def test_what_is_not_come_back_to_is_no_matter_without_branches(id: str) -> None:
    found = find(made(id), Drifting, num=3)
    assert (len(found.lines), found.spent.lost) == (3, 0)


@pytest.mark.parametrize("id", BRANCHING)
def test_by_replay_it_finds_what_it_finds_by_state(id: str) -> None:
    found, expected = find(made(id), Walked, num=4), find(made(id), num=4)
    assert [line.model_copy(update={"env": ""}) for line in found.lines] == [
        line.model_copy(update={"env": ""}) for line in expected.lines
    ]
    assert found.spent.restores > 0


@pytest.mark.parametrize("id", BRANCHING)
def test_where_there_is_no_way_back_it_says_so(id: str) -> None:
    told = f'"{id}" comes back to earlier moments, and OneWay cannot: .* --search best-of-n'
    with pytest.raises(UserError, match=told):
        find(made(id), OneWay)


@pytest.mark.parametrize("id", WHOLE)
def test_without_a_way_back_the_others_play(id: str) -> None:
    found, expected = find(made(id), OneWay), find(made(id))
    assert [way_of(line) for line in found.lines] == [way_of(line) for line in expected.lines]


@EVERY
def test_an_engine_that_fails_ends_it_and_leaves_nothing(id: str) -> None:
    class Failing(Policy):
        async def generate(self, *args: Any, **kwargs: Any) -> Any:
            if self.num_replies == 7:
                raise EngineError("no more")
            return await super().generate(*args, **kwargs)

    engine = Failing()
    with pytest.raises(EngineError, match="no more"):
        find(made(id), engine=engine, num=4)
    assert engine.open == set()


@EVERY
@pytest.mark.parametrize("replies", [1, 5, 11])
def test_one_that_is_cancelled_leaves_nothing_behind(id: str, replies: int) -> None:
    engine = Policy()

    async def go() -> None:
        rollout = Rollout(Ways, TOKENIZER, made_protocol(), limits=LIMITS, max_context=4096)
        table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
        task = asyncio.create_task(made(id).play(table, specs_of(6)))
        while engine.num_replies < replies and not task.done():
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (rollout.num_running, len(asyncio.all_tasks())) == (0, 1)
        await rollout.close()

    asyncio.run(go())
    assert engine.open == set()


def made_protocol() -> Any:
    return agentgym.plugins("protocols").build("plain", {})


@EVERY
@pytest.mark.parametrize("on_overflow", ["stop", "keep-last", "summarize"])
def test_where_the_context_is_full_the_episode_ends_or_is_shortened(id: str, on_overflow: Any) -> None:
    class Wordy(Ways):
        def step(self, action: str) -> Any:
            seen, *rest = super().step(action)
            return (seen + "." * 100, *rest)

    limits = Limits(max_reply_tokens=8, on_overflow=on_overflow, context_tokens=330, keep_observations=1)
    engine = Policy()
    found = find(made(id), lambda: Wordy(depth=4), num=4, engine=engine, limits=limits, max_context=800)
    check_shared(found)
    reasons = {line.stop_reason for line in found.lines}
    assert reasons == ({StopReason.CONTEXT_LIMIT} if on_overflow == "stop" else {StopReason.TERMINATED})
    summaries = {sum(turn.is_summary for turn in line.turns) for line in found.lines}
    assert (summaries != {0}) == (on_overflow == "summarize")
    assert found.spent.sampled == 2 * engine.num_replies  # summaries among them
    for line in found.lines:
        assert all(turn.visits is None for turn in line.turns if turn.is_summary)
        if id not in ("flat", "best-of-n"):
            assert all(turn.visits for turn in line.turns if not turn.is_summary)


def check_shared(found: Any) -> None:
    for line in found.lines:
        parent = next((each for each in found.lines if each.episode_id == line.parent_id), None)
        if parent is not None:
            assert line.turns[: line.branch_turn] == parent.turns[: line.branch_turn]


@EVERY
def test_what_it_spent_is_what_was_sampled(id: str) -> None:
    engine = Policy()
    found = find(made(id), num=4, engine=engine)
    assert found.spent.sampled == 2 * engine.num_replies
    samples = [sample for line in found.lines for sample in line.samples]
    assert found.spent.prefilled <= sum(len(s.token_ids) - s.num_trained for s in samples)


def test_the_chosen_line_is_never_a_void_one() -> None:
    lines = find(made("flat"), num=3).lines
    lines[0].stop_reason = StopReason.ENV_ERROR
    for id in IDS:
        for critic in (None, Critic()):
            search = made(id)
            search.critic = critic
            assert search.choose(lines) is not lines[0], id
