"""Episodes over a connection that is made here: what is called, again and not again, forgotten, closed and told."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")

from agentgym.environments.mcp import MCP, env
from agentgym.environments.mcp.link import Address, Lost
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Rollout
from agentgym.tools import ToolError
from agentgym.types import Observation, Trajectory
from tests.unit.rollout.kit import TOKENIZER, says

NOTE = {"type": "object", "properties": {"title": {"type": "string"}}}


class Wire:
    """Stands for a connection: answers from ``answers``, which are text or what is raised, and keeps what was done."""

    made: ClassVar[list[Wire]]
    answers: ClassVar[list[Any]]
    """What the next calls of all connections give, and "ok" after the last."""
    opens: ClassVar[list[BaseException | None]]
    """What the next openings raise, if anything."""
    lists: ClassVar[Any]
    """The tools: name, and whether it only reads; or a whole entry; or what is raised."""
    bad: ClassVar[dict[str, str]]
    """Entries that are left out on the way, and why."""
    says: ClassVar[str]

    def __init__(self, address: Address, *, timeout: float) -> None:
        if (problem := type(self).opens.pop(0) if type(self).opens else None) is not None:
            raise problem
        self.address, self.timeout = address, timeout
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.closed, self.is_open = 0, True
        self.tools_changed, self.left_out, self.instructions = False, dict(type(self).bad), type(self).says
        self.listed = 0
        type(self).made.append(self)

    def list_tools(self) -> list[Any]:
        self.listed, self.tools_changed = self.listed + 1, False
        if isinstance(type(self).lists, BaseException):
            raise type(self).lists
        return [listed(*one) if isinstance(one, tuple) else one for one in type(self).lists]

    def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        assert not self.closed
        self.called.append((tool, dict(arguments)))
        answer = type(self).answers.pop(0) if type(self).answers else "ok"
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)

    def close(self) -> None:
        self.closed += 1
        self.is_open = False


def listed(name: str, read_only: bool, schema: Any = NOTE) -> Any:
    hints = SimpleNamespace(read_only_hint=read_only, idempotent_hint=False)
    return SimpleNamespace(name=name, description="x", title=None, input_schema=schema, annotations=hints)


@pytest.fixture(autouse=True)
def wires(monkeypatch: pytest.MonkeyPatch) -> list[Wire]:
    """The connections that were made, in order."""
    Wire.made, Wire.answers, Wire.opens, Wire.bad, Wire.says = [], [], [], {}, ""
    Wire.lists = [("read", True), ("write", False), ("prepare", False), ("check", True)]
    monkeypatch.setattr(env, "Link", Wire)
    return Wire.made


def served(tmp_path: Path, *tasks: dict[str, Any], **options: Any) -> MCP:
    """An environment of these tasks, by default over a command."""
    if tasks:
        lines = [{"id": number, "instruction": f"Do {number}.", **task} for number, task in enumerate(tasks)]
        (tmp_path / "tasks.jsonl").write_text("\n".join(map(json.dumps, lines)))
        options["tasks"] = tmp_path / "tasks.jsonl"
    given = options if "url" in options else {"command": "serve it", **options}
    return MCP(**given)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


SOLVED = {"solution": [call("read", title="a"), call("write", title="b"), "It is 7."], "expected": "7"}


# -- connections -----------------------------------------------------------------------------------------


def test_one_connection_serves_all_episodes_while_it_is_open(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, SOLVED, timeout=4.5)
    for _ in range(3):
        served_here.reset(options={"task": 0})
        served_here.step("read(title=a)")
    (wire,) = wires
    assert (wire.address.command, wire.address.url, wire.timeout) == (("serve", "it"), "", 4.5)
    assert wire.called == [("read", {"title": "a"})] * 3
    assert wire.closed == 0
    served_here.close()
    assert wire.closed == 1
    served_here.close()
    assert wire.closed == 1


def test_a_connection_that_ended_is_replaced_at_the_next_episode_and_closed(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, SOLVED, timeout=4.5)
    wires[0].is_open = False
    served_here.reset(options={"task": 0})
    assert len(wires) == 2
    assert (wires[0].closed, wires[1].closed, wires[1].timeout) == (1, 0, 4.5)
    served_here.reset(options={"task": 0})
    assert len(wires) == 2


def test_a_server_that_is_to_be_restarted_is_for_every_episode(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, {**SOLVED, "setup": [call("prepare", title="x")]}, restart=True)
    for number in (1, 2):
        served_here.reset(options={"task": 0})
        served_here.step("read(title=a)")
        assert [wire.closed for wire in wires] == [1] * number + [0]
        assert wires[-1].called == [("prepare", {"title": "x"}), ("read", {"title": "a"})]


def test_after_close_a_call_fails_and_a_reset_connects_anew(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, SOLVED)
    served_here.reset(options={"task": 0})
    served_here.close()
    with pytest.raises(EnvError, match="is not connected to: the environment is closed; call reset"):
        served_here.step("read(title=a)")
    served_here.reset(options={"task": 0})
    assert [wire.closed for wire in wires] == [1, 0]


@pytest.mark.parametrize(
    ("lists", "error", "message"),
    [
        (Lost("it ended", sent=True), UserError, "does not start: it ended"),
        (EnvError("no answer within 1 s"), UserError, "does not start: no answer within 1 s"),
        (ToolError("not allowed"), UserError, "does not start: not allowed"),
        ([("add", True)], ConfigError, 'has no tool "read"'),
    ],
)
def test_a_server_that_cannot_be_used_is_closed(
    wires: list[Wire], lists: Any, error: type[Exception], message: str
) -> None:
    Wire.lists = lists
    with pytest.raises(error, match=message):
        MCP(command="serve it", tools=["read"])
    assert [wire.closed for wire in wires] == [1]


def test_a_server_that_does_not_start_again_voids_the_episode(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, SOLVED, restart=True)
    Wire.opens = [Lost("no answer within 4 s", sent=False)]
    with pytest.raises(EnvError, match=r'^the MCP server "serve it" does not start again: no answer within 4 s$'):
        served_here.reset(options={"task": 0})
    assert [wire.closed for wire in wires] == [1]
    served_here.reset(options={"task": 0})
    assert [wire.closed for wire in wires] == [1, 0]


# -- calls again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "sent", "again"),
    [("read", True, True), ("read", False, True), ("write", False, True), ("write", True, False)],
)
def test_over_http_a_call_is_made_again_where_that_does_no_harm(
    tmp_path: Path, wires: list[Wire], tool: str, sent: bool, again: bool
) -> None:
    served_here = served(tmp_path, SOLVED, url="http://x")
    served_here.reset(options={"task": 0})
    Wire.answers = [Lost("it ended", sent=sent), "an answer"]
    if again:
        assert served_here.step(f"{tool}(title=a)")[0] == "an answer"
        assert [wire.called for wire in wires] == [[(tool, {"title": "a"})]] * 2
        assert [wire.closed for wire in wires] == [1, 0]
    else:
        with pytest.raises(EnvError, match=r'^the MCP server "http://x" ended during write: it ended$'):
            served_here.step("write(title=a)")
        assert len(wires) == 1


def test_a_call_is_made_again_but_once(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, SOLVED, url="http://x")
    served_here.reset(options={"task": 0})
    Wire.answers = [Lost("it ended", sent=False), Lost("it ended too", sent=False), "an answer"]
    with pytest.raises(EnvError, match=r"ended again during read: it ended too$"):
        served_here.step("read(title=a)")
    assert len(wires) == 2
    Wire.opens = [Lost("refused", sent=False)]
    Wire.answers = [Lost("it ended", sent=False)]
    with pytest.raises(EnvError, match=r'"http://x" cannot be reached again: refused$'):
        served_here.step("read(title=a)")


@pytest.mark.slow
def test_no_episode_of_many_is_lost_where_connections_drop_by_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 256 that play at once, each call drops its connection one time in twenty, before or after it was sent."""
    rng, dropped = random.Random(0), list[str]()

    class Dropping(Wire):
        def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
            if rng.random() < 0.05:
                dropped.append(tool)
                raise Lost("it dropped", sent=rng.random() < 0.5)
            return super().call(tool, arguments)

    monkeypatch.setattr(env, "Link", Dropping)
    served(tmp_path, SOLVED, url="http://x").close()
    made = lambda: MCP(url="http://x", tasks=tmp_path / "tasks.jsonl")  # noqa: E731
    actors = {str(n): says(*["read(title=a)"] * 4, "It is 7.") for n in range(256)}

    async def main() -> list[Trajectory]:
        rollout = Rollout(made, TOKENIZER, Plain(), max_context=2**16, concurrency=256)
        specs = [EpisodeSpec(task=0, seed=n, episode_id=str(n)) for n in range(256)]
        try:
            return await rollout.run(specs, lambda episode: actors[episode.spec.episode_id](episode))
        finally:
            await rollout.close()

    played = asyncio.run(main())
    assert len(dropped) > 40
    assert [episode.error for episode in played if episode.stop_reason.is_void] == []
    assert all(episode.terminated for episode in played)


