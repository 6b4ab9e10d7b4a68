"""Environments of tools: schemas, calls read from text, what is checked, what is told, and the turn as a whole."""

from __future__ import annotations

import asyncio
import enum
import json
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import agentgym
from agentgym.errors import EnvError, UserError
from agentgym.media import as_media
from agentgym.tools import FunctionTool, ToolEnv, ToolError, call, parse_calls, tool
from agentgym.tools.tool import typed
from agentgym.types import Action, Observation, StepResult, TaskId, ToolCall
from tests.kit import answered

OVER = "The episode is over. A reply without a call is the last."
TEXT = st.text(alphabet=st.characters(codec="utf-8"))


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: int
    y: int = 0


class Desk(ToolEnv):
    """Every kind of argument and every kind of end."""

    tool_errors = (ToolError, LookupError)

    def start(self, task: TaskId) -> str:
        self.log: list[Any] = []
        return f"task {task}"

    @tool
    def add(self, a: int, b: int = 1) -> int:
        """Add two
        numbers.

        Args:
            a: the first number,
                told on two lines.
            b: the second.

        Returns:
            their sum.
        """
        self.log.append(a)
        return a + b

    @tool
    def paint(self, color: Color, tone: Literal["light", "dark"] | None = None, copy: list[Point] | None = None) -> Any:
        """Paint something."""
        return [color, tone, copy]

    @tool
    def lose(self, what: str) -> None:
        """Raise what the name says."""
        if what == "nothing":
            return
        raise {"key": LookupError("no such key"), "call": ToolError(), "bug": RuntimeError("a bug")}[what]

    @tool
    def leave(self) -> str:
        """End the episode."""
        self.finish()
        return "bye"

    def helper(self) -> None:
        """No tool."""

    def verdict(self) -> float:
        return len(self.log) / 2


class Talker(Desk):
    """Words are for the user, who answers."""

    def heard(self, words: str) -> str | None:
        return None if words == "bye" else f"you said {words}"


def begun(cls: type[ToolEnv] = Desk) -> ToolEnv:
    env = cls()
    env.reset(seed=3)
    return env


def after(action: str, cls: type[ToolEnv] = Desk) -> StepResult:
    return StepResult(*begun(cls).step(action))  # type: ignore[arg-type]


# -- schemas ---------------------------------------------------------------------------------------------


def test_the_schema_of_a_method_by_hand() -> None:
    assert Desk.toolbox["add"].schema == {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two numbers.",
            "parameters": {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "the first number, told on two lines."},
                    "b": {"type": "integer", "default": 1, "description": "the second."},
                },
                "required": ["a"],
                "additionalProperties": False,
            },
        },
    }


def test_tools_are_the_marked_methods_in_order_with_those_of_the_base_first() -> None:
    class More(Desk):
        @tool
        def zoom(self) -> None:
            """Look closer."""

        def lose(self, what: str) -> None:
            """No tool anymore."""

    assert list(Desk.toolbox) == ["add", "paint", "lose", "leave"]
    assert list(More.toolbox) == ["add", "paint", "leave", "zoom"]
    assert [entry["function"]["name"] for entry in begun(More).reset(seed=0)[0].tools] == list(More.toolbox)  # type: ignore[attr-defined]


def test_usage_and_template_are_one_line_each() -> None:
    assert Desk.toolbox["add"].usage == "add(a: integer, b: integer = 1)"
    assert Desk.toolbox["paint"].usage == (
        'paint(color: "red" or "blue", tone: "light" or "dark" or null = null, '
        "copy: array of {x: integer, y: integer = 0} or null = null)"
    )
    assert [one.template for one in Desk.toolbox.values()] == [
        "add(a=<a>)",
        "paint(color=<color>)",
        "lose(what=<what>)",
        "leave()",
    ]
    assert begun().usage.splitlines()[1] == "- add(a: integer, b: integer = 1): Add two numbers."


def no_docstring(self: Any, a: int) -> None: ...
def no_hint(self: Any, a) -> None:  # type: ignore[no-untyped-def]
    """Add."""


def many(self: Any, *a: int) -> None:
    """Add."""


