"""A taskset of ``verifiers`` (its version 1 interface) as an environment: the prompt, tools, the taskset's rewards.

Prompts, tools and rewards are the taskset's own: replies and calls are put into a trace of the package, and
``Task.score`` scores it. A reply in words is the last; so are the calls at which the taskset says to stop, and those of
the last turn. Tools run in this process (see ``tools``). What belongs to the package's own agents is not played here
and refused by name: containers, tools elsewhere, judges that are models, hooks and rewards that need a running sandbox,
and what comes between the agent and its model.

Without a name it is a small taskset of sums.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments.verifiers.record import Call, Record
from agentgym.environments.verifiers.tools import TasksetTool, bind, elsewhere, list_tools
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.extras import require
from agentgym.registry import register
from agentgym.tools import ToolEnv, ToolError
from agentgym.types import TaskId, ToolCall

__all__ = ["Verifiers"]

_DEMO = "agentgym.environments.verifiers.demo"
_LEAST_TASKS = 10


@register
class Verifiers(ToolEnv):
    """Reply to the prompt of a taskset, with its tools if it has some.

    Example::

        env = Verifiers(name="my_taskset")
        observation, info = await env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = await env.step("42")
    """

    kind: ClassVar[str] = "reasoning"
    extra: ClassVar[str] = "verifiers"
    max_turns = 1
    instructions = "Reply to the prompt."

    def __init__(
        self,
        *,
        name: str | None = None,
        limit: Annotated[int, Field(ge=_LEAST_TASKS)] = 1_000,
        success_at: float = 1.0,
        max_turns: Annotated[int, Field(ge=1)] = 15,
    ) -> None:
        """Load the tasks.

        Args:
            name: id of an installed taskset, as ``eval`` of verifiers takes it; none given: sums. The id
                ``verifiers:my-taskset`` is short for it.
            limit: tasks to load at most, ten or more; the last two tenths of them are for validation and test.
            success_at: reward from which on an episode is a success.
            max_turns: replies, of a taskset with tools; without any there is one.

        Raises ConfigError for a taskset that is not found, has fewer than ten tasks, or needs what is not played here;
        MissingExtraError.
        """
        self.taskset_name, self.success_at = name or "the demonstration", success_at
        self.package: Any = require("verifiers.v1", extra="verifiers")
        taskset = _taskset(self.package, name)
        self.is_demo = name is None
        self.all_tasks = list(itertools.islice(taskset, limit))
        if len(self.all_tasks) < _LEAST_TASKS:
            raise ConfigError(f"{self.taskset_name} has {len(self.all_tasks)} tasks, expected {_LEAST_TASKS} or more")
        self._shared = list(type(taskset).toolsets(taskset.config))
        self._shared_are_ready = False
        if problem := self._problem():
            raise ConfigError(f"{self.taskset_name} cannot be played here: {problem}")
        self.toolbox: Mapping[str, TasksetTool] = self._at_once(list_tools(self._toolsets(self.all_tasks[0])))
        self.max_turns = max_turns if self.toolbox else 1
        if self.toolbox:
            self.instructions = f"{self.usage}\nAnswer in words when you are done."
        tenth = len(self.all_tasks) // 10
        ends = (len(self.all_tasks) - 2 * tenth, len(self.all_tasks) - tenth)
        self._splits = {
            "train": range(ends[0]),
            "validation": range(*ends),
            "test": range(ends[1], len(self.all_tasks)),
        }

    def _toolsets(self, task: Any) -> list[Any]:
        """Those of all tasks, and new ones of this task's own."""
        return [*self._shared, *type(task).toolsets(task.config)]

    def _problem(self) -> str | None:
        """What the tasks need that only the package's own agents have."""
        task, base = self.all_tasks[0], self.package.Task
        kind = type(task)
        hooks, session = (
            require(f"verifiers.v1.{name}", extra="verifiers") for name in ("utils.decorators", "session")
        )
        needing = [fn.__name__ for fn in task.hooks("reward") if _needs_runtime(fn)]
        stops = [session.hook_boundary(fn, allow_trace=True) for fn in task.hooks("stop")]
        wants = {
            "a container": kind.NEEDS_CONTAINER,
            "tools that are elsewhere": any(map(elsewhere, self._toolsets(task))),
            "judges that are models": bool(task.config.judges),
            "a sandbox to set up": kind.setup is not base.setup or kind.finalize is not base.finalize,
            f"a sandbox for its rewards {', '.join(needing)}": bool(needing),
            "to come between agent and model": bool(hooks.discover_decorated(task, "intercept"))
            or any(boundary is not self.package.Trace for boundary in stops),
            "a user who begins": any(one.data.prompt is None for one in self.all_tasks),
        }
        needed = [name for name, is_needed in wants.items() if is_needed]
        return f"its tasks need {' and '.join(needed)}" if needed else None

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Numbers of the tasks of a split, in the taskset's order. Raises UserError."""
        Env.tasks(self, split)  # knows the splits
        return self._splits[split]

    async def start(self, task: TaskId) -> str:
        """Show the task's prompt, with tools as they begin. Raises UserError, and EnvError for broken tools."""
        if task not in range(len(self.all_tasks)):
            raise UserError(f"task {task!r} does not exist: tasks are the numbers 0 to {len(self.all_tasks) - 1}")
        self.task = copy.copy(self.all_tasks[int(task)])
        self.record, self.turn = Record(self.package, self.task), 0
        toolsets = self._toolsets(self.task)
        try:
            await self._prepare(toolsets[len(self._shared) :])
            self.toolbox = await list_tools(toolsets)
        except Exception as error:
            raise EnvError(f"{self.taskset_name}: the tools of task {task} do not start: {error}") from error
        for toolset in toolsets:
            bind(toolset, self.record.trace)
        data = self.task.data
        return "\n\n".join(filter(None, (data.system_prompt, data.prompt_text)))

    async def _prepare(self, own: Sequence[Any]) -> None:
        if not self._shared_are_ready:
            for toolset in self._shared:
                await toolset.setup()
            self._shared_are_ready = True
        for toolset in own:
            await toolset.setup()
            await toolset.setup_task(self.task.data)

    async def heard(self, words: str) -> None:
        """Take a reply in words; it is the last."""
        self.record.say(words)

    async def call(self, tool: TasksetTool, arguments: Mapping[str, Any]) -> str:
        """Make a call of the policy's, and remember what came of it. Raises ToolError."""
        try:
            result = await tool.answer(arguments)
        except ToolError as error:
            self._made.append((tool.name, arguments, str(error)))
            raise
        self._made.append((tool.name, arguments, result))
        return result

    async def verdict(self) -> float:
        """The taskset's reward. Raises EnvError where its scoring fails."""
        trace = self.record.trace
        try:
            await self.task.score(trace)
        except Exception as error:
            raise EnvError(f"{self.taskset_name}: scoring task {self.task.data.idx} failed: {error}") from error
        return float(trace.reward)

    def admissible(self) -> Sequence[str] | None:
        """A call of each tool, and the answer that ends the episode; nobody knows where there are no tools."""
        return [*(tool.template for tool in self.toolbox.values()), "<answer>"] if self.toolbox else None

    def expert(self) -> Expert | None:
        """The value of a sum in the demonstration; no taskset tells a right reply in a way that all have."""
        return (lambda observation: str(self.task.data.answer)) if self.is_demo else None

    # -- turns ---------------------------------------------------------------------------------------

    async def _step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._made: list[Call] = []
        self.turn += 1
        seen, reward, is_over, is_truncated, info = await super()._step(action)
        if "invalid_action" in info and not self._made:
            self.record.refuse(action, seen)
        if is_over:
            rewards = {name: given.score for name, given in self.record.trace.rewards.items() if given}
            info |= {"success": reward >= self.success_at, "rewards": rewards}
        return seen, reward, is_over, is_truncated, info

    def _calls(self, action: str) -> Sequence[ToolCall]:
        """Nothing is a call where there are no tools, and an empty reply is a reply."""
        return super()._calls(action) if self.toolbox else ()

    async def _run(self, calls: Sequence[Any], info: dict[str, Any]) -> str:
        seen = await super()._run(calls, info)
        self.record.call(self._made)
        if self.turn >= self.max_turns or await self._is_told_to_stop():
            self.finish()
        return seen

    async def _is_told_to_stop(self) -> bool:
        session, trace = require("verifiers.v1.session", extra="verifiers"), self.record.trace
        for stop in self.task.hooks("stop"):
            if await session.call_hook(stop, {self.package.Trace: trace}):
                return True
        return False


def _needs_runtime(fn: Any) -> bool:
    parameter = inspect.signature(fn).parameters.get("runtime")
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _taskset(package: Any, name: str | None) -> Any:
    """The taskset of that id. Raises ConfigError."""
    if name is None:
        return require(_DEMO, extra="verifiers").Sums(package.TasksetConfig(id="sums"))
    loaders = require("verifiers.v1.utils.loaders", extra="verifiers")
    try:
        return loaders.load_taskset(package.TasksetConfig(id=name))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f'name is "{name}", which is no taskset that is installed: {error}') from None