@pytest.mark.parametrize("sent", [True, False])
def test_a_command_that_ended_has_lost_its_state_and_is_not_called_again(
    tmp_path: Path, wires: list[Wire], sent: bool
) -> None:
    served_here = served(tmp_path, SOLVED)
    served_here.reset(options={"task": 0})
    Wire.answers = [Lost("it ended", sent=sent), "an answer"]
    with pytest.raises(EnvError, match=r'^the MCP server "serve it" ended during read: it ended$'):
        served_here.step("read(title=a)")
    assert len(wires) == 1


def test_a_late_answer_voids_the_episode(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, SOLVED, url="http://x")
    served_here.reset(options={"task": 0})
    Wire.answers = [EnvError("no answer within 5 s to read")]
    with pytest.raises(EnvError, match=r'^the MCP server "http://x" gave no answer within 5 s to read$'):
        served_here.step("read(title=a)")
    assert len(wires) == 1


CHECKED = {"check": call("check", title="a")}
PREPARED = {"setup": [call("prepare", title="a")]}


@pytest.mark.parametrize(
    ("task", "before", "tool", "again"),
    [
        (PREPARED, [], "read", False),
        (CHECKED, ["write(title=a)"], "read", False),
        (CHECKED, ["read(title=a)"], "read", True),
        (SOLVED, ["write(title=a)"], "read", True),
    ],
)
def test_over_http_no_call_is_made_again_where_the_episode_rests_on_earlier_ones(
    tmp_path: Path, wires: list[Wire], task: dict[str, Any], before: list[str], tool: str, again: bool
) -> None:
    """A server that was started again has forgotten them."""
    served_here = served(tmp_path, task, url="http://x")
    served_here.reset(options={"task": 0})
    for action in before:
        served_here.step(action)
    Wire.answers = [Lost("it ended", sent=False), "an answer"]
    if again:
        assert served_here.step(f"{tool}(title=a)")[0] == "an answer"
    else:
        message = "ended during read, and with it what was done before in this episode: it ended$"
        with pytest.raises(EnvError, match=message):
            served_here.step(f"{tool}(title=a)")
        wires[0].is_open = False
        served_here.reset(options={"task": 0})
    assert len(wires) == 2


