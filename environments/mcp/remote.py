"""A server's tool as one of ours: its schema is checked here, the call is made there, what comes back becomes text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentgym.boundary import checked_reset
from agentgym.environments.mcp.checker import Checker
from agentgym.errors import EnvError, UserError, did_you_mean
from agentgym.tools import Tool, ToolError
from agentgym.tools.patterns import Patterns
from agentgym.tools.schema import SchemaError
from agentgym.types import Observation

__all__ = ["RemoteTool", "text_of"]


class RemoteTool(Tool):
    """A tool of a server. ``listed`` is the entry of the server's list. Raises UserError for a schema that is none.

    A server that names arguments and leaves open whether there may be others is taken to want none: a misspelled one
    would otherwise be ignored without a word.
    """

    def __init__(self, listed: Any) -> None:
        if not listed.name.strip():
            raise UserError("a tool has no name")
        schema = listed.input_schema
        super().__init__(listed.name, listed.description or listed.title or listed.name, schema)
        try:
            checked_reset((Observation("", tools=[self.schema]), {}))
        except ValueError as error:  # no policy could be shown it
            raise UserError(f"the tool {self.name} has no schema that can be shown: {error}") from None
        hints = listed.annotations
        self.repeatable = bool(hints and (hints.read_only_hint or hints.idempotent_hint))
        """Calling it twice is as good as once."""
        try:
            self._checker = Checker(schema, self.plain)
        except SchemaError as error:
            raise UserError(f"the tool {self.name} has no valid JSON schema: {error}") from None

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        read, patterns = self.read(arguments), Patterns()
        for name in read:
            if self.schema_of(name, patterns) is None:
                hint = did_you_mean(name[:60], self.properties)
                raise self.refusal(f'there is no argument "{name[:60]}"{f".{hint}" if hint else ""}')
        for name in self.required:
            if name not in read:
                raise self.refusal(f'the argument "{name}" is missing')
        problem = self._checker.problem(read)
        if problem is not None:
            path = ".".join(map(str, problem.absolute_path))
            words = self._checker.words(problem)
            raise self.refusal(f'the argument "{path}": {words}' if path else words)
        return read

    def run(self, owner: Any, arguments: Mapping[str, Any]) -> str:
        """Make the call by ``owner.call``. Raises ToolError where the server says that it went wrong."""
        text: str = owner.call(self, dict(arguments))
        return text


def text_of(result: Any, tool: str) -> str:
    """A call's result as text. Raises ToolError where it says that it is an error, EnvError for broken text."""
    text = "\n".join(map(_shown, result.content))
    if not result.content and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    if result.is_error:
        raise ToolError(text or f"{tool} failed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EnvError(f"the MCP server's tool {tool} answered with half of a character: {text[:80]!r}") from None
    return text


def _shown(block: Any) -> str:
    """A block of a result as text: what it says, or else what it is."""
    match block.type:
        case "text":
            return str(block.text)
        case "resource" if isinstance(getattr(block.resource, "text", None), str):
            return f"[{block.resource.uri}]\n{block.resource.text}"
        case "resource":
            return _named("resource", block.resource.uri, block.resource.mime_type)
        case "resource_link":
            return _named("resource", block.uri, block.name, block.description)
    return f"[{block.type}]"


def _named(kind: str, *about: str | None) -> str:
    return f"[{kind} {', '.join(str(one) for one in about if one)}]"
