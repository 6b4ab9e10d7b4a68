"""Messages of a server on their way to the client: entries and blocks that are not of the protocol's form."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")

from agentgym.environments.mcp.wire import Wire, shown_block

OBJECT = {"type": "object"}
TEXT = {"type": "text", "text": "21 degrees"}


def taken(result: Any) -> tuple[Any, dict[str, str]]:
    """A result as the client gets it, and what was left out."""
    wire = Wire(None)
    item = SimpleNamespace(message=SimpleNamespace(result=result))
    assert wire.take(item) is item
    return item.message.result, wire.left_out


@pytest.mark.parametrize(
    ("entry", "left_out"),
    [
        (7, {"7": "it is no object"}),
        ({"name": 7}, {"7": "inputSchema: Field required"}),
        ({"inputSchema": OBJECT}, {"a tool without a name": "name: Field required"}),
        (
            {"name": "bad", "inputSchema": True},
            {"bad": "inputSchema: Input should be a valid dictionary or instance of InputSchema"},
        ),
        ({"name": "bad", "inputSchema": {"type": "string"}}, {"bad": "inputSchema.type: Input should be 'object'"}),
    ],
)
def test_an_entry_that_is_none_is_left_out_alone(entry: Any, left_out: dict[str, str]) -> None:
    good = {"name": "good", "inputSchema": OBJECT}
    assert taken({"tools": [entry, good], "nextCursor": "x"}) == ({"tools": [good], "nextCursor": "x"}, left_out)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"anyOf": [OBJECT]}, {"type": "object", "anyOf": [OBJECT]}),
        ({"type": ["object", "null"]}, OBJECT),
        (
            {"type": "object", "properties": {"a": True, "b": False, "c": {}}},
            {"type": "object", "properties": {"a": {}, "b": {"not": {}}, "c": {}}},
        ),
    ],
)
def test_a_schema_is_one_of_an_object(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    (tool,) = taken({"tools": [{"name": "a", "inputSchema": schema}]})[0]["tools"]
    assert tool == {"name": "a", "inputSchema": expected}


def test_the_form_that_was_promised_of_results_is_not_held_against_them() -> None:
    promised = {"name": "a", "inputSchema": OBJECT, "outputSchema": {"type": "object", "required": ["t"]}}
    assert taken({"tools": [promised]}) == ({"tools": [{"name": "a", "inputSchema": OBJECT}]}, {})


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"content": [TEXT]}, {"content": [TEXT]}),
        ({"content": []}, {"content": []}),
        ({"content": 7}, {"content": 7}),
        ({"content": "21"}, {"content": [{"type": "text", "text": "21"}]}),
        ({"content": TEXT}, {"content": [TEXT]}),
        ({"content": [TEXT], "structuredContent": {"t": "21"}}, {"content": [TEXT], "structuredContent": {"t": "21"}}),
        ({"content": [TEXT], "structuredContent": [21]}, {"content": [TEXT]}),
        ({"content": [], "structuredContent": [21]}, {"content": [{"type": "text", "text": "[21]"}]}),
        ({"structuredContent": {"t": 21}}, {"content": [], "structuredContent": {"t": 21}}),
        ({"content": [], "structuredContent": None}, {"content": []}),
        (
            {"content": [{"type": "zip", "mimeType": "application/zip"}, TEXT]},
            {"content": [{"type": "text", "text": "[zip application/zip]"}, TEXT]},
        ),
        ({"content": [{"type": "text"}]}, {"content": [{"type": "text", "text": "[text]"}]}),
        ({"content": ["21", 7]}, {"content": [{"type": "text", "text": "21"}, {"type": "text", "text": "7"}]}),
        ({"messages": 7}, {"messages": 7}),
    ],
)
def test_a_result_is_brought_into_its_form(result: Any, expected: Any) -> None:
    assert taken(result)[0] == expected


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "resource_link", "uri": "file:///a"}, "[resource_link file:///a]"),
        ({"type": "note", "text": "42"}, "42"),
        ({"type": "resource", "resource": {"text": "42"}}, "42"),
        ({"type": "resource", "resource": {"uri": "note://1", "blob": 7}}, "[resource note://1]"),
        ({}, "[something]"),
        (None, "null"),
    ],
)
def test_words_for_what_is_no_text(block: Any, told: str) -> None:
    assert shown_block(block) == told


def test_that_tools_changed_is_known_when_the_message_comes() -> None:
    wire = Wire(None)
    wire.take(SimpleNamespace(message=SimpleNamespace(method="notifications/progress")))
    wire.take(ValueError("no message"))
    assert wire.tools_changed is False
    wire.take(SimpleNamespace(message=SimpleNamespace(method="notifications/tools/list_changed")))
    assert wire.tools_changed is True


class Stream:
    """What a transport reads from."""

    last_context = "context"

    def __init__(self) -> None:
        self.events: list[str] = []

    async def receive(self) -> Any:
        return SimpleNamespace(message=SimpleNamespace(result={"content": "21"}))

    async def __anext__(self) -> Any:
        return await self.receive()

    async def aclose(self) -> None:
        self.events.append("closed")

    async def __aenter__(self) -> Stream:
        self.events.append("entered")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.events.append("left")


class Transport:
    def __init__(self) -> None:
        self.stream = Stream()

    async def __aenter__(self) -> tuple[Stream, str]:
        return self.stream, "write"

    async def __aexit__(self, *error: object) -> str:
        return "ended"


def test_every_message_goes_through_it() -> None:
    async def read() -> list[Any]:
        wire = Wire(transport := Transport())
        stream, write = await wire.__aenter__()
        async with stream as entered:
            assert (entered, write, stream.last_context) == (stream, "write", "context")
            found = [await stream.receive()]
            async for item in stream:
                found.append(item)
                break
            await stream.aclose()
        assert transport.stream.events == ["entered", "closed", "left"]
        assert await wire.__aexit__(None, None, None) == "ended"
        return found

    expected = {"content": [{"type": "text", "text": "21"}]}
    assert [item.message.result for item in asyncio.run(read())] == [expected, expected]