def test_over_http_the_first_call_of_an_episode_is_made_again(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, {"setup": [call("prepare", title="a"), call("prepare", title="b")]}, url="http://x")
    Wire.answers = [Lost("it ended", sent=False), "ok"]
    served_here.reset(options={"task": 0})
    assert [wire.called[-1][1] for wire in wires] == [{"title": "a"}, {"title": "b"}]
    Wire.answers = ["ok", Lost("it ended", sent=False)]
    with pytest.raises(EnvError, match="ended during prepare, and with it what was done before"):
        served_here.reset(options={"task": 0})


# -- tools -----------------------------------------------------------------------------------------------


def test_tools_that_cannot_be_used_are_left_out_with_a_warning(tmp_path: Path) -> None:
    Wire.lists, Wire.bad = [("read", True), ("bad", True, {"type": 7})], {"worse": "name: Field required"}
    told = 'of the MCP server "serve it" is left out: worse (name: Field required); bad (no valid JSON schema: 7 is not'
    with pytest.warns(UserWarning, match=re.escape(told)):
        served_here = served(tmp_path)
    assert list(served_here.toolbox) == ["read"]
    assert list(served_here.left_out) == ["worse", "bad"]
    with pytest.raises(ConfigError, match='tool "bad" cannot be used: no valid JSON schema: 7 is not'):
        served(tmp_path, tools=["bad"])
    with pytest.raises(ConfigError, match='tool "worse" cannot be used: name: Field required'):
        served(tmp_path, {"check": call("worse")})


def test_a_server_without_a_tool_that_can_be_used_is_refused(wires: list[Wire]) -> None:
    Wire.lists = [("bad", True, {"properties": {"a": {"$ref": "#/x"}}})]
    with pytest.raises(
        UserError, match=r'no tool that can be used: bad \(no valid JSON schema: the reference "#/x" leads'
    ):
        MCP(command="serve it")
    assert wires[0].closed == 1


def test_two_tools_of_one_name_are_refused(wires: list[Wire]) -> None:
    Wire.lists = [("read", True), ("write", True), ("read", False)]
    with pytest.raises(UserError, match='lists the tool "read" 2 times; a call would not say which one is meant'):
        MCP(command="serve it")
    assert wires[0].closed == 1