def unresolved(self: Any, a: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Add."""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_docstring, "tool no_docstring: it has no docstring"),
        (no_hint, "tool no_hint: the argument a has no type hint; write a: str"),
        (many, r"tool many: \*a: .* cannot be called by name"),
        (unresolved, "tool unresolved: a type hint cannot be resolved .*Nowhere.*; import it"),
    ],
)
def test_a_method_that_does_not_say_what_it_takes_is_refused(function: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FunctionTool(function)


# -- calls in text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('{"name": "add", "arguments": {"a": 1}}', [("add", {"a": 1})]),
        ('[{"name": "add", "arguments": {"a": 1}}, {"name": "leave"}]', [("add", {"a": 1}), ("leave", {})]),
        ("add(a=1)", [("add", {"a": "1"})]),
        (" add ( a = 1 , b = two words ) ", [("add", {"a": "1", "b": "two words"})]),
        ('add(a="1, (2)", b=[1, {"c": null}],)', [("add", {"a": "1, (2)", "b": [1, {"c": None}]})]),
        ("leave()", [("leave", {})]),
        ("a.b-c(x=)", [("a.b-c", {"x": ""})]),
        ("add(a='1, (2)')", [("add", {"a": "1, (2)"})]),
    ],
)
def test_calls_that_are_read(text: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    found = parse_calls(text)
    assert found is not None
    assert [(one.name, one.arguments) for one in found] == calls


@pytest.mark.parametrize(
    "text",
    [
        "Your order is on its way.",
        "Sure (as I said)",
        "add(a=1) and add(a=2)",
        "add(1)",
        "click[red]",
        "",
    ],
)
def test_text_that_is_words(text: str) -> None:
    assert parse_calls(text) is None


@pytest.mark.parametrize(
    "text", ["add(a=1", "add(a=1, a=2)", 'add(a="1)', "add(a=1 b=2, =3)", "add(a=[1,)", "add(a=[1e999])"]
)
def test_calls_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ToolError, match=r"^This call cannot be read: "):
        parse_calls(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"name": "x", "arguments": {"a": 1e999}}', "not valid JSON"),
        ('{"name": "x", "arguments": {"a": "\\ud800"}}', "not valid JSON"),
        ("[]", "list of calls is empty"),
        ("[1]", 'an object with "name"'),
        ('{"name": 7}', 'an object with "name"'),
        ('{"name": "x", "arguments": []}', 'an object with "name"'),
    ],
)
def test_json_that_is_no_call(text: str, message: str) -> None:
    with pytest.raises(ToolError, match=message) as error:
        parse_calls(text)
    assert len(str(error.value)) < 300


@given(arguments=st.dictionaries(st.sampled_from(["a", "b", "c"]), TEXT | st.integers() | st.lists(st.integers())))
def test_what_an_expert_calls_is_what_is_read_in_every_form(arguments: dict[str, Any]) -> None:
    kinds = {str: "string", int: "integer", list: "array"}
    schemas = {name: {"type": kinds[type(value)]} for name, value in arguments.items()}
    action = call("act", **arguments)
    assert action.tool_calls == (ToolCall(name="act", arguments=arguments),)
    for text in (str(action), str(Action(tool_calls=action.tool_calls))):
        (found,) = parse_calls(text) or []
        read = {name: typed(v, schemas[name], {}) if isinstance(v, str) else v for name, v in found.arguments.items()}
        assert {name: v if schemas[name]["type"] != "string" else str(v) for name, v in read.items()} == arguments


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("12", {"type": "integer"}, 12),
        ("12", {"type": "string"}, "12"),
        ("12", {}, 12),
        ("two", {}, "two"),
        ("true", {"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ("12", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "12"),
        ("1", {"enum": [1, 2]}, 1),
        ("1", {"enum": ["1", "2"]}, "1"),
        ("2", {"const": 2}, 2),
        ("2", {"type": ["integer", "null"]}, 2),
        ("red", {"$ref": "#/$defs/Color"}, "red"),
        ("7", {"$ref": "#/$defs/Number"}, 7),
        ("1e999", {"type": "number"}, "1e999"),
        ("x", {"type": "integer"}, "x"),
    ],
)
def test_the_type_that_a_schema_gives_to_text(text: str, schema: dict[str, Any], value: Any) -> None:
    found = typed(text, schema, {"Color": {"enum": ["red"], "type": "string"}, "Number": {"type": "integer"}})
    assert (found, type(found)) == (value, type(value))


# -- turns -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        "add(a=2, b=3)",
        '{"name": "add", "arguments": {"a": 2, "b": 3}}',
        Action(tool_calls=[ToolCall(name="add", arguments={"a": 2, "b": 3})]),
        call("add", a=2, b=3),
    ],
)
def test_a_call_in_any_form(action: str) -> None:
    seen, reward, terminated, truncated, info = after(action)
    assert (seen, reward, terminated, truncated, info) == ("5", 0.0, False, False, answered(1))
    assert seen.admissible == ("add(a=<a>)", "paint(color=<color>)", "lose(what=<what>)", "leave()")
    assert len(seen.tools) == 4


def test_values_come_as_the_types_that_the_hints_name() -> None:
    seen = after('{"name": "paint", "arguments": {"color": "red", "tone": "dark", "copy": [{"x": 1}]}}').observation
    assert json.loads(seen) == ["red", "dark", [{"x": 1, "y": 0}]]
    assert after("paint(color=blue, tone=light)").observation == '["blue","light",null]'
    assert after("lose(what=nothing)").observation == "done"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("ad(a=1)", 'There is no tool "ad". Did you mean "add"? Tools: add, paint, lose, leave'),
        ("helper()", 'There is no tool "helper". Tools: add, paint, lose, leave'),
        ("__init__()", 'There is no tool "__init__". Tools: add, paint, lose, leave'),
        ("add()", 'add: the argument "a" is missing. Usage: add(a: integer, b: integer = 1)'),
        ("add(a=1, c=2)", 'add: there is no argument "c". Usage: add(a: integer, b: integer = 1)'),
        (
            '{"name": "add", "arguments": {"a": "1"}}',
            'add: the argument "a" is "1": Input should be a valid integer. Usage: add(a: integer, b: integer = 1)',
        ),
        (
            "add(a=x)",
            'add: the argument "a" is "x": Input should be a valid integer. Usage: add(a: integer, b: integer = 1)',
        ),
        ("lose(what=key)", "no such key"),
        ("lose(what=call)", "ToolError"),
        (" ", "This is empty. Call a tool or say something."),
        ("\ud800", "This is not text: it has half of a character."),
        (json.dumps([{"name": "leave"}] * 17), "These are 17 calls; one turn may make 16."),
    ],
)
def test_a_mistake_is_told_and_marked_and_does_nothing(action: str, message: str) -> None:
    env = begun()
    seen, reward, terminated, truncated, info = env.step(action)
    assert (seen, reward, terminated, truncated) == (message, 0.0, False, False)
    num = 0 if message.startswith(("This is ", "These are ")) else 1  # that could be read
    assert info == {**answered(num, failed=num), "invalid_action": message}
    assert vars(env)["log"] == []


def test_several_calls_run_in_order() -> None:
    env = begun()
    seen, _, terminated, _, info = env.step('[{"name": "add", "arguments": {"a": 1}}, {"name": "leave"}]')
    assert (seen, terminated, info) == ("add: 2\nleave: bye", True, {**answered(2), "success": False})


def test_no_call_runs_when_one_of_them_is_wrong() -> None:
    env = begun()
    seen, *_, info = env.step('[{"name": "add", "arguments": {"a": 1}}, {"name": "add"}]')
    assert "missing" in seen
    assert "invalid_action" in info
    assert vars(env)["log"] == []


@pytest.mark.parametrize(
    ("middle", "told", "over"),
    [
        ({"name": "lose", "arguments": {"what": "key"}}, "lose: no such key", False),
        ({"name": "leave"}, "leave: bye", True),
    ],
)
def test_calls_after_a_refusal_or_the_end_do_not_run(middle: dict[str, Any], told: str, over: bool) -> None:
    env, first = begun(), {"name": "add", "arguments": {"a": 1}}
    seen, _, terminated, _, _ = env.step(json.dumps([first, middle, first]))
    assert (seen, terminated) == (f"add: 2\n{told}\nnot run: add", over)
    assert vars(env)["log"] == [1]


def test_what_the_author_did_not_declare_is_the_environments_failure() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        after("lose(what=bug)")


def test_words_end_the_episode_unless_they_are_heard() -> None:
    assert after("It is 5.")[1:] == (0.0, True, False, {**answered(), "success": False})
    env = begun(Talker)
    assert env.step("It is 5.")[:4] == ("you said It is 5.", 0.0, False, False)
    env.step("add(a=1)")
    env.step("add(a=1)")
    assert env.step("bye") == (OVER, 1.0, True, False, {**answered(), "success": True})


def test_an_environment_with_tasks_gives_them_to_start_and_draws_a_train_task() -> None:
    class Tasked(Desk):
        def tasks(self, split: str) -> list[str]:
            return {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}[split]

    env = Tasked()
    assert env.reset(options={"task": "d"})[0] == "task d"
    assert {env.reset(seed=seed)[0] for seed in range(20)} == {"task a", "task b"}
    assert Desk().reset(options={"task": 9})[0] == "task 9"


PICTURE = np.zeros((2, 2, 3), dtype=np.uint8)


def test_an_observation_keeps_what_its_author_gave_it() -> None:
    class Seeing(Desk):
        def start(self, task: TaskId) -> str:
            return Observation("look", admissible=["leave()"], images=[PICTURE])

        def admissible(self) -> None:
            return None

    env = Seeing()
    seen = Observation.of(env.reset(seed=0)[0])
    assert (seen.admissible, seen.images, len(seen.tools)) == (("leave()",), (as_media(PICTURE),), 4)
    assert Observation.of(env.step("lose(what=nothing)")[0]).admissible is None


class Waiting(ToolEnv):
    """An async tool, an async hook, and a tool that is neither."""

    async def start(self, task: TaskId) -> str:
        await asyncio.sleep(0)
        return "begun"

    @tool
    async def wait(self, turns: int) -> int:
        """Wait."""
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    @tool
    def leave(self) -> None:
        """Leave."""
        self.finish()

    async def verdict(self) -> float:
        await asyncio.sleep(0)
        return 1.0


def test_async_tools_make_an_async_environment() -> None:
    async def played() -> list[Any]:
        env: Any = Waiting()
        both = '[{"name": "wait", "arguments": {"turns": 3}}, {"name": "leave"}]'
        return [await env.reset(seed=0), await env.step("wait(turns=2)"), await env.step(both)]

    first, second, third = asyncio.run(played())
    assert first == ("begun", {})
    assert second[0] == "2"
    assert third == ("wait: 3\nleave: done", 1.0, True, False, {**answered(2), "success": True})
    assert asyncio.iscoroutinefunction(Waiting.step)
    assert not asyncio.iscoroutinefunction(Desk.step)


def test_waiting_in_what_is_not_async_is_an_error() -> None:
    class Hidden(Desk):
        @tool
        def wait(self) -> Any:
            """Wait without saying so."""
            return asyncio.sleep(0)

    with pytest.raises(EnvError, match="define it with async def"):
        after("wait()", Hidden)


@given(action=TEXT | st.from_regex(r"(add|lose|paint)\([a-c]=.{0,5}\)", fullmatch=True))
def test_no_action_makes_it_raise(action: str) -> None:
    seen, *_, info = after(action, Talker)
    assert isinstance(seen, str)
    assert set(info) <= {"channels", "invalid_action", "success"}
    assert 0 <= info["channels"]["failed_calls"] <= info["channels"]["calls"]


def test_every_protocol_can_call_tools() -> None:
    """What an expert says goes through each protocol and comes out as the same call."""
    wanted = call("add", a=2, b=3)
    for id in agentgym.plugins("protocols").ids():
        protocol: Any = agentgym.plugins("protocols").get(id)()
        if id != "tools":  # its own form of calls is another text
            assert after(protocol.parse(protocol.format(wanted))).observation == "5"
