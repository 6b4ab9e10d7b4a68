"""Observations, actions, step results and marks as packets.

Text of observations and images travel raw beside the JSON. What comes back is equal, apart from what ``framed`` says of
info.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from agentgym.hosts.processes.frames import Packet
from agentgym.snapshot import Mark
from agentgym.tools.calls import Untyped
from agentgym.types import Action, Media, Observation, StepResult, TaskId, ToolCall

__all__ = [
    "pack_action",
    "pack_mark",
    "pack_observation",
    "pack_result",
    "pack_tasks",
    "unpack_action",
    "unpack_mark",
    "unpack_observation",
    "unpack_result",
    "unpack_tasks",
]


def pack_observation(observation: Observation, **head: Any) -> Packet:
    """The observation, and ``head`` beside it. Its images are media: the environment's boundary made them that."""
    text = observation.encode("utf-8", "surrogatepass")
    head["text"] = len(text)
    if observation.admissible is not None:
        head["admissible"] = observation.admissible
    if observation.tools:
        head["tools"] = observation.tools
    if not observation.images:
        return Packet(head, text)
    head["images"] = [(media.digest, len(media.data)) for media in observation.images]
    return Packet(head, b"".join((text, *(media.data for media in observation.images))))


def unpack_observation(packet: Packet) -> Observation:
    """The inverse of ``pack_observation``."""
    head, attached = packet
    text = str(attached[: head["text"]], "utf-8", "surrogatepass")
    images = _unpack_images(head["images"], attached[head["text"] :]) if "images" in head else ()
    if not all(isinstance(tool, dict) for tool in head.get("tools", ())):
        raise TypeError("its tools are no objects of JSON")
    return Observation(text, admissible=head.get("admissible"), tools=head.get("tools", ()), images=images)


def pack_result(result: StepResult) -> Packet:
    """What a step came to."""
    observation, reward, terminated, truncated, info = result
    return pack_observation(observation, reward=reward, terminated=terminated, truncated=truncated, info=info)


def unpack_result(packet: Packet) -> StepResult:
    """The inverse of ``pack_result``."""
    head = packet.head
    observation = unpack_observation(packet)
    return StepResult(observation, head["reward"], head["terminated"], head["truncated"], head["info"])


def pack_action(action: Action | None) -> dict[str, Any]:
    """An action as JSON."""
    if action is None:
        return {}
    calls = [
        {"name": call.name, "arguments": call.arguments, "id": call.id, **_untyped(call)} for call in action.tool_calls
    ]
    return {"action": str(action), "tool_calls": calls} if calls else {"action": str(action)}


def unpack_action(head: dict[str, Any]) -> Action | None:
    """The inverse of ``pack_action``."""
    if "tool_calls" in head:
        return Action(head["action"], tool_calls=list(map(_call, head["tool_calls"])))
    return Action(head["action"]) if "action" in head else None


def _untyped(call: ToolCall) -> dict[str, Any]:
    names = [name for name, value in call.arguments.items() if type(value) is Untyped]
    return {"untyped": names} if names else {}


def _call(head: dict[str, Any]) -> ToolCall:
    texts = {name: Untyped(head["arguments"][name]) for name in head.get("untyped", ())}
    return ToolCall(name=head["name"], arguments={**head["arguments"], **texts}, id=head["id"])


def pack_mark(mark: Mark) -> dict[str, Any]:
    """A mark as JSON."""
    head = {field.name: getattr(mark, field.name) for field in dataclasses.fields(mark)}
    return {**head, "actions": [pack_action(Action.of(action)) for action in mark.actions]}


def unpack_mark(head: dict[str, Any]) -> Mark:
    """The inverse of ``pack_mark``."""
    actions = tuple(unpack_action(action) or "" for action in head["actions"])
    return Mark(**{**head, "actions": actions, "digests": tuple(head["digests"])})


def pack_tasks(tasks: Sequence[TaskId]) -> dict[str, Any]:
    """Ids of tasks as JSON: a range, of which there may be millions, by its ends."""
    if isinstance(tasks, range):
        return {"range": [tasks.start, tasks.stop, tasks.step]}
    return {"tasks": list(tasks)}


def unpack_tasks(head: dict[str, Any]) -> Sequence[TaskId]:
    """The inverse of ``pack_tasks``."""
    return range(*head["range"]) if "range" in head else head["tasks"]


def _unpack_images(heads: Sequence[tuple[str, int]], attached: bytes | memoryview) -> list[Media]:
    images = []
    for digest, size in heads:
        raw, attached = attached[:size], attached[size:]
        images.append(Media(digest=digest, data=bytes(raw)))
    return images
