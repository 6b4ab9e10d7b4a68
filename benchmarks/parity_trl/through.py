"""The environment of ``as_trl`` once more as an environment of ours: what TRL's loop makes of it, as episodes here.

An episode is TRL's: the user's message is what ``reset`` tells, the tool is ``act`` with the schema that TRL shows,
what comes of a call is a tool's response, and the episode goes on until a reply calls nothing, also after the
environment has said that it is over. TRL answers so many rounds of calls; the reply after them is the last here too.
"""

from __future__ import annotations

from typing import Any

from transformers.utils.chat_template_utils import get_json_schema

import agentgym
from agentgym.env import Expert
from agentgym.errors import ParseError
from agentgym.interop import TRLEnvironment, as_trl
from agentgym.protocols.tools import Tools
from agentgym.types import Action, Observation, ToolCall

__all__ = ["FAREWELL", "Read", "Through", "response"]

FAREWELL = "Done."
"""What the expert says when the episode is over."""


@agentgym.register(id="through-trl")
class Through(agentgym.Env):
    """An environment as TRL plays it."""

    kind = "tools"

    def __init__(self, *, game: str = "blocksworld", options: dict[str, Any] | None = None) -> None:
        """Choose the environment.

        Args:
            game: its id.
            options: its options.
        """
        self.told: TRLEnvironment = as_trl(game, **(options or {}))()
        self.num_calls = self.told._player.env.max_turns
        """Rounds of calls that TRL's loop may take: ``max_tool_calling_iterations``."""
        self.max_turns = self.num_calls + 1
        self.tool = get_json_schema(self.told.act)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode of ``options["task"]``."""
        self.turns = 0
        return self._observed(self.told.reset(task=(options or {}).get("task"), seed=self.seed)), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One reply: its calls, or the end of the episode where it has none."""
        calls = action.tool_calls if isinstance(action, Action) else ()
        before, self.turns = self.told.reward, self.turns + 1
        is_cut = bool(calls) and self.turns > self.num_calls
        told = [] if is_cut else [response(self._called(call)) for call in calls]
        info = {"success": self.told.success} if is_cut or not calls else {}
        return self._observed("\n".join(told)), self.told.reward - before, not calls, is_cut, info

    def tasks(self, split: str) -> Any:
        """Those of the environment."""
        return self.told._player.env.tasks(split)

    def expert(self) -> Expert:
        """The environment's own, and a word when the episode is over."""

        def act(observation: Observation) -> Action:
            if self.told.done:
                return Action(FAREWELL)
            return Action(tool_calls=[ToolCall(name="act", arguments={"action": str(self.told._player.expert())})])

        return act

    def _called(self, call: ToolCall) -> str:
        """What TRL's loop answers."""
        try:
            if call.name != "act":
                raise ValueError(f"Tool {call.name} not found.")
            return self.told.act(**call.arguments)
        except Exception as error:
            return str({"error": str(error)})

    def _observed(self, text: str) -> Observation:
        return Observation(text, tools=[self.tool])


def response(text: str) -> str:
    """A tool's response as Qwen3's chat template writes it into the user's message."""
    return f"<tool_response>\n{text}\n</tool_response>"


@agentgym.register(id="tools-read-by-trl")
class Read(Tools):
    """Tool calls; what TRL's parser cannot read is words to it, and so it is here."""

    def parse(self, reply: str) -> Action:
        """The calls of a reply, or its words."""
        if reply.count("<tool_call>") != reply.count("</tool_call>"):
            return Action(reply)
        try:
            return super().parse(reply)
        except ParseError:
            return Action(reply)
