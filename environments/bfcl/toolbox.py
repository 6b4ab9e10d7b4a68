"""Tools as a policy sees them: a schema in OpenAI's function form, and one line that says how to call it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from agentgym.environments.bfcl.calls import Call
from agentgym.tools.calls import Untyped
from agentgym.tools.tool import typed

__all__ = ["Tool", "make_tool"]

_TYPES = {"dict": "object", "float": "number"}
"""BFCL's names of types → JSON Schema's; the others are the same."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tool:
    """A method of an API class that may be called."""

    name: str
    api: str
    """Name of the class."""
    parameters: inspect.Signature
    schema: dict[str, Any]
    usage: str
    """How to call it, such as ``tail(file_name, lines=10)``."""

    def bind(self, call: Call) -> dict[str, Any]:
        """The call's arguments by name. Raises TypeError where they do not fit the parameters."""
        schemas = self.schema["function"]["parameters"].get("properties", {})
        arguments = {
            name: typed(value, schemas.get(name, {}), {}) if type(value) is Untyped else value
            for name, value in call.arguments.items()
        }
        return self.parameters.bind(*call.positional, **arguments).arguments


def make_tool(api: str, cls: type, doc: Mapping[str, Any]) -> Tool:
    """The tool that a line of the package's documentation describes."""
    _self, *parameters = inspect.signature(getattr(cls, doc["name"])).parameters.values()
    signature = inspect.Signature([parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters])
    function = {
        "name": doc["name"],
        "description": doc["description"],
        "parameters": _json_schema(doc["parameters"]),
    }
    schema = {"type": "function", "function": function}
    return Tool(doc["name"], api, signature, schema, usage=f"{doc['name']}{signature}")


def _json_schema(given: Mapping[str, Any]) -> dict[str, Any]:
    schema = {**given, "type": _TYPES.get(given["type"], given["type"])}
    if "items" in given:
        schema["items"] = _json_schema(given["items"])
    if "properties" in given:
        schema["properties"] = {name: _json_schema(value) for name, value in given["properties"].items()}
    return schema
