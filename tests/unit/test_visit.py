"""Episodes by hand: plain and async environments look the same, to those who await and to those who block."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.corpus import corpus
from agentgym.env import Expert
from agentgym.errors import EnvError, UserError
from agentgym.loops import run
from agentgym.types import Action, Observation, StepResult
from agentgym.visit import Player, Standing, Visit

WORDS = ("add", "win", "cut", "lose", "what")


class Ledger(agentgym.Env):
    """Pays for each "add"; "win", "lose" and "cut" end it."""

    max_turns = 4

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.said: list[str] = []
        return f"task {(options or {}).get('task')}, {self.np_random.integers(100)}", {"fresh": True}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.said.append(action)
        info = {"success": action == "win"} if action in ("win", "lose") else {}
        reward = 0.5 if action == "add" else float(self.np_random.integers(3) == 1)
        return f"{len(self.said)}: {action}", reward, action in ("win", "lose"), action == "cut", info

    def expert(self) -> Expert:
        plan = iter(("add", "add", "win"))
        return lambda observation: next(plan)

    def get_state(self) -> list[str]:
        return list(self.said)

    def set_state(self, state: list[str]) -> None:
        self.said = list(state)


class AsyncLedger(Ledger):
    """The same, after a while."""

    async def reset(self, **options: Any) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().reset(**options)

    async def step(self, action: str) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().step(action)

    def expert(self) -> Any:
        plan = super().expert()

        async def ask(observation: Observation) -> str | Action:
            return plan(observation)

        return ask

    async def close(self) -> None:  # type: ignore[override]
        self.closed = True


@pytest.mark.parametrize(
    ("actions", "success"),
    [(["add", "win"], True), (["add", "add", "lose"], False), (["add"] * 4, False), (["add", "add", "cut"], True)],
)
def test_what_the_environment_says_counts_and_else_the_total(actions: list[str], success: bool) -> None:
    with Player(Ledger()) as player:
        player.reset(0, 0)
        for action in actions:
            player.step(action)
        assert player.now.success is success
        assert player.goes_on is False


def test_the_expert_is_made_once_an_episode_and_anew_where_it_is_taken_back_to() -> None:
    with Player(Ledger()) as player:
        player.reset(0, 0)
        assert [player.expert(), player.expert()] == ["add", "add"]
        begun, mark = player.now, player.save()
        assert isinstance(player.expert(), Action)
        player.step("cut")
        player.load(mark, begun)
        assert (player.now, player.goes_on) == (begun, True)
        assert [player.expert() for _ in range(3)] == ["add", "add", "win"]
        assert Player(Plain()).expert() is None


class Plain(agentgym.Env):
    """Answers with whatever it is told to, past the base class."""

    answer: Any = ("", {})

    def reset(self, **_: Any) -> Any:
        return "Go.", {}

    def step(self, action: str) -> Any:
        raise ZeroDivisionError("oops")

    def expert(self) -> Any:
        return None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"reset returned NoneType None, expected \(observation, info\)"),
        ((1, {}), "an observation is text, found int 1"),
        (("a", {}, 1), r"expected \(observation, info\)"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_refused(answer: Any, message: str) -> None:
    env = Plain()
    env.reset = lambda **_: answer  # type: ignore[method-assign]
    with pytest.raises(EnvError, match=message):
        run(Visit(env).reset())


def test_a_step_past_the_boundary_is_refused() -> None:
    env = Plain()
    env.step = lambda action: ("seen", 1.0, True, False, {})  # type: ignore[method-assign]
    player = Player(env)
    player.reset()
    with pytest.raises(EnvError, match="past the boundary"):
        player.step("a")
    assert player.now.num_turns == 0


def test_what_the_environment_raises_comes_through_and_the_episode_stands_where_it_stood() -> None:
    visit = Visit(Plain())
    visit.env.expert = lambda: lambda observation: 1  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(EnvError, match="an expert says text"):
        run(visit.expert())
    run(visit.reset())
    begun = visit.now
    with pytest.raises(ZeroDivisionError):
        run(visit.step("a"))
    assert visit.now is begun
    assert Player(Plain()).now.is_over, "before the first reset there is nothing to go on with"


@pytest.mark.parametrize("where", [lambda f: f(), lambda f: asyncio.run(as_async(f))])
def test_a_plain_environment_is_played_by_blocking_calls_also_in_a_running_loop(where: Any) -> None:
    def played() -> float:
        with Player(Ledger()) as player:
            player.reset(0, 0)
            player.step("add")
            return player.now.total

    assert where(played) == 0.5


async def as_async(function: Any) -> Any:
    return function()


def test_an_async_close_is_awaited() -> None:
    one, other = AsyncLedger(), AsyncLedger()
    run(Visit(one).close())
    Player(other).close()
    assert one.closed
    assert other.closed


def test_where_a_reset_fails_there_is_no_episode_to_go_on_with() -> None:
    env = Plain()
    player = Player(env)
    player.reset()
    assert player.goes_on
    env.reset = lambda **_: None  # type: ignore[method-assign]
    with pytest.raises(EnvError, match="reset returned None"):
        player.reset()
    assert (player.goes_on, player.now.is_over, player.now.success) == (False, True, False)


def test_the_loop_ends_though_the_environment_does_not_close() -> None:
    class Stuck(AsyncLedger):
        async def close(self) -> None:  # type: ignore[override]
            raise ZeroDivisionError("stuck")

    player = Player(Stuck())
    player.reset()
    loop = player.settled.loop
    with pytest.raises(ZeroDivisionError, match="stuck"), player:
        assert not loop.is_closed()
    assert loop.is_closed()


def test_one_that_awaits_goes_back_to_where_it_was() -> None:
    async def go() -> None:
        visit = Visit(AsyncLedger())
        await visit.reset(0, 0)
        await visit.step("add")
        begun, mark = visit.now, await visit.save()
        assert await visit.expert() == "add"
        await visit.step("cut")
        await visit.load(mark, begun)
        assert (visit.now, visit.goes_on, visit.now.total) == (begun, True, 0.5)
        assert (await visit.step("win")).observation == "2: win"
        assert (visit.now.num_turns, visit.now.success) == (2, True)

    run(go())


def test_a_reward_is_of_the_last_turn_and_the_total_of_all() -> None:
    with Player(Ledger()) as player:
        player.reset(0, 0)
        seen = []
        for _ in range(3):
            player.step("add")
            seen.append((player.now.num_turns, player.now.reward, player.now.total, player.goes_on))
        assert seen == [(1, 0.5, 0.5, True), (2, 0.5, 1.0, True), (3, 0.5, 1.5, True)]
        assert player.now.success is False, "it is not over"
        player.step("add")
        assert (player.now.num_turns, player.goes_on, player.now.is_over) == (4, False, False)
        player.reset(1, 0)
        assert (player.now.num_turns, player.now.reward, player.now.total, player.goes_on) == (0, 0.0, 0.0, True)


Episode = tuple[int | None, int, Sequence[str]]
Seen = list[tuple[Standing, bool, Action | None]]


async def awaited(env: agentgym.Env, episodes: Sequence[Episode]) -> Seen:
    """How each episode stands after each turn, and what the expert says after the reset."""
    visit, seen = Visit(env), []
    for task, seed, actions in episodes:
        await visit.reset(task, seed)
        seen.append((visit.now, visit.goes_on, await visit.expert()))
        for action in actions:
            if not visit.now.is_over:
                result = await visit.step(action)
                assert result.observation == visit.now.observation
                seen.append((visit.now, visit.goes_on, None))
    await visit.close()
    return seen


def blocked(env: agentgym.Env, episodes: Sequence[Episode]) -> Seen:
    seen: Seen = []
    with Player(env) as player:
        for task, seed, actions in episodes:
            player.reset(task, seed)
            seen.append((player.now, player.goes_on, player.expert()))
            for action in actions:
                if not player.now.is_over:
                    player.step(action)
                    seen.append((player.now, player.goes_on, None))
    return seen


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 99), st.integers(0, 2**31), st.lists(st.sampled_from(WORDS), max_size=6)),
        max_size=3,
    )
)
def test_all_ways_see_the_same(episodes: list[Episode]) -> None:
    expected = asyncio.run(awaited(Ledger(), episodes))
    assert asyncio.run(awaited(AsyncLedger(), episodes)) == expected
    assert blocked(Ledger(), episodes) == expected
    assert blocked(AsyncLedger(), episodes) == expected
    for (standing, goes_on, said), (following, *_) in itertools.pairwise(expected):
        assert said in (None, "add")
        assert goes_on is (not standing.is_over and standing.num_turns < 4)
        if following.num_turns:
            assert following.num_turns == standing.num_turns + 1
            assert following.total == standing.total + following.reward


# -- the corpus ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [Ledger, AsyncLedger])
def test_a_corpus_is_what_experts_see_and_say(env: type[Ledger]) -> None:
    class Few(env):  # type: ignore[misc, valid-type]
        instructions = "Say add."
        corpus_episodes = 2

    seen, said = run(corpus(Few()))
    assert said == ["add", "add", "win"] * 2
    assert [text.split(",")[0] for text in seen] == ["Say add.", *(["task 0", *TURNS]), *(["task 1", *TURNS])]


TURNS = ("1: add", "2: add", "3: win")


def test_a_corpus_without_an_expert_is_said_at_random_from_what_is_listed_or_seen() -> None:
    class Shown(Plain):
        corpus_episodes, max_turns = 3, 4

        def step(self, action: str) -> Any:
            return agentgym.Observation("red blue", admissible=["a", "b"]), 0.0, False, False, {}

    _, said = run(corpus(Shown()))
    assert said[::4] == ["Go."] * 3
    assert set(said) == {"Go.", "a", "b"}


def test_a_corpus_of_an_environment_that_breaks_is_refused() -> None:
    with pytest.raises(UserError, match='"Plain" breaks in its first episodes: ZeroDivisionError: oops'):
        run(corpus(Plain()))


def test_a_corpus_gives_calls_of_tools_on() -> None:
    call = Action(tool_calls=[agentgym.ToolCall(name="add", arguments={"a": 1})])
    heard: list[Any] = []

    class Calls(Plain):
        corpus_episodes = 1

        def expert(self) -> Any:
            return lambda observation: call

        def step(self, action: str) -> Any:
            heard.append(action)
            return StepResult(Observation(""), 1.0, True, False, {})

    _, said = run(corpus(Calls()))
    assert said == [str(call)]
    assert heard[0].tool_calls == call.tool_calls
