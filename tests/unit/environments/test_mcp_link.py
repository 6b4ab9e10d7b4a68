"""A connection to a server that is played by a client made here: how it opens, answers, fails and is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")

import mcp
import mcp.client.stdio
import mcp_types

from agentgym.environments.mcp.link import Address, Link, Lost
from agentgym.environments.mcp.remote import RemoteTool, text_of
from agentgym.errors import EnvError, UserError
from agentgym.tools import ToolError

URL = Address(url="http://server/mcp")
COMMAND = Address(command=("serve", "--port", "1"))


class ConnectError(Exception):
    """Named as that of the HTTP client: the server was not reached."""


class Server:
    """What the client does, and what was done to it."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.timeout: float | None = None
        self.hear: Callable[[Any], Any]
        self.events: list[str] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.cursors: list[str | None] = []
        self.pages: dict[str | None, tuple[list[str], str | None]] = {None: (["add"], None)}
        self.fails: BaseException | None = None
        """What a call raises."""
        self.does_not_open: BaseException | None = None
        self.opens_late = False
        self.ends_with: Exception | None = None
        """What the connection ends with when a call is made."""
        self.protocol_version, self.instructions = "2025-11-25", "Be kind."

    def client(self, transport: Any, *, read_timeout_seconds: float, message_handler: Callable[[Any], Any]) -> Any:
        self.transport, self.timeout, self.hear = transport, read_timeout_seconds, message_handler
        return self

    async def __aenter__(self) -> Server:
        self.holder = asyncio.current_task()
        if self.opens_late:
            try:
                await asyncio.sleep(5)  # in a test it is cancelled long before
            except asyncio.CancelledError:
                self.events.append("cancelled")
                raise
        if self.does_not_open:
            raise self.does_not_open
        self.events.append("opened")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.events.append("closed")
        if self.ends_with is not None:
            assert self.holder is not None
            self.holder.uncancel()
            raise ExceptionGroup("unhandled", [ExceptionGroup("errors", [self.ends_with])])

    async def list_tools(self, *, cursor: str | None, cache_mode: str) -> Any:
        assert cache_mode == "bypass"
        self.cursors.append(cursor)
        tools, following = self.pages[cursor]
        return SimpleNamespace(tools=tools, next_cursor=following)

    async def call_tool(self, name: str, arguments: dict[str, Any], **limits: Any) -> Any:
        self.calls.append((name, arguments))
        if self.ends_with is not None:
            assert self.holder is not None
            self.holder.cancel()
        if self.fails is not None:
            raise self.fails
        return result(SimpleNamespace(type="text", text="3"))


def result(*parts: Any, structured: Any = None, failed: bool = False) -> Any:
    return SimpleNamespace(content=list(parts), structured_content=structured, is_error=failed)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(mcp, "Client", made.client)
    return made


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    opened = Link(URL, timeout=7.5)
    yield opened
    opened.close()


# -- opening and closing ---------------------------------------------------------------------------------


def test_it_is_opened_held_and_closed_once(server: Server, link: Link) -> None:
    assert (server.transport, server.timeout, server.events) == ("http://server/mcp", 7.5, ["opened"])
    link.close()
    assert server.events == ["opened", "closed"]
    assert not link.is_open
    link.close()
    assert server.events == ["opened", "closed"]
    with pytest.raises(Lost, match="it ended the connection"):
        link.call("add", {})
    assert server.calls == []


