"""An episode as the package's trace, which is what tasksets score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.extras import require

__all__ = ["Call", "Record"]

Call = tuple[str, Mapping[str, Any], str]
"""A call that was made: the tool, its arguments, what came back."""


class Record:
    """The trace of one task, which grows turn by turn."""

    def __init__(self, package: Any, task: Any) -> None:
        records, states = (require(f"verifiers.v1.{name}", extra="verifiers") for name in ("trace", "state"))
        self._package = package
        self.trace = records.Trace(
            task=records.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
            state=states.state_cls(type(task))(),
            agent=records.AgentInfo(config=package.AgentConfig()),
        )
        said = task.data.prompt
        opening = [package.UserMessage(content=said)] if isinstance(said, str) else list(said)
        system = [package.SystemMessage(content=task.data.system_prompt)] if task.data.system_prompt else []
        self._messages: list[Any] = [*system, *opening]

    def say(self, words: str) -> None:
        """Add a reply in words."""
        self._commit(self._package.AssistantMessage(content=_text(words)), "stop")

    def refuse(self, reply: str, told: str) -> None:
        """Add a reply that could not be carried out, and what the policy was told."""
        self.say(reply)
        self._messages.append(self._package.UserMessage(content=told))

    def call(self, calls: Sequence[Call]) -> None:
        """Add a reply that made calls, and their results."""
        types = require("verifiers.v1.types", extra="verifiers")
        first = len(self._messages)
        made = [
            types.ToolCall(id=f"call-{first}-{i}", name=name, arguments=json.dumps(dict(arguments)))
            for i, (name, arguments, _) in enumerate(calls)
        ]
        self._commit(self._package.AssistantMessage(tool_calls=made), "tool_calls")
        for call, (_, _, result) in zip(made, calls, strict=True):
            self._messages.append(types.ToolMessage(tool_call_id=call.id, name=call.name, content=result))

    def _commit(self, message: Any, finish_reason: str) -> None:
        response = self._package.Response(
            id=str(len(self._messages)), created=0, model="agentgym", message=message, finish_reason=finish_reason
        )
        graph = require("verifiers.v1.graph", extra="verifiers")
        graph.prepare_turn(self.trace, self._messages).commit(response)
        self._messages.append(message)


def _text(words: str) -> str:
    return words.encode("utf-8", "replace").decode()
