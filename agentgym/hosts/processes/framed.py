"""An environment that is spoken to in packets, wherever it runs: what is asked becomes one, and what comes is checked.

A subclass brings packets there and back. At the other end they are answered as ``child`` answers them.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from agentgym.boundary import checked_reset, checked_step, checked_tasks
from agentgym.errors import EnvError
from agentgym.hosts.failures import Failure, Situation
from agentgym.hosts.host import Host
from agentgym.hosts.processes.frames import Packet, framed
from agentgym.hosts.processes.wire import (
    pack_action,
    pack_mark,
    pack_observation,
    unpack_action,
    unpack_mark,
    unpack_observation,
    unpack_result,
    unpack_tasks,
)
from agentgym.hosts.resident import About, as_action
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult, TaskId

__all__ = ["FramedHost"]

T = TypeVar("T")


class FramedHost(Host):
    """The face of an environment elsewhere, which is named ``id`` before it has said its name."""

    def __init__(self, id: str) -> None:
        self._situation = Situation(id)
        self._seen: Observation | None = None

    @abc.abstractmethod
    async def relay(self, frame: bytes) -> Packet:
        """The answer to a packet. Raises EnvError where none comes any more."""

    async def begin(self) -> None:
        """Have the environment made."""
        head = (await self._call({"call": "make"})).head
        self.name, self.instructions, self.max_turns, self.corpus_episodes = self._read(lambda: About.checked(**head))
        self._situation.name = self.name

    async def tasks(self, split: str) -> Sequence[TaskId]:
        head = (await self._call({"call": "tasks", "split": split})).head
        return self._read(lambda: checked_tasks(split, unpack_tasks(head)))

    async def has_expert(self) -> bool:
        head = (await self._call({"call": "has_expert"})).head
        return self._read(lambda: head["has_expert"] is True)

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        self._situation.begin(seed, options)
        return await self._begun({"call": "reset", "seed": seed, "options": options})

    async def step(self, action: Action) -> StepResult:
        self._situation.action = action
        packet = await self._call({"call": "step", **pack_action(action)})
        result = self._read(lambda: _checked_result(unpack_result(packet)))
        self._seen = result.observation
        return result

    async def expert(self, observation: Observation) -> Action | None:
        known = observation is self._seen
        head, attached = Packet({}) if known else pack_observation(observation)
        said = (await self._call({"call": "expert", **head}, attached)).head
        return self._read(lambda: as_action(unpack_action(said)))

    async def save(self) -> Mark:
        head = (await self._call({"call": "save"})).head
        return self._read(lambda: unpack_mark(head))

    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        self._situation.return_to(mark)
        return await self._begun({"call": "load", "mark": pack_mark(mark)})

    async def forget(self, *marks: Mark) -> None:
        await self._call({"call": "forget", "ids": [mark.id for mark in marks]})

    async def _begun(self, head: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        packet = await self._call(head)
        told = (packet.head.get("instructions"), packet.head.get("max_turns"))
        _, self.instructions, self.max_turns, _ = self._read(lambda: About.checked(self.name, *told, 0))
        seen = self._read(lambda: unpack_observation(packet))
        self._seen, info = self._read(lambda: checked_reset((seen, packet.head["info"]), seen))
        return self._seen, info

    async def _call(self, head: dict[str, Any], attached: bytes | memoryview = b"") -> Packet:
        packet = await self.relay(framed(Packet(head, attached)))
        if "failed" in packet.head:
            raise self._read(lambda: Failure(*packet.head["failed"]).error(self._situation))
        return packet

    def _read(self, what: Callable[[], T]) -> T:
        """What was sent, looked at once more: whatever runs in that process can write to its socket."""
        try:
            return what()
        except Exception as error:
            raise EnvError(
                f"what came from the process of {self._situation.name} is no answer ({self._situation}): "
                f"{type(error).__name__}: {error}"
            ) from error


def _checked_result(result: StepResult) -> StepResult:
    return checked_step(result, known=result.observation)
