"""What comes from a server, brought into the form that the client takes, one message at a time.

The client refuses a whole list for one entry, and a whole result for one block, that is not of the protocol's form.
Here an entry that cannot be used is left out of the list, with the reason, and a block is replaced by words for it.
What a server promised about the form of results is not held against them: they are shown as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from agentgym.extras import require

__all__ = ["Wire", "shown_block"]

_VERSION = "2025-11-25"
"""Of the protocol: entries and blocks are looked at in the form of this one."""


class Wire:
    """A transport of the client's, around another one. What was learned on the way stands in its attributes."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.left_out: dict[str, str] = {}
        """Entries of the list of tools that are not of its form: name, or what there is of it → why."""
        self.tools_changed = False
        """Whether the server said so."""

    async def __aenter__(self) -> tuple[Any, Any]:
        read, write = await self.transport.__aenter__()
        return _Reader(read, self), write

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return await self.transport.__aexit__(kind, error, trace)

    def take(self, item: Any) -> Any:
        """A message, or what came instead of one, in the form that the client takes."""
        message = getattr(item, "message", None)
        if getattr(message, "method", None) == "notifications/tools/list_changed":
            self.tools_changed = True
        result = getattr(message, "result", None)
        if isinstance(result, dict):
            if isinstance(result.get("tools"), list):
                result["tools"] = [tool for entry in result["tools"] if (tool := self._usable(entry)) is not None]
            _mend_content(result)
        return item

    def _usable(self, entry: Any) -> dict[str, Any] | None:
        """An entry of a list of tools; None for one that cannot be used."""
        if not isinstance(entry, dict):
            self.left_out[json.dumps(entry)[:60]] = "it is no object"
            return None
        tool: dict[str, Any] = {key: value for key, value in entry.items() if key != "outputSchema"}
        if isinstance(tool.get("inputSchema"), dict):
            tool["inputSchema"] = _of_object(tool["inputSchema"])
        problem = _problem("tools/list", {"tools": [tool]})
        if problem is None:
            return tool
        self.left_out[str(entry.get("name", "a tool without a name"))[:60]] = problem
        return None


class _Reader:
    """A stream of incoming messages, each of which goes through ``wire``."""

    def __init__(self, stream: Any, wire: Wire) -> None:
        self._stream, self._wire = stream, wire

    async def receive(self) -> Any:
        return self._wire.take(await self._stream.receive())

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> Any:
        return self._wire.take(await self._stream.__anext__())

    async def __aenter__(self) -> _Reader:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return await self._stream.__aexit__(kind, error, trace)

    @property
    def last_context(self) -> Any:
        """Where a message came from, for streams that tell."""
        return getattr(self._stream, "last_context", None)


def _of_object(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of arguments, said to be one of an object, since arguments always are; properties are no bare words."""
    kind = schema.get("type", "object")
    if isinstance(kind, list) and "object" in kind:
        kind = "object"
    made = {"type": kind, **{key: value for key, value in schema.items() if key != "type"}}
    if isinstance(schema.get("properties"), dict):
        as_object: dict[bool, dict[str, Any]] = {True: {}, False: {"not": {}}}
        made["properties"] = {
            name: as_object[one] if isinstance(one, bool) else one for name, one in schema["properties"].items()
        }
    return made


def _mend_content(result: dict[str, Any]) -> None:
    """Bring the result of a call into the protocol's form."""
    content = result.get("content")
    if content is None and "structuredContent" in result:
        content = []
    if isinstance(content, str | dict):
        content = [content]
    if not isinstance(content, list):
        return
    if "structuredContent" in result and not isinstance(result["structuredContent"], dict):
        structured = result.pop("structuredContent")
        if not content and structured is not None:
            content = [json.dumps(structured, ensure_ascii=False)]
    result["content"] = [_block(one) for one in content]


def _block(block: Any) -> Any:
    """A block of a result; words for one that the protocol does not know."""
    if isinstance(block, dict) and _problem("tools/call", {"content": [block]}) is None:
        return block
    return {"type": "text", "text": block if isinstance(block, str) else shown_block(block)}


def shown_block(block: Any) -> str:
    """Words for what is no text.

    >>> shown_block({"type": "zip", "mimeType": "application/zip", "data": "UEsD"}), shown_block([1])
    ('[zip application/zip]', '[1]')
    """
    if not isinstance(block, Mapping):
        return json.dumps(block, ensure_ascii=False)
    if isinstance(block.get("text"), str):
        return str(block["text"])
    if isinstance(block.get("resource"), Mapping):
        return shown_block({"type": "resource", **block["resource"]})
    told = [block[key] for key in ("type", "uri", "name", "mimeType") if isinstance(block.get(key), str)]
    return f"[{' '.join(told) or 'something'}]"


def _problem(method: str, result: dict[str, Any]) -> str | None:
    """What is wrong with a result in the protocol's eyes, in a line."""
    validate = require("mcp_types.methods", extra="mcp").validate_server_result
    try:
        validate(method, _VERSION, result)
    except ValueError as error:
        errors = getattr(error, "errors", None)
        if errors is None:
            return str(error)
        first = errors()[0]
        return f"{'.'.join(map(str, first['loc'][2:])) or 'it'}: {first['msg']}"
    return None
