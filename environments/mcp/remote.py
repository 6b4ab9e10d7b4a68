"""A server's tool as one of ours: its schema is checked here, the call is made there, what comes back becomes text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentgym.errors import EnvError, UserError, did_you_mean
from agentgym.extras import require
from agentgym.tools import Tool, ToolError

__all__ = ["RemoteTool", "text_of"]


class RemoteTool(Tool):
    """A tool of a server. ``listed`` is the entry of the server's list. Raises UserError for a schema that is none.

    A server that leaves open whether there may be other arguments than those it names is taken to want none: a
    misspelled one would otherwise be ignored without a word.
    """

    def __init__(self, listed: Any) -> None:
        schema = listed.input_schema
        super().__init__(listed.name, listed.description or listed.title or listed.name, schema)
        hints = listed.annotations
        self.repeatable = bool(hints and (hints.read_only_hint or hints.idempotent_hint))
        """Calling it twice is as good as once."""
        validators, referencing = (require(name, extra="mcp") for name in ("jsonschema.validators", "referencing"))
        validator = validators.validator_for(schema, default=validators.Draft202012Validator)
        try:
            validator.check_schema(schema)
        except Exception as error:  # whatever jsonschema makes of a schema that is none
            problem = str(error).partition("\n")[0]
            raise UserError(f"the MCP server's tool {self.name} has no valid JSON schema: {problem}") from None
        self._validator = validator(schema, registry=referencing.Registry())  # which fetches nothing

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        read = self.read(arguments)
        if self.parameters.get("additionalProperties", False) is False:
            for name in read.keys() - self.properties.keys():
                hint = did_you_mean(name[:60], self.properties)
                raise self.refusal(f'there is no argument "{name[:60]}"{f".{hint}" if hint else ""}')
        for name in self.required:
            if name not in read:
                raise self.refusal(f'the argument "{name}" is missing')
        problem = next(iter(self._validator.iter_errors(read)), None)
        if problem is not None:
            path = ".".join(map(str, problem.absolute_path))
            raise self.refusal(f'the argument "{path}": {problem.message[:120]}' if path else problem.message[:120])
        return read

    def run(self, owner: Any, arguments: Mapping[str, Any]) -> str:
        """Make the call by ``owner.call``. Raises ToolError where the server says that it went wrong."""
        text: str = owner.call(self, dict(arguments))
        return text


def text_of(result: Any, tool: str) -> str:
    """A call's result as text. Raises ToolError where it says that it is an error, EnvError for broken text."""
    parts = [part.text if part.type == "text" else f"[{part.type}]" for part in result.content]
    text = "\n".join(parts)
    if not parts and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    if result.is_error:
        raise ToolError(text or f"{tool} failed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EnvError(f"the MCP server's tool {tool} answered with half of a character: {text[:80]!r}") from None
    return text
