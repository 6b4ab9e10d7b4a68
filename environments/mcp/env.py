"""An MCP server's tools as an environment: any server, over stdio or HTTP.

The tools that the server lists are the policy's, but for those that prepare and judge tasks (see ``tasks``) and those
that ``tools`` leaves out. A reply in words ends the episode. Without options a small server comes with it, and with
tasks and an expert: see ``demo``.

A server that is started by a command belongs to one environment, which is what makes episodes independent; its state
goes on from one episode to the next unless ``setup`` calls reset it or ``restart`` is set. When it dies its state is
gone, and the episode is void: a fresh one is started for the next. A server at a URL is connected to anew, and the
call made again if it was not sent, or if the tool says that calling it twice is as good as once; but not where the
episode rests on earlier calls, which a server that was started again has forgotten.

Tools that a server cannot describe are left out, with a warning. When it says that its tools are others now, they are,
and the policy is told.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import warnings
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
from agentgym.tools import Tool, ToolEnv, ToolError, call
from agentgym.tools.calls import read_json
from agentgym.types import Observation, TaskId, ToolCall

__all__ = ["MCP"]

_DEMO_TURNS = 6
"""One more than the longest solution of the demonstration's tasks has."""

_TYPE = """type --env.env '{NAME = "value"}'"""

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
    max_turns = _DEMO_TURNS

    def __init__(
        self,
        *,
        command: str | Sequence[str] | None = None,
        url: str | None = None,
        tools: Sequence[str] | None = None,
        tasks: str | Path | None = None,
        timeout: Annotated[float, Field(gt=0)] = 30.0,
        restart: bool = False,
        env: Mapping[str, str | bool | int | float] | Sequence[str] | str | None = None,
    ) -> None:
        """Connect to the server and list its tools.

        Args:
            command: starts a server that speaks over its standard input and output; none given, and no url: the
                demonstration server.
            url: address of a server that is running.
            tools: names of the tools that the policy may call; none given: all.
            tasks: file of tasks, JSON lines; none given: tasks are seeds without a goal, for looking around.
            timeout: seconds to wait for the server to start, and for each answer or sign of progress.
            restart: start the command anew for every episode.
            env: environment variables of the command: '{NAME = "value"}', or '["NAME"]' for ours of that name; beside
                PATH, HOME and the like, a server sees no others.

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
        if env is not None and command is None:
            raise ConfigError("env has no effect without a command: it is for the server that is started")
        self.address = Address(command=tuple(words), url=url or "", variables=tuple(_variables(env or {}).items()))
        self.allowed, self.timeout, self.restart = tools, timeout, restart
        self.max_turns = _DEMO_TURNS if is_demo else Env.max_turns
        self.all_tasks = read_tasks(Path(tasks)) if tasks else demo_tasks() if is_demo else ()
        self._by_id = {task.id: task for task in self.all_tasks}
        self._link: Link | None = None
        self._remote: Mapping[str, RemoteTool] = {}
        self._made: list[CallSpec] = []
        self._rests_on_calls = False
        self._news = ""
        self.left_out: dict[str, str] = {}
        """Tools of the server that cannot be used, and why."""
        self._ask()

    def _ask(self) -> None:
        """Connect for the first time, and learn which tools there are."""
        try:
            self._link = Link(self.address, timeout=self.timeout)
            self._learn(self._link)
        except (Lost, EnvError, ToolError) as error:
            self.close()
            raise UserError(f'the MCP server "{self.address}" {self._unreached}: {error}') from None
        except UserError:
            self.close()
            raise
        if self.left_out:
            warnings.warn(f'of the MCP server "{self.address}" is left out: {self._told_left_out}', stacklevel=3)

    def _learn(self, link: Link) -> None:
        """Take the server's tools over. Raises UserError, Lost, EnvError, ToolError."""
        listed = link.list_tools()
        self.left_out, usable = dict(link.left_out), dict[str, RemoteTool]()
        names = [tool.name for tool in listed]
        for tool in listed:
            if names.count(tool.name) > 1:
                raise UserError(
                    f'the MCP server "{self.address}" lists the tool "{tool.name}" {names.count(tool.name)} times; '
                    "a call would not say which one is meant"
                )
            try:
                usable[tool.name] = RemoteTool(tool)
            except UserError as error:
                self.left_out[tool.name] = str(error).removeprefix(f"the tool {tool.name} has ")
        self._remote = usable
        if self.left_out and not usable:
            raise UserError(f'the MCP server "{self.address}" has no tool that can be used: {self._told_left_out}')
        permitted = self._permitted()
        self.toolbox = {name: tool for name, tool in self._remote.items() if name in permitted}
        says = f"\nThe server says: {link.instructions.strip()}" if link.instructions.strip() else ""
        self.instructions = f"{self.usage}{says}\nAnswer in words when you are done, with the answer itself last."

    @property
    def _told_left_out(self) -> str:
        return "; ".join(f"{name} ({why})" for name, why in self.left_out.items())

    def _permitted(self) -> set[str]:
        """Names of the policy's tools. Raises ConfigError for a name that the server does not have."""
        hidden = {name for task in self.all_tasks for name in task.hidden_tools}
        wanted = [self.allowed] if isinstance(self.allowed, str) else self.allowed
        for name in [*(wanted or ()), *hidden]:
            if name not in self._remote:
                if name in self.left_out:
                    raise ConfigError(f'the MCP server\'s tool "{name}" cannot be used: {self.left_out[name]}')
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
        self._made, self._rests_on_calls = [], False
        if self.restart or self._link is None or not self._link.is_open:
            self._follow(self._connect(), always=True)
        else:
            self._follow(self._link)
        for one in self.task.setup:
            self._by_us(one)
            self._rests_on_calls = True
        self._news = ""  # the first observation shows what there is
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
        if self.task.check is not None and not tool.repeatable:
            self._rests_on_calls = True
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

    # -- tools that change ---------------------------------------------------------------------------

    def _calls(self, action: str) -> Sequence[ToolCall]:
        if self._link is not None:
            self._follow(self._link)
        return super()._calls(action)

    def _observation(self, seen: str) -> Observation:
        if self._link is not None:
            self._follow(self._link)
        news, self._news = self._news, ""
        return super()._observation(Observation(f"{seen}\n{news}".strip()) if news else seen)

    def _follow(self, link: Link, *, always: bool = False) -> None:
        """Take over the server's tools where it says that they are others now."""
        if not (link.is_open and (always or link.tools_changed)):
            return
        before = dict(self.toolbox)
        try:
            self._learn(link)
        except Lost as lost:
            self._broken(f"ended while it listed its tools: {lost}")
        except (UserError, EnvError, ToolError) as error:
            self._broken(f"changed its tools, and they cannot be used: {error}")
        new = [tool for name, tool in self.toolbox.items() if name not in before or before[name].usage != tool.usage]
        gone = [name for name in before if name not in self.toolbox]
        told = [f"New tools:\n{_listed(new)}"] if new else []
        told += [f"Tools that are gone: {', '.join(gone)}"] if gone else []
        self._news = "\n".join([*filter(None, [self._news]), *told])

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
            if self.address.url and self._rests_on_calls:
                self._broken(f"ended during {tool.name}, and with it what was done before in this episode: {lost}")
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


def _variables(given: Mapping[str, Any] | Sequence[str] | str) -> dict[str, str]:
    """Variables for a command's environment. Raises ConfigError for one that is not there, or is none."""
    if isinstance(given, str) and given.lstrip().startswith("{"):  # as JSON has it, and not TOML
        try:
            given = read_json(given)[0]
        except ValueError as error:
            raise ConfigError(f"env is {given!r:.60}, which is no table: {error}; {_TYPE}") from None
    if isinstance(given, Mapping):
        variables = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    else:
        names = [given] if isinstance(given, str) else given
        for name in names:
            if name not in os.environ:
                raise ConfigError(f'env names the variable "{name}", which is not set; set it, or {_TYPE}')
        variables = {name: os.environ[name] for name in names}
    for name, value in variables.items():
        if not re.fullmatch(r"[^=\0]+", name) or "\0" in value:
            raise ConfigError(f"env holds {name!r:.60}: {value!r:.20}, expected the name of a variable and a text")
    return variables


def _listed(tools: Sequence[Tool]) -> str:
    return "\n".join(f"- {tool.explained}" for tool in tools)