def test_what_the_server_says_of_itself_is_told(tmp_path: Path) -> None:
    Wire.lists, Wire.says = [("read", True)], " Call read first. \n"
    usage, tool, said, end = served(tmp_path).instructions.split("\n")
    assert usage.startswith("Call a tool with name(argument=value)")
    assert (tool, said) == ("- read(title?: string): x", "The server says: Call read first.")
    assert end == "Answer in words when you are done, with the answer itself last."
    Wire.says = "  "
    assert "The server says" not in served(tmp_path).instructions


def test_tools_that_change_are_taken_over_and_told(tmp_path: Path, wires: list[Wire]) -> None:
    Wire.lists = [("read", True), ("write", False)]
    served_here = served(tmp_path)
    served_here.reset(seed=0)
    assert wires[0].listed == 1
    Wire.lists, wires[0].tools_changed = [("read", True), ("draw", False)], True
    seen = Observation.of(served_here.step("read(title=a)")[0])
    assert seen == "ok\nNew tools:\n- draw(title?: string): x\nTools that are gone: write"
    assert [tool["function"]["name"] for tool in seen.tools] == ["read", "draw"]
    assert served_here.step("draw(title=a)")[0] == "ok"
    assert wires[0].listed == 2
    served_here.reset(seed=1)
    assert ("- draw(" in served_here.instructions, "- write(" in served_here.instructions) == (True, False)
    Wire.lists, wires[0].tools_changed = [("read", True)], True
    assert served_here.reset(seed=2)[0] == "Use the tools."  # which shows the tools that there are
    assert list(served_here.toolbox) == ["read"]
    assert wires[0].listed == 3


def test_tools_that_change_before_an_action_can_be_called_by_it(tmp_path: Path, wires: list[Wire]) -> None:
    Wire.lists = [("read", True)]
    served_here = served(tmp_path)
    served_here.reset(seed=0)
    Wire.lists, wires[0].tools_changed = [("draw", True)], True
    assert (
        served_here.step("draw(title=a)")[0] == "ok\nNew tools:\n- draw(title?: string): x\nTools that are gone: read"
    )


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (Lost("it ended", sent=True), "ended while it listed its tools: it ended"),
        (EnvError("no answer"), "changed its tools, and they cannot be used: no answer"),
        (
            [("read", True), ("read", True)],
            'changed its tools, and they cannot be used: .* lists the tool "read" 2 times',
        ),
    ],
)
def test_tools_that_change_into_none_void_the_episode(
    tmp_path: Path, wires: list[Wire], lists: Any, message: str
) -> None:
    served_here = served(tmp_path)
    served_here.reset(seed=0)
    Wire.lists, wires[0].tools_changed = lists, True
    with pytest.raises(EnvError, match=message):
        served_here.step("read(title=a)")


def test_a_server_that_is_started_again_is_asked_for_its_tools(tmp_path: Path, wires: list[Wire]) -> None:
    served_here = served(tmp_path, restart=True)
    Wire.lists = [("draw", True)]
    served_here.reset(seed=0)
    assert list(served_here.toolbox) == ["draw"]
    assert [wire.listed for wire in wires] == [1, 1]


# -- the server's environment ----------------------------------------------------------------------------


def test_environment_variables_reach_the_server(wires: list[Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-1")
    MCP(command="serve it")
    MCP(command="serve it", env={"A": "1", "B": ""})
    MCP(command="serve it", env=["MY_KEY"])
    MCP(command="serve it", env="MY_KEY")
    MCP(command="serve it", env='{"A": "1"}')
    MCP(command="serve it", env={"A": 1, "B": True})
    assert [wire.address.variables for wire in wires] == [
        (),
        (("A", "1"), ("B", "")),
        (("MY_KEY", "sk-1"),),
        (("MY_KEY", "sk-1"),),
        (("A", "1"),),
        (("A", "1"), ("B", "true")),
    ]
    assert "sk-1" not in str(wires[2].address) + repr(wires[2].address)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://x", "env": {"A": "1"}}, "env has no effect without a command"),
        ({"env": {"A": "1"}}, "env has no effect without a command"),
        (
            {"command": "serve it", "env": ["NOT_SET"]},
            'env names the variable "NOT_SET", which is not set; set it, or type',
        ),
        (
            {"command": "serve it", "env": {"A=B": "1"}},
            "env holds 'A=B': '1', expected the name of a variable and a text",
        ),
        ({"command": "serve it", "env": {"": "1"}}, "env holds '': '1', expected"),
        ({"command": "serve it", "env": {"A": "1\0"}}, "env holds 'A': '1.x00', expected"),
        ({"command": "serve it", "env": '{"A": "1"'}, "env is '{.*, which is no table: .*; type --env.env '{NAME = "),
    ],
)
def test_variables_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MCP(**options)


