"""One episode that can be taken back, moment by moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

import agentgym
from agentgym.conversation import LEFT_OUT
from agentgym.errors import EnvError, SnapshotError, UserError
from agentgym.protocols.composite import Composite
from agentgym.protocols.plain import Plain
from agentgym.protocols.react import React
from agentgym.protocols.tools import Tools
from agentgym.repl.game import Game, GameError, told
from agentgym.tools import call
from agentgym.types import Action, Observation
from tests.unit.repl.kit import Stairs


def played(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def begun(*actions: str, env: agentgym.Env | None = None, **options: Any) -> Game:
    game = Game(env or Stairs(), **options)
    await game.start()
    for action in actions:
        await game.act(Action(action))
    return game


def standing(game: Game) -> tuple[int, str, float, float]:
    """Turn, what is seen, the reward of the turn and all so far."""
    now = game.now.standing
    return game.num_turns, str(game.now.observation), now.reward, now.total


def test_a_game_begins_with_the_reset_and_counts_rewards() -> None:
    async def go() -> None:
        game = await begun(seed=5)
        assert standing(game) == (0, "stair 0 of seed 5", 0.0, 0.0)
        assert (game.now.reply, game.now.action, game.now.problem) == (None, None, None)
        assert game.now.standing.info == {"begun": True}
        moment = await game.act(Action("up"), reply="I go up")
        assert moment is game.now
        assert (moment.action, moment.reply, moment.problem) == ("up", "I go up", None)
        assert standing(game) == (1, "stair 1", 0.25, 0.25)
        await game.act(Action("up"))
        assert standing(game) == (2, "stair 2", 0.5, 0.75)
        assert game.now.reply is None
        await game.act(Action("stumble"))
        assert standing(game) == (3, "stair 2", -1.0, -0.25)
        assert (game.now.action, game.now.problem) == ("stumble", "you stumble")

    played(go())


@pytest.mark.parametrize("restored_by", ["replay", "copy"])
def test_undo_goes_back_by_exactly_so_many_turns(restored_by: str) -> None:
    async def go() -> None:
        game = await begun("a", "b", "c", env=type("S", (Stairs,), {"restored_by": restored_by})())
        await game.undo()
        assert standing(game) == (2, "stair 2", 0.5, 0.75)
        await game.act(Action("d"))
        assert standing(game) == (3, "stair 3", 0.75, 1.5)
        await game.undo(2)
        assert standing(game) == (1, "stair 1", 0.25, 0.25)
        await game.act(Action("e"))
        assert [moment.action for moment in game.moments] == [None, "a", "e"]
        await game.undo(2)
        assert standing(game) == (0, "stair 0 of seed 0", 0.0, 0.0)
        with pytest.raises(GameError, match="nothing to undo: this is the first observation"):
            await game.undo()
        await game.act(Action("f"))
        await game.undo(99)
        assert standing(game)[:2] == (0, "stair 0 of seed 0")

    played(go())


def test_an_episode_that_is_over_goes_on_after_undo_alone() -> None:
    async def go() -> None:
        game = await begun("a", "b", "c", "d")
        assert game.now.standing.terminated
        for asked in (game.act(Action("e")), game.hear("Action: e", React()), game.hear("?", React())):
            with pytest.raises(GameError, match="the episode is over: :undo takes the last turn back"):
                await asked
        with pytest.raises(GameError, match="the episode is over"):
            await game.expert_action()
        assert game.num_turns == 4
        await game.undo()
        await game.act(Action("e"))
        assert standing(game) == (4, "stair 4", 1.0, 2.5)

    played(go())


def test_a_cut_episode_is_over_too() -> None:
    def step(self: Any, action: str) -> Any:
        return "cut", 0.0, False, True, {}

    async def go() -> None:
        game = await begun("a", env=type("Cut", (Stairs,), {"step": step})())
        with pytest.raises(GameError, match="the episode is over"):
            await game.act(Action("b"))

    played(go())


def test_a_kept_moment_is_not_changed_by_what_is_played_afterwards() -> None:
    async def go() -> None:
        game = await begun("a")
        game.keep("here")
        await game.act(Action("b"))
        await game.act(Action("c"))
        game.keep("there")
        await game.goto("here")
        assert standing(game) == (1, "stair 1", 0.25, 0.25)
        await game.act(Action("x"))
        await game.goto("there")
        assert [moment.action for moment in game.moments] == [None, "a", "b", "c"]
        assert standing(game) == (3, "stair 3", 0.75, 1.5)
        await game.undo()
        await game.goto("here")
        assert [moment.action for moment in game.moments] == [None, "a"]
        await game.act(Action("y"))
        await game.goto("there")
        assert game.num_turns == 3

    played(go())


def test_a_reply_that_cannot_be_read_is_a_turn_without_a_step() -> None:
    async def go() -> None:
        game = await begun("a")
        moment = await game.hear("I wonder", React())
        assert (moment.reply, moment.action) == ("I wonder", None)
        assert moment.problem == "No action found. End your reply with a line 'Action: <one action>'."
        assert standing(game) == (2, "stair 1", 0.0, 0.25)
        await game.hear("Action: b", React())
        assert (game.now.reply, game.now.action) == ("Action: b", "b")
        assert standing(game) == (3, "stair 2", 0.5, 0.75)
        await game.undo()
        assert standing(game) == (2, "stair 1", 0.0, 0.25)
        await game.undo()
        assert standing(game) == (1, "stair 1", 0.25, 0.25)

    played(go())


def test_the_conversation_is_what_a_policy_would_have_seen() -> None:
    async def go() -> None:
        game = await begun("a", "stumble")
        await game.hear("I wonder", React())
        await game.hear("Thought: ok\nAction: b", React())
        assert game.conversation(React()) == [
            {"role": "system", "content": f"Climb.\n{React.rules}"},
            {"role": "user", "content": "stair 0 of seed 0"},
            {"role": "assistant", "content": "Action: a"},
            {"role": "user", "content": "stair 1"},
            {"role": "assistant", "content": "Action: stumble"},
            {"role": "user", "content": "stair 1"},
            {"role": "assistant", "content": "I wonder"},
            {"role": "user", "content": "No action found. End your reply with a line 'Action: <one action>'."},
            {"role": "assistant", "content": "Thought: ok\nAction: b"},
            {"role": "user", "content": "stair 2"},
        ]
        assert [message["content"] for message in game.conversation(Plain())][:4] == [
            "Climb.",
            "stair 0 of seed 0",
            "a",
            "stair 1",
        ]

    played(go())


def test_where_a_protocol_has_the_newest_page_alone_the_conversation_has() -> None:
    async def go() -> None:
        game = await begun("a", "b")
        await game.hear("I wonder", Composite("command"))
        assert [message["content"] for message in game.conversation(Composite("command"))][1:] == [
            LEFT_OUT,
            "COMMANDS: a",
            LEFT_OUT,
            "COMMANDS: b",
            "stair 2",
            "I wonder",
            game.now.problem,
        ]
        said = [message["content"] for message in game.conversation(Composite()) if message["role"] == "assistant"]
        assert [reply.startswith("PLAN:") for reply in said] == [True, False, False]

    played(go())


def test_calls_of_tools_are_put_as_the_protocol_puts_them() -> None:
    async def go() -> None:
        game = await begun()
        await game.act(call("climb", by=2))
        assert game.conversation(Tools())[2]["content"] == (
            '<tool_call>{"name": "climb", "arguments": {"by": 2}}</tool_call>'
        )

    played(go())


def test_the_expert_goes_by_what_is_seen_now() -> None:
    async def go() -> None:
        game = await begun("a")
        assert await game.expert_action() == "climb from stair 1"
        await game.undo()
        assert await game.expert_action() == "climb from stair 0 of seed 0"
        assert game.num_turns == 0
        alone = await begun(env=type("Alone", (Stairs,), {"expert": lambda self: None})())
        with pytest.raises(GameError, match=r"^Alone has no expert\(\)$"):
            await alone.expert_action()

    played(go())


@pytest.mark.parametrize(
    ("action", "words"), [("fall", r"^LookupError: no stair there \(\S+kit\.py:\d+\)$"), ("hang", "^interrupted$")]
)
def test_what_breaks_off_leaves_the_game_where_it_stood(action: str, words: str) -> None:
    async def go() -> None:
        env = Stairs()
        game = await begun("a", "b", env=env)
        with pytest.raises(GameError, match=words) as error:
            await game.act(Action(action))
        assert isinstance(error.value.__cause__, LookupError | KeyboardInterrupt)
        assert (env.stair, game.num_turns) == (2, 2)
        await game.act(Action("c"))
        assert standing(game) == (3, "stair 3", 0.75, 1.5)

    played(go())


def test_a_cancelled_turn_leaves_the_game_where_it_stood() -> None:
    class Waits(Stairs):
        async def reset(self, **options: Any) -> Any:  # type: ignore[override]
            return super().reset(**options)

        async def step(self, action: str) -> Any:  # type: ignore[override]
            result = super().step(action)
            if action == "wait":
                begun_waiting.set()
                await asyncio.Event().wait()
            return result

    async def go() -> None:
        game = Game(Waits())
        await game.start()
        await game.act(Action("a"))
        turn = asyncio.create_task(game.act(Action("wait")))
        await begun_waiting.wait()
        turn.cancel()
        with pytest.raises(GameError, match=r"^interrupted$"):
            await turn
        await game.act(Action("b"))
        assert standing(game) == (2, "stair 2", 0.5, 0.75)

    begun_waiting = asyncio.Event()
    played(go())


def test_an_environment_that_cannot_be_put_back_is_told() -> None:
    class Drifts(Stairs):
        episodes = 0

        def reset(self, **options: Any) -> Any:
            self.episodes += 1
            return f"episode {self.episodes}", super().reset(**options)[1]

    async def go() -> None:
        game = await begun("a", env=Drifts())
        with pytest.raises(GameError, match="is not deterministic") as error:
            await game.act(Action("fall"))
        first, second, third = str(error.value).split("\n")
        assert first.startswith("LookupError: no stair there (tests/unit/repl/kit.py:")
        assert second.startswith("and it could not be put back as it was: Drifts is not deterministic")
        assert third == ":restart begins the episode again"

    played(go())


def test_an_environment_that_cannot_be_saved_is_played_without_a_way_back() -> None:
    def get_state(self: Any) -> Any:
        raise LookupError("no state")

    async def go() -> None:
        game = await begun("a", "b", env=type("Unsaved", (Stairs,), {"get_state": get_state})())
        assert standing(game) == (2, "stair 2", 0.5, 0.75)
        assert game.now.mark is None
        words = "^Unsaved could not be saved at that moment; :restart begins the episode again"
        with pytest.raises(GameError, match=words) as error:
            await game.undo()
        assert isinstance(error.value.__cause__, SnapshotError)
        assert game.num_turns == 2

    played(go())


# -- episodes -------------------------------------------------------------------------------------------------


class Floors(Stairs):
    """Has tasks."""

    def tasks(self, split: str) -> Any:
        return {"train": range(10), "validation": range(10, 12), "test": range(20, 30)}[split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if (options or {}).get("task") == 13:
            raise UserError("there is no floor 13")
        return super().reset(seed=seed, options=options)


def test_the_task_is_what_was_asked_for_or_drawn_from_the_split_by_the_seed_or_the_environments_choice() -> None:
    async def go() -> None:
        env = Floors()
        game = await begun(env=env, seed=4)
        assert (game.chosen, env.options, env.seed) == (None, {}, 4)
        await game.start(task=7)
        assert (game.task, game.chosen, env.options, env.seed) == (7, 7, {"task": 7}, 4)
        await game.start(task="07")
        assert game.chosen == 7
        await game.start(task=None, split="test")
        first = game.chosen
        assert first in range(20, 30)
        assert env.options == {"task": first}
        await game.start()
        assert game.chosen == first
        drawn = set()
        for seed in range(10):
            await game.start(seed=seed)
            assert env.seed == seed
            drawn.add(game.chosen)
        assert len(drawn) > 3
        await game.start(task=3)  # goes before the split
        assert game.chosen == 3

    played(go())


@pytest.mark.parametrize(
    "changes",
    [{"task": 13, "seed": 9}, {"task": None, "split": "nowhere", "seed": 9}],
)
def test_an_episode_that_cannot_begin_changes_nothing(changes: dict[str, Any]) -> None:
    async def go() -> None:
        env = Floors()
        game = await begun("a", env=env, task=2, split="test", seed=1)
        with pytest.raises(GameError):
            await game.start(**changes)
        assert (game.task, game.split, game.seed, game.chosen) == (2, "test", 1, 2)
        assert env.options == {"task": 2}
        await game.act(Action("b"))
        assert standing(game) == (2, "stair 2", 0.5, 0.75)

    played(go())


def test_a_first_episode_that_cannot_begin_is_the_error_itself() -> None:
    async def go() -> None:
        with pytest.raises(UserError, match="there is no floor 13"):
            await begun(env=Floors(), task=13)

    played(go())


def test_a_new_episode_forgets_the_turns_and_keeps_the_branches() -> None:
    async def go() -> None:
        game = await begun("a")
        game.keep("here")
        await game.start(seed=3)
        assert standing(game) == (0, "stair 0 of seed 3", 0.0, 0.0)
        await game.goto("here")
        await game.act(Action("b"))
        assert standing(game) == (2, "stair 2", 0.5, 0.75)

    played(go())


@pytest.mark.parametrize(
    ("first", "typed", "chosen"),
    [(0, "12", 12), (0, "٣", 3), (0, "x", "x"), (0, "-1", "-1"), ("a", "12", "12"), (0, 12, 12)],
)
def test_a_typed_task_is_a_number_where_tasks_are_numbers(first: Any, typed: Any, chosen: Any) -> None:
    def tasks(self: Any, split: str) -> list[Any]:
        return [first]

    async def go() -> None:
        game = await begun(env=type("Tasked", (Stairs,), {"tasks": tasks})(), task=typed)
        assert (game.chosen, type(game.chosen)) == (chosen, type(chosen))

    played(go())


def test_an_environment_without_training_tasks_takes_the_task_as_it_was_typed() -> None:
    def tasks(self: Any, split: str) -> list[Any]:
        return []

    async def go() -> None:
        assert (await begun(env=type("Tasked", (Stairs,), {"tasks": tasks})(), task="12")).chosen == "12"

    played(go())


def test_errors_in_words() -> None:
    assert told(EnvError("as it was said")) == "as it was said"
    assert told(KeyboardInterrupt()) == told(asyncio.CancelledError()) == "interrupted"
    assert told(LookupError("nowhere")) == "LookupError: nowhere"

    def inner() -> None:
        raise LookupError("deep")

    with pytest.raises(LookupError) as error:
        inner()
    line = inner.__code__.co_firstlineno + 1
    assert told(error.value) == f"LookupError: deep (tests/unit/repl/test_game.py:{line})"


def test_what_is_seen_at_a_moment_is_an_observation() -> None:
    async def go() -> None:
        assert isinstance((await begun()).now.observation, Observation)

    played(go())
