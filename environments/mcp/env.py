"""An MCP server's tools as an environment: any server, over stdio or HTTP.

The tools that the server lists are the policy's, but for those that prepare and judge tasks (see ``tasks``) and those
that ``tools`` leaves out. A reply in words ends the episode. Without options a small server comes with it, and with
tasks and an expert: see ``demo``.

A server that is started by a command belongs to one environment, which is what makes episodes independent; its state
goes on from one episode to the next unless ``setup`` calls reset it or ``restart`` is set. When it dies its state is
gone, and the episode is void: a fresh one is started for the next. A server at a URL is connected to anew, and the
call made again if it was not sent, or if the tool says that calling it twice is as good as once.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn

from pydantic import Field

from agentgym.env import SPLITS, Env, Expert
from agentgym.environments.mcp.demo import demo_command, demo_tasks
from agentgym.environments.mcp.link import Address, Link, Lost
from agentgym.environments.mcp.remote import RemoteTool
from agentgym.environments.mcp.tasks import CallSpec, Task, read_tasks, said, score_in
from agentgym.errors import ConfigError, EnvError, UserError, did_you_mean
from agentgym.extras import require
from agentgym.registry import register
from agentgym.tools import ToolEnv, ToolError, call
from agentgym.types import TaskId

__all__ = ["MCP"]

_DEMO_TURNS = 6
"""One more than the longest solution of the demonstration's tasks has."""

_FREE_PLAY = Task(id=0, instruction="Use the tools.")