def test_a_command_is_started_with_its_arguments_here(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    started: list[Any] = []

    def stdio_client(parameters: Any, errlog: Any) -> str:
        started.append((parameters, errlog))
        return "pipes"

    monkeypatch.setattr(mcp.client.stdio, "stdio_client", stdio_client)
    monkeypatch.chdir(tmp_path)
    link = Link(COMMAND, timeout=5)
    ((parameters, errors),) = started
    assert server.transport == "pipes"
    assert (parameters.command, parameters.args, str(parameters.cwd)) == ("serve", ["--port", "1"], str(tmp_path))
    errors.write("one\n ^~~ \ntwo\n\nthree  \nfour\n")
    server.fails = mcp.MCPError(mcp_types.CONNECTION_CLOSED, "closed")
    with pytest.raises(Lost) as lost:
        link.call("add", {})
    assert str(lost.value) == "it ended the connection; it wrote: two / three / four"
    assert not errors.closed
    link.close()
    assert errors.closed


def test_a_server_that_does_not_answer_in_time_is_given_up(server: Server) -> None:
    server.opens_late = True
    with pytest.raises(Lost, match=r"^no answer within 0\.01 s$") as lost:
        Link(URL, timeout=0.01)
    assert lost.value.sent is False
    assert server.events == ["cancelled"]


def test_the_first_real_error_is_told_when_it_cannot_be_opened(server: Server) -> None:
    server.does_not_open = ExceptionGroup("a", [ExceptionGroup("b", [OSError("no route"), ValueError("later")])])
    with pytest.raises(Lost, match=r"^OSError: no route$") as lost:
        Link(URL, timeout=60)
    assert lost.value.sent is False
    server.does_not_open = mcp.MCPError(mcp_types.CONNECTION_CLOSED, "closed")
    with pytest.raises(Lost, match=r"^it ended the connection$"):
        Link(URL, timeout=60)


def test_two_connections_are_closed_apart(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    second = Server()
    first_link = Link(URL, timeout=60)
    monkeypatch.setattr(mcp, "Client", second.client)
    second_link = Link(URL, timeout=60)
    first_link.close()
    assert (server.events, second.events) == (["opened", "closed"], ["opened"])
    assert second_link.call("add", {"a": 1}) == "3"
    second_link.close()
    assert second.events == ["opened", "closed"]


# -- answers ---------------------------------------------------------------------------------------------


def test_every_page_of_the_list_of_tools_is_read(server: Server, link: Link) -> None:
    server.pages = {None: (["add"], "x"), "x": (["subtract", "read"], "y"), "y": ([], "z"), "z": (["write"], "")}
    assert link.list_tools() == ["add", "subtract", "read", "write"]
    assert server.cursors == [None, "x", "y", "z"]


def test_a_call_goes_out_with_its_arguments(server: Server, link: Link) -> None:
    arguments = {"a": 1, "b": [2]}
    assert link.call("add", arguments) == "3"
    assert server.calls == [("add", {"a": 1, "b": [2]})]
    assert server.calls[0][1] is not arguments


def test_a_late_answer_is_an_error_and_the_connection_stays(server: Server, link: Link) -> None:
    server.fails = mcp.MCPError(mcp_types.REQUEST_TIMEOUT, "timed out")
    with pytest.raises(EnvError, match=r"^no answer within 7\.5 s to add$"):
        link.call("add", {})
    assert link.is_open


def test_what_is_no_message_is_told_beside_a_late_answer(server: Server, link: Link) -> None:
    asyncio.run(server.hear(ValueError("Invalid\n  JSON " + "x" * 300)))
    asyncio.run(server.hear(SimpleNamespace(method="notifications/progress")))
    server.fails = mcp.MCPError(mcp_types.REQUEST_TIMEOUT, "timed out")
    with pytest.raises(EnvError, match=r"to add; it sent what is no message: Invalid JSON x{187}$"):
        link.call("add", {})


def test_a_refusal_is_told_to_the_policy(server: Server, link: Link) -> None:
    server.fails = mcp.MCPError(-32602, "there is no tool ad")
    with pytest.raises(ToolError, match=r"^there is no tool ad$"):
        link.call("ad", {})
    assert link.is_open


def test_an_answer_that_fits_no_schema_is_an_error(server: Server, link: Link) -> None:
    server.fails = ValueError("content:\n  field required")
    with pytest.raises(EnvError, match=r"^a bad answer to add: ValueError: content: field required$"):
        link.call("add", {})
    assert link.is_open


@pytest.mark.parametrize(
    ("code", "message", "sent"),
    [(mcp_types.CONNECTION_CLOSED, "Connection closed", True), (32600, "Session terminated", False)],
)
def test_a_connection_that_ended_is_lost_with_whether_the_call_may_have_been_made(
    server: Server, monkeypatch: pytest.MonkeyPatch, code: int, message: str, sent: bool
) -> None:
    monkeypatch.setattr(mcp.client.stdio, "stdio_client", lambda parameters, errlog: None)
    link = Link(COMMAND, timeout=60)
    server.fails = mcp.MCPError(code, message)
    with pytest.raises(Lost, match=r"^it ended the connection$") as lost:
        link.call("add", {})
    assert lost.value.sent is sent
    assert not link.is_open
    link.close()
    assert server.events == ["opened", "closed"]


@pytest.mark.parametrize(("reason", "sent"), [(ConnectError("refused"), False), (OSError("reset"), True)])
def test_over_http_the_reason_comes_by_another_way(server: Server, link: Link, reason: Exception, sent: bool) -> None:
    server.ends_with, server.fails = reason, mcp.MCPError(mcp_types.CONNECTION_CLOSED, "closed")
    with pytest.raises(Lost, match=rf"^{type(reason).__name__}: {reason}$") as lost:
        link.call("add", {})
    assert lost.value.sent is sent
    assert server.events == ["opened", "closed"]
    assert not link.is_open
    with pytest.raises(Lost, match=str(reason)) as lost:
        link.call("add", {})
    assert lost.value.sent is False
    assert len(server.calls) == 1


# -- results and tools -----------------------------------------------------------------------------------


def text(words: str) -> Any:
    return SimpleNamespace(type="text", text=words)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (result(text("one"), SimpleNamespace(type="image"), text("two")), "one\n[image]\ntwo"),
        (result(structured={"a": "ä"}), '{"a": "ä"}'),
        (result(text(""), structured={"a": 1}), ""),
        (result(structured={}), "{}"),
        (result(), ""),
    ],
)
def test_a_result_becomes_text(given: Any, told: str) -> None:
    assert text_of(given, "add") == told


