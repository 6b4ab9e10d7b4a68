"""One conversation: the user's turns, the steps in each, and how they ended.

A reply with calls is a step; an answer without any ends the user's turn and brings the next one. A turn with more than
``max_steps`` steps is closed and counts as failed, as in Environment Tuning (BFCL's own runs give up the whole
conversation after 20).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from agentgym.environments.bfcl.calls import Call
from agentgym.environments.bfcl.data import Benchmark, Task
from agentgym.environments.bfcl.grading import Verdict, judge, reference
from agentgym.environments.bfcl.spelling import as_shown
from agentgym.environments.bfcl.toolbox import Tool
from agentgym.environments.bfcl.world import World, is_error
from agentgym.errors import did_you_mean
from agentgym.tools import compared
from agentgym.types import ToolCall

__all__ = ["Episode", "Reply"]


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What a tool said to one call."""

    name: str
    text: str
    problem: str | None = None
    """Why the call had no effect."""

    @property
    def has_failed(self) -> bool:
        """Whether the call was refused, or the tool said that it went wrong."""
        return self.problem is not None or is_error(self.text)


class Episode:
    """The state of one conversation."""

    def __init__(self, benchmark: Benchmark, task: Task, *, max_steps: int, fold_case: bool = False) -> None:
        self.benchmark, self.task, self.max_steps, self.fold_case = benchmark, task, max_steps, fold_case
        self.world = World(benchmark, task)
        self.executed: list[tuple[str, dict[str, Any]]] = []
        self.made: list[ToolCall] = []
        """The calls of the present turn, with arguments by name where they fit the tool."""
        self.results: list[str] = []
        self.verdicts: list[Verdict] = []
        self.steps = 0
        """Replies with calls in the present turn, readable or not."""
        self.called = False
        """Whether one of them could be read."""
        self.tools = benchmark.offered(task, 0)
        """What is offered now. What is held out is not, but answers whoever calls it by its name, as in BFCL."""

    @property
    def turn(self) -> int:
        """The user's turn, from 0."""
        return len(self.verdicts)

    @property
    def num_turns(self) -> int:
        """The user's turns, those to come among them."""
        return len(self.task.messages)

    @property
    def is_over(self) -> bool:
        """Whether the user has nothing more to say."""
        return self.turn == self.num_turns

    @property
    def is_full(self) -> bool:
        """Whether the turn has had all its steps."""
        return self.steps >= self.max_steps

    @property
    def is_right(self) -> bool:
        """BFCL's verdict on the turns so far."""
        return all(verdict.is_right for verdict in self.verdicts)

    def call(self, calls: Sequence[Call]) -> list[Reply]:
        """Take a step: make the calls, in order, whatever the ones before said."""
        self.steps, self.called = self.steps + 1, True
        replies = []
        for call in calls:
            replies.append(self._call(as_shown(call, self.tools.values(), self._shown()) if self.fold_case else call))
            self.results.append(replies[-1].text)
        return replies

    def _shown(self) -> str:
        """What has been said so far, and the tools' descriptions."""
        docs = [json.dumps(tool.schema, ensure_ascii=False).replace('\\"', '"') for tool in self.tools.values()]
        return "\n".join([*docs, *self.task.messages[: self.turn + 1], *self.results])

    def _call(self, call: Call) -> Reply:
        unfit = {**call.arguments, "": list(call.positional)}  # no parameter is called "": it equals no other call
        self.made.append(ToolCall(name=call.name, arguments=unfit))
        tool = self.benchmark.tools.get(call.name)
        if tool is None or tool.api not in self.world.instances:
            known = ", ".join(self.tools)
            problem = f'there is no tool "{call.name:.60}".{did_you_mean(call.name[:60], self.tools)} Known: {known}'
            return Reply(call.name[:60], f"Error: {problem}", problem)
        try:
            arguments = tool.bind(call)
        except TypeError as error:
            problem = f"{tool.name}() {error}; it is called as {tool.usage}"
            return Reply(tool.name, f"Error during execution: {problem}", problem)
        self.made[-1] = ToolCall(name=tool.name, arguments=arguments)
        self.executed.append((tool.name, arguments))
        return Reply(tool.name, self.world.call(tool.name, arguments))

    def close_turn(self, *, forced: bool = False) -> Verdict:
        """End the user's turn."""
        expected = reference(self.task.id)[self.turn]
        verdict = judge(self.world, self.results, expected, called=self.called, forced=forced)
        self.verdicts.append(verdict)
        self.steps, self.called, self.made = 0, False, []
        self.tools = self.benchmark.offered(self.task, self.turn)
        return verdict

    def new_tools(self) -> list[Tool]:
        """The tools that came with the present turn."""
        return [self.tools[name] for name in self.task.held_out.get(self.turn, ())]

    def expected_calls(self) -> list[Call]:
        """What the ground truth calls in the present turn."""
        return [Call(name, arguments) for name, arguments in reference(self.task.id)[self.turn].calls]

    def compared(self) -> dict[str, float]:
        """How the calls of the present turn are to those of the ground truth: see ``agentgym.tools.compared``."""
        return compared(
            self.made, [ToolCall(name=call.name, arguments=call.arguments) for call in self.expected_calls()]
        )

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON: what was called, from which the world is played again."""
        return {
            "task": self.task.id,
            "executed": [[name, arguments] for name, arguments in self.executed],
            "made": [[call.name, call.arguments] for call in self.made],
            "results": list(self.results),
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "steps": self.steps,
            "called": self.called,
        }

    @classmethod
    def from_state(
        cls, benchmark: Benchmark, state: dict[str, Any], *, max_steps: int, fold_case: bool = False
    ) -> Episode:
        """The episode that gave ``state``."""
        episode = cls(benchmark, benchmark.tasks[state["task"]], max_steps=max_steps, fold_case=fold_case)
        episode.executed = [(name, arguments) for name, arguments in state["executed"]]
        for name, arguments in episode.executed:
            episode.world.call(name, arguments)
        episode.made = [ToolCall(name=name, arguments=arguments) for name, arguments in state["made"]]
        episode.results = list(state["results"])
        episode.verdicts = [Verdict(**verdict) for verdict in state["verdicts"]]
        episode.steps, episode.called = state["steps"], state["called"]
        episode.tools = benchmark.offered(episode.task, episode.turn)
        return episode
