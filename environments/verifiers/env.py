"""A taskset of ``verifiers`` (its version 1 interface) as an environment: the prompt, one reply, the taskset's rewards.

Prompts and rewards are the taskset's own: the reply is put into a trace of the package, and ``Task.score`` scores it.
What belongs to the package's own agents is not played here and refused by name: tools, containers, judges that are
models, hooks and rewards that need a running sandbox.

Without a name it is a small taskset of sums.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Sequence
from typing import Any

from agentgym.env import Env, Expert
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.extras import require
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["Verifiers"]

_DEMO = "agentgym.environments.verifiers.demo"
_LEAST_TASKS = 10


@register
class Verifiers(Env):
    """Reply to the prompt of a taskset.

    Example::

        env = Verifiers(name="my_taskset")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = await env.step("42")
    """

    kind = "reasoning"
    extra = "verifiers"
    instructions = "Reply to the prompt."
    max_turns = 1

    def __init__(self, *, name: str | None = None, limit: int = 1_000, success_at: float = 1.0) -> None:
        """Load the tasks.

        Args:
            name: id of an installed taskset, as ``eval`` of verifiers takes it; none given: sums. The id
                ``verifiers:my-taskset`` is short for it.
            limit: tasks to load at most; the last two tenths of them are for validation and test.
            success_at: reward from which on a reply is a success.

        Raises ConfigError for a taskset that is not found, has fewer than ten tasks, or needs what is not played here;
        MissingExtraError.
        """
        if limit < _LEAST_TASKS:
            raise ConfigError(f"limit is {limit}, expected {_LEAST_TASKS} or more: there are three splits")
        self.taskset_name, self.success_at = name or "the demonstration", success_at
        self.package: Any = require("verifiers.v1", extra="verifiers")
        taskset = _taskset(self.package, name)
        self.is_demo = name is None
        self.all_tasks = list(itertools.islice(taskset, limit))
        if len(self.all_tasks) < _LEAST_TASKS:
            raise ConfigError(f"{self.taskset_name} has {len(self.all_tasks)} tasks, expected {_LEAST_TASKS} or more")
        if problem := self._problem(taskset):
            raise ConfigError(f"{self.taskset_name} cannot be played here: {problem}")
        tenth = len(self.all_tasks) // 10
        ends = (len(self.all_tasks) - 2 * tenth, len(self.all_tasks) - tenth)
        self._splits = {
            "train": range(ends[0]),
            "validation": range(*ends),
            "test": range(ends[1], len(self.all_tasks)),
        }

    def _problem(self, taskset: Any) -> str | None:
        """What the tasks need that only the package's own agents have."""
        task, base = self.all_tasks[0], self.package.Task
        kind = type(task)
        needing = [fn.__name__ for fn in task.hooks("reward") if _needs_runtime(fn)]
        wants = {
            "a container": kind.NEEDS_CONTAINER,
            "tools": bool(type(taskset).toolsets(taskset.config) or kind.toolsets(task.config)),
            "judges that are models": bool(task.config.judges),
            "a sandbox to set up": kind.setup is not base.setup or kind.finalize is not base.finalize,
            f"a sandbox for its rewards {', '.join(needing)}": bool(needing),
            "a user who begins": any(one.data.prompt is None for one in self.all_tasks),
        }
        needed = [name for name, is_needed in wants.items() if is_needed]
        return f"its tasks need {' and '.join(needed)}" if needed else None

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Numbers of the tasks of a split, in the taskset's order. Raises UserError."""
        Env.tasks(self, split)  # knows the splits
        return self._splits[split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Show the prompt of the task, or of a random one of the training split. Raises UserError."""
        given = (options or {}).get("task")
        self.task = int(self.np_random.integers(len(self._splits["train"]))) if given is None else given
        if self.task not in range(len(self.all_tasks)):
            raise UserError(f"task {given!r} does not exist: tasks are the numbers 0 to {len(self.all_tasks) - 1}")
        data = self.all_tasks[self.task].data
        return "\n\n".join(filter(None, (data.system_prompt, data.prompt_text))), {}

    async def step(  # type: ignore[override]
        self, action: str
    ) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Score a reply; the episode ends with it."""
        task = copy.copy(self.all_tasks[self.task])
        trace = self._trace(task, action.encode("utf-8", "replace").decode())
        try:
            await task.score(trace)
        except Exception as error:
            raise EnvError(f"{self.taskset_name}: scoring task {self.task} failed: {error}") from error
        reward = float(trace.reward)
        info = {"success": reward >= self.success_at, "rewards": {k: v.score for k, v in trace.rewards.items() if v}}
        return "", reward, True, False, info

    def expert(self) -> Expert | None:
        """The value of a sum in the demonstration; no taskset tells a right reply in a way that all have."""
        return (lambda observation: str(self.all_tasks[self.task].data.answer)) if self.is_demo else None

    def get_state(self) -> int:
        """The number of the task."""
        return int(self.task)

    def set_state(self, state: int) -> None:
        """Go back to what ``get_state`` gave."""
        self.task = state

    def _trace(self, task: Any, reply: str) -> Any:
        """The package's record of a conversation of one reply."""
        vf = self.package
        records = require("verifiers.v1.trace", extra="verifiers")
        trace = records.Trace(
            task=records.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
            agent=records.AgentInfo(config=vf.AgentConfig()),
        )
        prompt = [vf.SystemMessage(content=task.data.system_prompt)] if task.data.system_prompt else []
        said = task.data.prompt
        prompt += [vf.UserMessage(content=said)] if isinstance(said, str) else list(said)
        message = vf.AssistantMessage(content=reply)
        response = vf.Response(id="0", created=0, model="agentgym", message=message, finish_reason="stop")
        require("verifiers.v1.graph", extra="verifiers").prepare_turn(trace, prompt).commit(response)
        return trace


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