# -- episodes --------------------------------------------------------------------------------------------


def test_what_was_called_is_forgotten_at_the_next_episode(tmp_path: Path) -> None:
    served_here = served(tmp_path, SOLVED)
    for _ in range(2):
        served_here.reset(options={"task": 0})
        expert = served_here.expert()
        assert expert is not None
        said = [str(expert(Observation("")))]
        for action in ("read(title=a)", "write(title=b)"):
            served_here.step(action)
            said.append(str(expert(Observation(""))))
        assert said == ["read(title=a)", "write(title=b)", "It is 7."]


def test_the_expert_goes_on_from_the_first_call_that_was_not_made(tmp_path: Path) -> None:
    served_here = served(tmp_path, SOLVED)
    served_here.reset(options={"task": 0})
    expert = served_here.expert()
    assert expert is not None
    served_here.step("write(title=b)")  # too early, so it does not count
    served_here.step("read(title=b)")  # something else
    assert str(expert(Observation(""))) == "read(title=a)"
    Wire.answers = [ToolError("not now")]
    _, _, _, _, info = served_here.step("read(title=a)")
    assert info["invalid_action"] == "not now"
    assert str(expert(Observation(""))) == "read(title=a)"  # what was refused was not made
    served_here.step("read(title=a)")
    assert str(expert(Observation(""))) == "write(title=b)"


def test_there_is_no_expert_where_no_task_has_a_solution(tmp_path: Path) -> None:
    assert served(tmp_path, {"expected": "7"}).expert() is None
    assert MCP(command="serve it").expert() is None


def test_the_calls_that_prepare_are_made_in_order_for_the_task_at_hand(tmp_path: Path, wires: list[Wire]) -> None:
    first = {"setup": [call("prepare", title="a"), call("write", title="b")]}
    served_here = served(tmp_path, first, {"setup": [call("prepare", title="c")]})
    assert list(served_here.toolbox) == ["read", "check"]
    assert served_here.reset(options={"task": 1})[0] == "Do 1."
    assert served_here.reset(options={"task": 0})[0] == "Do 0."
    assert wires[0].called == [
        ("prepare", {"title": "c"}),
        ("prepare", {"title": "a"}),
        ("write", {"title": "b"}),
    ]
    Wire.answers = [ToolError("full")]
    with pytest.raises(EnvError, match=r'"serve it" refused the call prepare of task 1: full$'):
        served_here.reset(options={"task": 1})


@pytest.mark.parametrize(
    ("task", "said", "answers", "reward", "checks"),
    [
        ({}, "7", [], 0.0, 0),
        ({"expected": "7"}, "It is 7.", [], 1.0, 0),
        ({"expected": "7"}, "It is 8.", [], 0.0, 0),
        ({"check": call("check", title="a")}, "bye", ["true"], 1.0, 1),
        ({"check": call("check", title="a")}, "bye", ["false"], 0.0, 1),
        ({"check": call("check", title="a")}, "bye", ["0.25"], 0.25, 1),
        ({"check": call("check", title="a"), "expected": "7"}, "7", ["0.5"], 0.5, 1),
        ({"check": call("check", title="a"), "expected": "7"}, "8", ["true"], 0.0, 0),
    ],
)
def test_answer_and_check_must_both_be_right(
    tmp_path: Path, wires: list[Wire], task: dict[str, Any], said: str, answers: list[str], reward: float, checks: int
) -> None:
    served_here = served(tmp_path, task)
    served_here.reset(options={"task": 0})
    Wire.answers = list(answers)
    _, paid, terminated, truncated, info = served_here.step(said)
    assert (paid, terminated, truncated, info["success"]) == (reward, True, False, reward == 1.0)
    assert wires[0].called == [("check", {"title": "a"})] * checks


def test_nothing_is_paid_before_the_answer(tmp_path: Path) -> None:
    served_here = served(tmp_path, SOLVED)
    served_here.reset(options={"task": 0})
    assert served_here.step("read(title=7)")[:4] == ("ok", 0.0, False, False)


def test_tools_are_those_that_are_allowed_and_not_hidden(tmp_path: Path) -> None:
    checked = {"check": call("check", title="a"), "setup": [call("prepare")]}
    assert list(served(tmp_path, checked).toolbox) == ["read", "write"]
    assert list(served(tmp_path, checked, tools=["check", "write"]).toolbox) == ["write"]
    assert list(served(tmp_path, checked, tools="read").toolbox) == ["read"]
    with pytest.raises(ConfigError, match=r'has no tool "undo".* It has: read, write, prepare, check$'):
        served(tmp_path, {"setup": [call("undo")]})