def test_a_result_that_says_it_failed_is_a_refusal() -> None:
    with pytest.raises(ToolError, match=r"^no such note$"):
        text_of(result(text("no such note"), failed=True), "read")
    with pytest.raises(ToolError, match=r"^read failed$"):
        text_of(result(failed=True), "read")
    with pytest.raises(EnvError, match="tool read answered with half of a character"):
        text_of(result(text("\ud800")), "read")


def listed(**changes: Any) -> Any:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}
    given = {"name": "add", "description": None, "title": None, "input_schema": schema, "annotations": None}
    return SimpleNamespace(**{**given, **changes})


@pytest.mark.parametrize(
    ("hints", "repeatable"),
    [
        (None, False),
        ((False, False), False),
        ((True, False), True),
        ((False, True), True),
        ((None, None), False),
    ],
)
def test_a_tool_that_only_reads_or_may_be_called_twice_is_repeatable(hints: Any, repeatable: bool) -> None:
    annotations = hints and SimpleNamespace(read_only_hint=hints[0], idempotent_hint=hints[1])
    assert RemoteTool(listed(annotations=annotations)).repeatable is repeatable


def test_a_tool_is_described_by_what_there_is() -> None:
    assert RemoteTool(listed(description="Sums.", title="Add")).description == "Sums."
    assert RemoteTool(listed(title="Add")).description == "Add"
    assert RemoteTool(listed()).description == "add"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"b": "x"}, 'the argument "a" is missing'),
        ({"a": 1, "c": 2}, 'there is no argument "c"'),
        ({"a": "one"}, "the argument \"a\": 'one' is not of type 'integer'"),
    ],
)
def test_arguments_that_fit_no_schema_are_refused_here(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        RemoteTool(listed()).check(arguments)


def test_other_arguments_may_be_given_only_where_the_schema_says_so() -> None:
    schema = listed().input_schema
    assert RemoteTool(listed()).check({"a": 1, "b": "x"}) == {"a": 1, "b": "x"}
    assert RemoteTool(listed(input_schema={**schema, "additionalProperties": True})).check({"a": 1, "c": 2}) == {
        "a": 1,
        "c": 2,
    }
    with pytest.raises(ToolError, match='there is no argument "c"'):
        RemoteTool(listed(input_schema={**schema, "additionalProperties": False})).check({"a": 1, "c": 2})


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="the tool add has no valid JSON schema: 7 is not"):
        RemoteTool(listed(input_schema={"type": "object", "properties": {"a": {"type": 7}}}))
