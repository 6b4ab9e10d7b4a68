"""The same task for verifiers: a taskset, an environment that is the user, and a harness without a process.

verifiers finds the three by this module's name. The environment is written as that of the TextArena taskset which it
ships: it steps on the host and answers as the user of an interaction. The harness ``null``, which it ships for such
tasks, starts a program at every turn of the model; ``Direct`` is what its base class allows in place of that, and
costs as little as it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import verifiers.v1 as vf
from verifiers.v1.dialects.chat import message_to_wire
from verifiers.v1.harness import Harness, HarnessConfig, HarnessSession
from verifiers.v1.runtimes import ProgramResult

from benchmarks.rollout_verifiers import material

__all__ = ["Direct", "LinesEnv", "LinesTaskset"]


class LinesConfig(vf.TasksetConfig):  # type: ignore[misc]
    episodes: int = 1
    turns: int = 1


class LinesData(vf.TaskData):  # type: ignore[misc]
    turns: int


class LinesTask(vf.Task[LinesData, vf.State, vf.TaskConfig]):  # type: ignore[misc]
    pass


class LinesTaskset(vf.Taskset[LinesTask, LinesConfig]):  # type: ignore[misc]
    def load(self) -> Iterator[LinesTask]:
        for _ in range(self.config.episodes):
            yield LinesTask(LinesData(prompt=material.OPENING, turns=self.config.turns), self.config.task)


class LinesEnvConfig(vf.EnvConfig):  # type: ignore[misc]
    player: vf.AgentConfig = vf.AgentConfig()


class LinesEnv(vf.Env[LinesEnvConfig]):  # type: ignore[misc]
    async def run(self, task: Any, agents: Any) -> None:
        async with agents.player.interaction(task) as interaction:
            segment = await interaction.turn()
            for turn in range(1, task.data.turns):
                assert segment.last_reply == material.REPLY
                segment = await interaction.turn(material.line(turn))
        interaction.trace.record_reward("reward", 0.0, 1.0)


class Direct(Harness[HarnessConfig]):  # type: ignore[misc]
    """Asks the interception server itself, through connections that all episodes share."""

    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False
    http: aiohttp.ClientSession
    """Set by the benchmark, within the event loop."""

    async def session(self, *arguments: Any, **keywords: Any) -> HarnessSession:
        return Conversation(self, *arguments, **keywords)

    async def launch(self, *arguments: Any, **keywords: Any) -> ProgramResult:
        raise NotImplementedError("the session asks")


class Conversation(HarnessSession):  # type: ignore[misc]
    """Keeps the messages of an episode."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": self.data.prompt}]

    async def _run(self, messages: Any) -> ProgramResult:
        self.messages += [message_to_wire(message) for message in messages or ()]
        body = {"model": self.ctx.model, "messages": self.messages}
        headers = {"authorization": f"Bearer {self.secret}"}
        async with Direct.http.post(f"{self.endpoint}/chat/completions", json=body, headers=headers) as response:
            response.raise_for_status()
            self.messages.append((await response.json())["choices"][0]["message"])
        return ProgramResult(exit_code=0, stdout="", stderr="")
