"""The turn of an environment of tools: what is run, what is told, what is paid, and when it is over."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from agentgym.errors import EnvError
from agentgym.tools import FunctionTool, Tool, ToolEnv, ToolError, call, tool
from agentgym.types import Action, Observation, StepResult, TaskId, ToolCall
from tests.kit import answered

OVER = "The episode is over. A reply without a call is the last."


class Shop(ToolEnv):
    """Keeps a list of what was done, and pays by its length."""

    instructions = "Buy."
    tool_errors = (ToolError, LookupError)
    max_calls = 3

    def start(self, task: TaskId) -> str:
        self.done: list[str] = []
        self.asked: list[Any] = []
        return f"open {task}"

    @tool
    def buy(self, item: str, count: int = 1) -> dict[str, Any]:
        """Buy something."""
        if item == "nothing":
            raise LookupError("there is nothing")
        if item == "silence":
            raise LookupError
        if item == "bug":
            raise ValueError("a bug")
        self.done.append(f"{count} {item}")
        return {"bought": item, "count": count}

    @tool
    def leave(self) -> None:
        """Leave the shop."""
        self.done.append("left")
        self.finish()

    def verdict(self) -> float:
        self.asked.append("verdict")
        return len(self.done) / 2

    def reward_of(self, verdict: float | None) -> float:
        self.asked.append(verdict)
        return -0.5 if verdict is None else verdict


def begun(cls: type[ToolEnv] = Shop, **options: Any) -> Any:
    env = cls()
    env.reset(seed=3, **options)
    return env


def stepped(env: Any, action: str) -> StepResult:
    return StepResult(*env.step(action))


BOUGHT = '{"bought":"mug","count":2}'


def test_a_turn_that_is_not_the_last_has_no_verdict() -> None:
    env = begun()
    assert stepped(env, "buy(item=mug, count=2)") == (BOUGHT, -0.5, False, False, answered(1))
    assert env.asked == [None]
    assert env.words == ""


@pytest.mark.parametrize(("before", "reward", "success"), [(0, 0.5, False), (1, 1.0, True), (2, 1.5, True)])
def test_the_last_turn_is_judged_once_and_paid_by_the_verdict(before: int, reward: float, success: bool) -> None:
    env = begun()
    for _ in range(before):
        env.step("buy(item=mug)")
    env.asked.clear()
    assert stepped(env, "leave()") == ("done", reward, True, False, {**answered(1), "success": success})
    assert env.asked == ["verdict", reward]


def test_without_a_word_of_its_own_an_environment_pays_the_verdict_and_nothing_before() -> None:
    class Waits(ToolEnv):
        def start(self, task: TaskId) -> str:
            return "begin"

        @tool
        def wait(self) -> str:
            """Wait."""
            return "…"

    env = begun(Waits)
    assert stepped(env, "wait()")[1:] == (0.0, False, False, answered(1))
    assert stepped(env, "bye") == (OVER, 0.0, True, False, {**answered(), "success": False})
    assert env.words == "bye"


CALLS = {
    "good": {"name": "buy", "arguments": {"item": "mug", "count": 2}},
    "refused": {"name": "buy", "arguments": {"item": "nothing"}},
    "silent": {"name": "buy", "arguments": {"item": "silence"}},
    "leave": {"name": "leave"},
    "wrong": {"name": "buy", "arguments": {"count": "x"}},
    "unknown": {"name": "sell"},
}


@pytest.mark.parametrize(
    ("names", "told", "done", "problem", "num"),
    [
        (["good"], BOUGHT, ["2 mug"], None, (1, 0)),
        (["good", "good"], f"buy: {BOUGHT}\nbuy: {BOUGHT}", ["2 mug"] * 2, None, (2, 0)),
        (["good", "good", "good"], "\n".join([f"buy: {BOUGHT}"] * 3), ["2 mug"] * 3, None, (3, 0)),
        (
            ["good"] * 4,
            "These are 4 calls; one turn may make 3.",
            [],
            "These are 4 calls; one turn may make 3.",
            (0, 0),
        ),
        (["refused"], "there is nothing", [], "there is nothing", (1, 1)),
        (["silent"], "LookupError", [], "LookupError", (1, 1)),
        (["good", "refused"], f"buy: {BOUGHT}\nbuy: there is nothing", ["2 mug"], "there is nothing", (2, 1)),
        (["refused", "good"], "buy: there is nothing\nnot run: buy", [], "there is nothing", (1, 1)),
        (["refused", "leave", "good"], "buy: there is nothing\nnot run: leave, buy", [], "there is nothing", (1, 1)),
        (["leave", "good"], "leave: done\nnot run: buy", ["left"], None, (1, 0)),
        (["good", "leave"], f"buy: {BOUGHT}\nleave: done", ["2 mug", "left"], None, (2, 0)),
        (["good", "unknown"], None, [], 'There is no tool "sell". Tools: buy, leave', (1, 1)),
        (["leave", "wrong"], None, [], 'buy: the argument "item" is missing; the argument "count" is "x": ', (1, 1)),
    ],
)
def test_several_calls(
    names: list[str], told: str | None, done: list[str], problem: str | None, num: tuple[int, int]
) -> None:
    env = begun()
    found = stepped(env, json.dumps([CALLS[name] for name in names]))
    assert env.done == done
    assert found.terminated == ("left" in done)
    assert found.info["channels"] == answered(*num)["channels"]
    assert found.info.get("invalid_action", "").startswith(problem or "")
    assert ("invalid_action" in found.info) == (problem is not None)
    assert found.observation == (found.info["invalid_action"] if told is None else told)


def test_calls_that_came_with_the_action_go_before_its_text() -> None:
    env = begun()
    env.step(Action("leave()", tool_calls=[ToolCall(name="buy", arguments={"item": "mug"})]))
    assert env.done == ["1 mug"]
    env.step(call("buy", item="cup", count=2))
    assert env.done == ["1 mug", "2 cup"]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("", "This is empty. Call a tool or say something."),
        (" \n", "This is empty. Call a tool or say something."),
        ("a\udc00", "This is not text: it has half of a character."),
        ("{", "This is not valid JSON: "),
        (
            "buy(item=a mug, blue)",
            'This call cannot be read: "blue)" stands where argument=value or the end of the call was expected. '
            "A text with a comma or a parenthesis goes in double quotes, as in "
            'argument="a, b"; lists and objects are JSON. Usage: buy(item: string, count: integer = 1)',
        ),
        ("buy(item=mug (blue))", 'This call cannot be read: after the value of "item" comes "(blue))", where'),
        ("buy(item=mug", 'This call cannot be read: after the value of "item" comes the end of the text, where'),
        ("buy(item=mug) now", 'This call cannot be read: after it comes "now"; write one call and nothing else'),
        ("I will buy(item=mug).", "This call cannot be read: there is more than the call of buy; write buy(argument="),
        ("buy", "This call cannot be read: its arguments stand in parentheses after the name; write buy(argument="),
        ("buuy(item=a, b)", 'There is no tool "buuy". Did you mean "buy"? Tools: buy, leave'),
        (
            '<tool_call>{"name": "buy", "arguments": {"item": "mug"}}</tool_call>',
            'This has a call in the form "hermes", which is not read here. Call a tool with name(argument=value), and '
            "nothing else in the reply. A text with a comma",
        ),
        ('Sure. {"name": "buy", "arguments": {"item": "mug"}}', 'This has a call in the form "llama", which is not '),
        (
            '```json\n{"tool": "buy", "args": {"item": "mug"}}\n```',
            'There are words or marks around the call of "buy". Call a tool with name(argument=value), and nothing '
            "else in the reply. A text with a comma",
        ),
        ("buuy(item=mug)", 'There is no tool "buuy". Did you mean "buy"? Tools: buy, leave'),
        ("x" * 100 + "()", 'There is no tool "' + "x" * 60 + '". Tools: buy, leave'),
    ],
)
def test_a_mistake_is_told_marked_and_paid_as_any_turn(action: str, words: str) -> None:
    env = begun()
    found = stepped(env, action)
    assert found.observation == found.info["invalid_action"]
    assert found.observation.startswith(words)
    assert (found.reward, found.terminated, env.done, env.asked) == (-0.5, False, [], [None])
    assert set(found.info) == {"channels", "invalid_action"}
    num = int(action in ("buuy(item=mug)", "x" * 100 + "()"))  # these can be read
    assert found.info["channels"] == answered(num, failed=num)["channels"]


def test_an_environment_without_tools_says_so() -> None:
    class Bare(Shop):
        pass

    Bare.toolbox = {}
    assert stepped(begun(Bare), "buy()").observation == 'There is no tool "buy". Tools: none'


def test_what_a_tool_did_not_declare_comes_through() -> None:
    with pytest.raises(ValueError, match="a bug"):
        begun().step("buy(item=bug)")


def test_words_are_heard_without_the_blanks_around_them_and_forgotten_with_the_next_turn() -> None:
    class Talks(Shop):
        def heard(self, words: str) -> Any:
            return {"heard": words} if words != "bye" else None

    env = begun(Talks)
    assert stepped(env, "  it costs 5 (or 6) ")[:3] == ('{"heard":"it costs 5 (or 6)"}', -0.5, False)
    assert env.words == "it costs 5 (or 6)"
    env.step("buy(item=mug)")
    assert env.words == ""
    assert stepped(env, "bye") == (OVER, 0.5, True, False, {**answered(), "success": False})
    assert env.words == "bye"
    env.reset(seed=1)
    assert env.words == ""
    assert not stepped(env, "buy(item=mug)").terminated


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("as it is", "as it is"),
        (None, "done"),
        (3, "3"),
        (True, "true"),
        ([1, "é"], '[1,"é"]'),
        ({"a": None}, '{"a":null}'),
    ],
)
def test_what_a_tool_returns_is_told_as_text(result: Any, told: str) -> None:
    class Returns(Shop):
        @tool
        def look(self) -> Any:
            """Look."""
            return result

    assert stepped(begun(Returns), "look()").observation == told


def test_an_observation_has_the_tools_and_a_call_of_each() -> None:
    env = Shop()
    first, info = env.reset(seed=3)
    seen = Observation.of(first)
    assert (seen, info) == ("open 3", {})
    assert seen.admissible == ("buy(item=<item>)", "leave()")
    assert [schema["function"]["name"] for schema in seen.tools] == ["buy", "leave"]
    again = stepped(env, "buy(item=mug)").observation
    assert (again.admissible, again.tools) == (seen.admissible, seen.tools)


def test_what_a_tool_shows_keeps_its_own_actions_and_tools() -> None:
    class Shows(Shop):
        @tool
        def look(self) -> str:
            """Look."""
            return Observation("a shelf", admissible=["buy(item=mug)"], tools=[{"name": "other"}])

    seen = stepped(begun(Shows), "look()").observation
    assert (seen, seen.admissible, seen.tools) == ("a shelf", ("buy(item=mug)",), ({"name": "other"},))


def test_usage_has_every_tool_with_what_it_is_for() -> None:
    assert begun().usage == (
        "Call a tool with name(argument=value), and nothing else in the reply. A text with a comma or a parenthesis "
        'goes in double quotes, as in argument="a, b"; lists and objects are JSON. Tools:\n'
        "- buy(item: string, count: integer = 1): Buy something.\n"
        "- leave(): Leave the shop."
    )


class Book(BaseModel):
    """A book."""

    title: str = Field(description="as on the cover")
    year: int | None = None


def test_usage_has_what_nested_arguments_are_and_what_they_are_for_on_lines_of_their_own() -> None:
    class Shelf(Shop):
        @tool
        def put(self, books: list[Book], *, to: str = "east") -> None:
            """Put books away.

            Args:
                books: in any order.
            """

    assert begun(Shelf).usage.splitlines()[3:] == [
        '- put(books: array of {title: string, year: integer or null = null}, to: string = "east"): Put books away.',
        "    books: in any order.",
        "    books[]: A book.",
        "    books[].title: as on the cover",
    ]
    told = stepped(begun(Shelf), 'put(books=["x"])').observation
    assert "Usage: put(books: array of {title: string, year: integer or null = null}, to: string" in told


def test_the_usage_of_a_tool_with_what_may_be_left_out_says_how_that_is_marked() -> None:
    assert "?" not in begun().usage
    env = begun()
    env.toolbox = {"get": Plain("get", "Get.", {"properties": {"a": {"type": "integer"}}})}
    assert env.usage.endswith("objects are JSON. ? marks what may be left out. Tools:\n- get(a?: integer): Get.")


class Plain(Tool):
    """Takes anything."""

    def check(self, arguments: Any) -> Any:
        return dict(arguments)

    def run(self, owner: Any, arguments: Any) -> Any:
        return ""


def test_an_episode_that_a_tool_ends_without_a_word_says_so() -> None:
    class Quiet(Shop):
        @tool
        def quit(self) -> str:
            """End it."""
            self.finish()
            return ""

        @tool
        def look(self) -> str:
            """See nothing."""
            return ""

    assert stepped(begun(Quiet), "quit()").observation == "The episode is over. quit ended it."
    assert stepped(begun(Quiet), "look()").observation == ""


def test_a_tool_whose_name_is_no_identifier_is_called_by_it() -> None:
    env = begun()
    env.toolbox = {name: Plain(name, "x", {"properties": {"$a": {}}}) for name in ("user/get", "2fa")}
    for action in ("user/get($a=1)", "2fa()"):
        assert stepped(env, action)[2:] == (False, False, answered(1))


def test_an_instance_may_have_tools_of_its_own() -> None:
    def whisper(owner: Shop, word: str) -> str:
        """Say it softly."""
        owner.done.append(word)
        return word.lower()

    env, other = begun(), begun()
    env.toolbox = {"whisper": FunctionTool(whisper)}
    assert stepped(env, "whisper(word=YES)").observation == "yes"
    assert env.done == ["YES"]
    assert "no tool" in stepped(env, "buy(item=mug)").observation
    assert "no tool" in stepped(other, "whisper(word=YES)").observation


class Tasked(Shop):
    def tasks(self, split: str) -> list[str]:
        return {"train": ["a", "b", "c"], "validation": ["v"], "test": ["t"]}[split]


def test_the_task_is_what_was_asked_for_or_drawn_from_training_by_the_seed_or_the_seed_itself() -> None:
    env = Tasked()
    assert env.reset(seed=0, options={"task": "t"})[0] == "open t"
    drawn = [env.reset(seed=seed)[0] for seed in range(12)]
    assert set(drawn) == {"open a", "open b", "open c"}
    assert drawn == [Tasked().reset(seed=seed)[0] for seed in range(12)]
    assert Shop().reset(seed=4)[0] == "open 4"
    assert Shop().reset(seed=4, options={"task": 9})[0] == "open 9"


def test_tools_of_a_base_come_first_and_what_is_overridden_without_a_mark_is_none() -> None:
    class More(Shop):
        @tool
        def ask(self) -> str:
            """Ask."""
            return "yes"

        @tool
        def buy(self, item: str) -> str:  # type: ignore[override]
            """Buy otherwise."""
            return f"otherwise {item}"

        def leave(self) -> None:
            """No tool anymore."""

    assert list(More.toolbox) == ["buy", "ask"]
    assert stepped(begun(More), "buy(item=mug)").observation == "otherwise mug"
    assert list(Shop.toolbox) == ["buy", "leave"]


def test_hooks_that_wait_make_an_async_environment() -> None:
    class Waits(Shop):
        async def reward_of(self, verdict: float | None) -> float:  # type: ignore[override]
            await asyncio.sleep(0)
            return 7.0

    async def go() -> None:
        env: Any = Waits()
        assert env.is_async
        assert not begun().is_async
        assert (await env.reset(seed=3))[0] == "open 3"
        assert (await env.step("leave()"))[1] == 7.0

    asyncio.run(go())

    class Own(Waits):
        """Steps in its own way."""

        async def step(self, action: str) -> Any:  # type: ignore[override]
            return "own", 0.0, True, False, {}

        async def heard(self, words: str) -> None:
            return None

    async def own() -> None:
        env: Any = Own()
        await env.reset(seed=0)
        assert (await env.step("leave()"))[0] == "own"

    asyncio.run(own())


def test_an_end_that_was_taken_back_is_none() -> None:
    class Native(Shop):
        def get_state(self) -> list[str]:
            return list(self.done)

        def set_state(self, state: list[str]) -> None:
            self.done = list(state)

    env = begun(Native)
    before = env.snapshot()
    assert stepped(env, "leave()").terminated
    env.restore(before)
    assert not stepped(env, "buy(item=mug)").terminated
    assert env.done == ["1 mug"]


def test_a_tool_that_waits_without_saying_so_is_an_error() -> None:
    class Hidden(Shop):
        @tool
        def wait(self) -> Any:
            """Wait without saying so."""
            return asyncio.sleep(0)

    with pytest.raises(EnvError, match=r"^Hidden: a tool or hook waits; define it with async def$"):
        begun(Hidden).step("wait()")


def test_an_environment_must_begin_somehow() -> None:
    class Nothing(ToolEnv):
        pass

    with pytest.raises(NotImplementedError, match=r"^Nothing must define start\(task\)$"):
        Nothing().reset(seed=0)