@register
class MCP(ToolEnv):
    """Use the tools of an MCP server.

    Example::

        env = MCP(command="python server.py", tasks="tasks.jsonl")
        observation, info = env.reset(options={"task": "t1"})
        observation, reward, terminated, truncated, info = env.step('{"name": "add", "arguments": {"a": 1, "b": 2}}')
    """

    extra: ClassVar[str] = "mcp"
    max_turns = 15

    def __init__(
        self,
        *,
        command: str | Sequence[str] | None = None,
        url: str | None = None,
        tools: Sequence[str] | None = None,
        tasks: str | Path | None = None,
        timeout: Annotated[float, Field(gt=0)] = 30.0,
        restart: bool = False,
    ) -> None:
        """Connect to the server and list its tools.

        Args:
            command: starts a server that speaks over its standard input and output; none given, and no url: the
                demonstration server.
            url: address of a server that is running.
            tools: names of the tools that the policy may call; none given: all.
            tasks: file of tasks, JSON lines; none given: tasks are seeds without a goal, for looking around.
            timeout: seconds to wait for the server to start, and for each answer.
            restart: start the command anew for every episode.

        Raises UserError for a server that does not start, ConfigError for options that contradict each other, DataError
        for a malformed file of tasks, MissingExtraError.
        """
        if command is not None and url is not None:
            raise ConfigError("command and url are two servers; give one of them")
        if url is not None and restart:
            raise ConfigError("restart has no effect with a url: the server is not ours to start")
        require("mcp", extra="mcp")
        is_demo = command is None and url is None
        words = demo_command() if is_demo else shlex.split(command) if isinstance(command, str) else command or ()
        if not (words or url):
            raise ConfigError('command and url are empty; type for instance: --env.command "python server.py"')
        self.address = Address(command=tuple(words), url=url or "")
        self.allowed, self.timeout, self.restart = tools, timeout, restart
        self.max_turns = _DEMO_TURNS if is_demo else MCP.max_turns
        self.all_tasks = read_tasks(Path(tasks)) if tasks else demo_tasks() if is_demo else ()
        self._by_id = {task.id: task for task in self.all_tasks}
        self._link: Link | None = None
        self._remote: Mapping[str, RemoteTool] = {}
        self._made: list[CallSpec] = []
        self._ask()

    def _ask(self) -> None:
        """Connect for the first time, and learn which tools there are."""
        try:
            self._link = Link(self.address, timeout=self.timeout)
            self._remote = {tool.name: RemoteTool(tool) for tool in self._link.list_tools()}
            permitted = self._permitted()
        except (Lost, EnvError, ToolError) as error:
            self.close()
            raise UserError(f'the MCP server "{self.address}" {self._unreached}: {error}') from None
        except UserError:
            self.close()
            raise
        self.toolbox = {name: tool for name, tool in self._remote.items() if name in permitted}
        self.instructions = f"{self.usage}\nAnswer in words when you are done, with the answer itself last."

    def _permitted(self) -> set[str]:
        """Names of the policy's tools. Raises ConfigError for a name that the server does not have."""
        hidden = {name for task in self.all_tasks for name in task.hidden_tools}
        wanted = [self.allowed] if isinstance(self.allowed, str) else self.allowed
        for name in [*(wanted or ()), *hidden]:
            if name not in self._remote:
                hint, known = did_you_mean(name, self._remote), ", ".join(self._remote) or "none"
                raise ConfigError(f'the MCP server "{self.address}" has no tool "{name}".{hint} It has: {known}')
        return (set(self._remote) if wanted is None else set(wanted)) - hidden

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Ids of the tasks of a split, in the order of the file. Raises UserError."""
        seeds = Env.tasks(self, split)
        return [task.id for task in self.all_tasks if task.split == split] if self.all_tasks else seeds

    def start(self, task: TaskId) -> str:
        """Bring the server into the task's first state. Raises UserError for a task that there is not."""
        self.task = self._task(task)
        self._made = []
        if self.restart or self._link is None or not self._link.is_open:
            self._connect()
        for one in self.task.setup:
            self._by_us(one)
        return self.task.instruction

    def _task(self, id: TaskId) -> Task:
        if not self.all_tasks and id in range(SPLITS["test"].stop):
            return _FREE_PLAY
        if id not in self._by_id:
            shown = [str(known) for known in self._by_id]
            raise UserError(f"task {id!r} does not exist.{did_you_mean(str(id), shown)} There are {len(shown)} tasks")
        return self._by_id[id]

    def call(self, tool: RemoteTool, arguments: Mapping[str, Any]) -> str:
        """Make a call of the policy's, and remember it."""
        text = self._call(tool, arguments)
        self._made.append(CallSpec(name=tool.name, arguments=dict(arguments)))
        return text

    def admissible(self) -> list[str]:
        """A call of each tool, and the answer that ends the episode."""
        return [*(tool.template for tool in self.toolbox.values()), "<answer>"]

    def verdict(self) -> float:
        """1 where the answer has what is expected and the check agrees; the check may give part of it."""
        expected, check = self.task.expected, self.task.check
        if (expected is None and check is None) or (expected is not None and not said(expected, self.words)):
            return 0.0
        return 1.0 if check is None else score_in(self._by_us(check), check.name)

    def expert(self) -> Expert | None:
        """The task's solution, from the first of its calls that was not made yet; None where a task has none."""
        if not self.all_tasks or not any(task.solution for task in self.all_tasks):
            return None
        return lambda observation: self._next_step()

    def _next_step(self) -> str:
        steps = list(self.task.solution)
        for one in self._made:
            if steps and steps[0] == one:
                del steps[0]
        if not steps:
            return "done"
        step = steps[0]
        return step if isinstance(step, str) else call(step.name, **step.arguments)

    def close(self) -> None:
        """End the connection, and the server if it was started here."""
        if self._link is not None:
            self._link.close()
            self._link = None

    # -- the connection ------------------------------------------------------------------------------

    @property
    def _unreached(self) -> str:
        return "cannot be reached" if self.address.url else "does not start"

    def _connect(self) -> Link:
        self.close()
        try:
            self._link = Link(self.address, timeout=self.timeout)
        except Lost as lost:
            self._broken(f"{self._unreached} again: {lost}")
        return self._link

    def _by_us(self, one: CallSpec) -> str:
        """A call that prepares or judges: the policy is not to blame when it goes wrong."""
        try:
            return self._call(self._remote[one.name], one.arguments)
        except ToolError as error:
            self._broken(f"refused the call {one.name} of task {self.task.id!r}: {error}")

    def _call(self, tool: RemoteTool, arguments: Mapping[str, Any]) -> str:
        if self._link is None:
            self._broken("is not connected to: the environment is closed; call reset()")
        try:
            return self._link.call(tool.name, arguments)
        except Lost as lost:
            if self.address.url and (tool.repeatable or not lost.sent):
                return self._call_again(tool, arguments)
            self._broken(f"ended during {tool.name}: {lost}")
        except EnvError as error:
            self._broken(f"gave {error}")

    def _call_again(self, tool: RemoteTool, arguments: Mapping[str, Any]) -> str:
        try:
            return self._connect().call(tool.name, arguments)
        except Lost as lost:
            self._broken(f"ended again during {tool.name}: {lost}")

    def _broken(self, what: str) -> NoReturn:
        raise EnvError(f'the MCP server "{self.address}" {what}') from None
