"""A connection to a server that is played by a client made here: how it opens, answers, fails and is closed."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")

import mcp
import mcp.client.stdio
import mcp_types
from mcp.client.subscriptions import SubscriptionLost

from agentgym.environments.mcp import link as link_module
from agentgym.environments.mcp.link import Address, Link, Lost
from agentgym.environments.mcp.remote import RemoteTool, text_of
from agentgym.errors import EnvError, UserError
from agentgym.tools import ToolError
from tests.kit import eventually

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
        self.pages: dict[str | None, Any] = {None: (["add"], None)}
        self.works: Callable[[Any], Any] | None = None
        """What a call does first, given what it is to call with progress."""
        self.fails: BaseException | None = None
        """What a call raises."""
        self.does_not_open: BaseException | None = None
        self.opens_late = False
        self.ends_with: Exception | None = None
        """What the connection ends with when a call is made."""
        self.protocol_version, self.instructions = "2025-11-25", "Be kind."
        self.listen: Any = None

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
        if isinstance(self.pages[cursor], Exception):
            raise self.pages[cursor]
        tools, following = self.pages[cursor]
        return SimpleNamespace(tools=tools, next_cursor=following)

    async def call_tool(self, name: str, arguments: dict[str, Any], **limits: Any) -> Any:
        self.calls.append((name, arguments))
        if self.works is not None:
            await self.works(limits["progress_callback"])
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
    assert (server.timeout, server.events) == (7.5, ["opened"])
    assert (link.instructions, link.left_out, link.tools_changed) == ("Be kind.", {}, False)
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
    link = Link(dataclasses.replace(COMMAND, variables=(("KEY", "sk-1"),)), timeout=5)
    ((parameters, errors),) = started
    assert server.transport.transport == "pipes"
    assert parameters.env == {"KEY": "sk-1", "AGENTGYM_MCP_SERVER": link._mark}
    assert "sk-1" not in repr(link.address)
    assert (parameters.command, parameters.args, str(parameters.cwd)) == ("serve", ["--port", "1"], str(tmp_path))
    errors.write("one\n ^~~ \ntwo\n\nthree  \nfour\n")
    server.fails = mcp.MCPError(mcp_types.CONNECTION_CLOSED, "closed")
    with pytest.raises(Lost) as lost:
        link.call("add", {})
    assert str(lost.value) == "it ended the connection; it wrote: two / three / four"
    assert not errors.closed
    link.close()
    assert errors.closed


def test_a_fork_leaves_its_parents_connection_alone(
    server: Server, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as forked:
        forked.setattr("os.getpid", lambda: -1)
        link.close()
    assert (server.events, link.is_open) == (["opened"], True)


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
    server.pages = {None: (["add"], "x"), "x": (["subtract", "read"], "y"), "y": ([], "z"), "z": (["write"], None)}
    assert link.list_tools() == ["add", "subtract", "read", "write"]
    assert server.cursors == [None, "x", "y", "z"]


@pytest.mark.parametrize(
    ("after", "tools"),
    [
        ((["write"], None), ["add", "write"]),
        ((["write", "add"], None), ["add", "write"]),
        ((["add"], ""), ["add"]),
        ((["add"], "x"), ["add"]),
        (mcp.MCPError(-32602, "no such cursor"), ["add"]),
    ],
)
def test_an_empty_cursor_is_a_page_or_the_end(server: Server, link: Link, after: Any, tools: list[str]) -> None:
    server.pages = {None: (["add"], ""), "": after}
    assert link.list_tools() == tools
    assert server.cursors == [None, ""]


def test_a_list_of_tools_without_an_end_is_told(server: Server, link: Link) -> None:
    server.pages = {None: (["add"], "x"), "x": (["read"], "y"), "y": ([], "x")}
    with pytest.raises(EnvError, match=r"^its list of tools has no end: the cursor 'x' came twice$"):
        link.list_tools()
    server.pages = Endless()
    with pytest.raises(EnvError, match=r"^its list of tools has no end: 500 pages, and still a next one$"):
        link.list_tools()
    server.pages = {None: (["add"], "x"), "x": mcp.MCPError(-32602, "no such cursor")}
    with pytest.raises(ToolError, match="no such cursor"):
        link.list_tools()


class Endless(dict[Any, Any]):
    """Pages of which each has a next one."""

    def __getitem__(self, cursor: str | None) -> Any:
        return [], f"{int(cursor or 0) + 1}"


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


def test_progress_keeps_a_call_alive(server: Server) -> None:
    async def works(progress: Any) -> None:
        for done in range(8):
            await asyncio.sleep(0.05)
            await progress(done, 8, "working")

    server.works = works
    link = Link(URL, timeout=0.2)
    assert link.call("add", {}) == "3"  # after 0.4 s
    link.close()


def test_a_call_without_progress_is_cancelled_and_given_up(server: Server) -> None:
    async def works(progress: Any) -> None:
        await progress(1, None, None)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            server.events.append("cancelled")
            raise

    server.works = works
    link = Link(URL, timeout=0.1)
    with pytest.raises(EnvError, match=r"^no answer within 0\.1 s to add$"):
        link.call("add", {})
    assert (server.events, link.is_open) == (["opened", "cancelled"], True)
    link.close()


def test_progress_does_not_keep_a_call_alive_for_ever(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def works(progress: Any) -> None:
        for done in range(1000):
            await asyncio.sleep(0.02)
            await progress(done, None, None)

    server.works = works
    monkeypatch.setattr(link_module, "_LONGEST", 2)
    link = Link(URL, timeout=0.2)
    with pytest.raises(EnvError, match=r"^no answer within 0\.4 s to add$"):
        link.call("add", {})
    link.close()


class Changes:
    """A stream of changes: items, and "lost" for one that breaks off."""

    def __init__(self, *items: str) -> None:
        self.items = list(items)

    async def __aenter__(self) -> Changes:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> str:
        if not self.items:
            await asyncio.sleep(60)
        if self.items[0] == "lost":
            raise SubscriptionLost("lost")
        return self.items.pop(0)


@pytest.mark.parametrize(
    ("streams", "lived", "changed", "is_open"),
    [
        ([Changes("changed")], 9.0, True, True),
        ([Changes()], 9.0, False, True),
        ([Changes("changed", "lost")], 0.0, True, False),  # it lived long
        ([Changes("lost"), Changes("changed")], 9.0, True, True),  # it did not, and the next one lasts
        ([Changes("lost"), Changes("lost"), Changes("lost")], 9.0, False, True),  # of this server none lasts
        ([Changes("lost"), mcp.MCPError(-32000, "refused")], 9.0, False, False),  # it is gone
        ([mcp.MCPError(-32601, "unknown method")], 9.0, False, True),  # it tells nobody
    ],
)
def test_changes_are_told_to_those_who_ask_and_a_stream_that_breaks_off_is_a_server_that_is_gone(
    server: Server, monkeypatch: pytest.MonkeyPatch, streams: list[Any], lived: float, changed: bool, is_open: bool
) -> None:
    def listen(*, tools_list_changed: bool) -> Any:
        assert tools_list_changed
        stream = streams.pop(0)
        if isinstance(stream, Exception):
            raise stream
        return stream

    monkeypatch.setattr(link_module, "_STREAM_SECONDS", lived)
    server.protocol_version, server.listen = "2026-07-28", listen
    link = Link(URL, timeout=60)
    assert eventually(lambda: (link.tools_changed, link.is_open) == (changed, is_open) and not streams)
    if not is_open:
        with pytest.raises(Lost) as lost:
            link.call("add", {})
        assert (lost.value.sent, server.calls) == (False, [])
    link.close()


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
    server.fails = mcp.MCPError(-32602, "bad arguments", {"text": "must be a date", "more": "x" * 600})
    with pytest.raises(ToolError, match=r'^bad arguments: {"text": "must be a date", "more": "x{464}$'):
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


def resource(**what: Any) -> Any:
    return SimpleNamespace(type="resource", resource=SimpleNamespace(**what))


def linked(uri: str, name: str, description: str | None) -> Any:
    return SimpleNamespace(type="resource_link", uri=uri, name=name, description=description)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (result(text("one"), SimpleNamespace(type="image"), text("two")), "one\n[image]\ntwo"),
        (result(SimpleNamespace(type="audio")), "[audio]"),
        (result(text("got it"), resource(uri="note://1", text="42")), "got it\n[note://1]\n42"),
        (result(resource(uri="note://1", blob="QUJD", mime_type="image/png")), "[resource note://1, image/png]"),
        (result(resource(uri="note://1", blob="QUJD", mime_type=None)), "[resource note://1]"),
        (result(linked("file:///a.txt", "a.txt", "the file")), "[resource file:///a.txt, a.txt, the file]"),
        (result(linked("file:///a.txt", "a.txt", None)), "[resource file:///a.txt, a.txt]"),
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
    with pytest.raises(ToolError, match=r"^\[log://1\]\ndisk is full$"):
        text_of(result(resource(uri="log://1", text="disk is full"), failed=True), "read")
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


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"name": ""}, "^a tool has no name$"),
        ({"name": " "}, "^a tool has no name$"),
        (
            {"input_schema": {"type": "object", "properties": {"a": {"default": float("nan")}}}},
            "^the tool add has no schema that can be shown: .* is float nan",
        ),
    ],
)
def test_a_tool_that_no_policy_can_be_shown_is_refused(more: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        RemoteTool(listed(**more))


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


MOVES = {
    "oneOf": [
        {"properties": {"kind": {"const": "walk"}, "steps": {}}, "required": ["kind", "steps"]},
        {"properties": {"kind": {"const": "jump"}}, "required": ["kind"]},
    ]
}
DEEP = "the argument \"a\": [7] is not of type 'integer' or 0: 7 is not of type 'null'. Usage"
EITHER = {
    "anyOf": [{"properties": {"card": {}}, "required": ["card"]}, {"properties": {"iban": {}}, "required": ["iban"]}]
}


@pytest.mark.parametrize(
    ("schema", "arguments", "problem"),
    [
        ({"type": "object"}, {"any": 1}, None),
        ({"properties": {}}, {"any": 1}, 'there is no argument "any"'),
        (EITHER, {"card": "1"}, None),
        (EITHER, {"iban": "1"}, None),
        (MOVES, {"kind": "walk", "steps": 1}, None),
        (EITHER, {}, "'card' is a required property or 'iban' is a required property. Usage"),
        ({"properties": {"a": {"anyOf": [{"type": "integer"}, {"items": {"type": "null"}}]}}}, {"a": [7]}, DEEP),
        (EITHER, {"cart": "1"}, 'there is no argument "cart". Did you mean "card"?'),
        (MOVES, {"kind": "walk"}, "'steps' is a required property or kind: 'jump' was expected. Usage"),
        ({"$ref": "#/x", "x": {"properties": {"a": {}}, "required": ["a"]}}, {}, 'the argument "a" is missing'),
        ({"patternProperties": {"^x-": {"type": "string"}}}, {"x-a": "1"}, None),
        (
            {"patternProperties": {"^x-": {"type": "string"}}},
            {"x-a": 1},
            "the argument \"x-a\": 1 is not of type 'string'",
        ),
        ({"patternProperties": {"^x-": {"type": "string"}}}, {"y": 1}, 'there is no argument "y"'),
        ({"properties": {"a": {"not": {}}, "b": {}}}, {"a": 1}, 'there is no argument "a"'),
    ],
)
def test_a_schema_may_name_its_arguments_in_any_of_its_parts(
    schema: dict[str, Any], arguments: dict[str, Any], problem: str | None
) -> None:
    tool = RemoteTool(listed(input_schema=schema))
    if problem is None:
        assert tool.check(arguments) == arguments
    else:
        with pytest.raises(ToolError) as error:
            tool.check(arguments)
        assert str(error.value).startswith(f"add: {problem}")


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="the tool add has no valid JSON schema: 7 is not"):
        RemoteTool(listed(input_schema={"type": "object", "properties": {"a": {"type": 7}}}))
