"""Environments whose actions are calls of tools.

An author writes instructions, tools, ``start`` and ``verdict``; the base class reads calls out of actions, checks them,
runs them in order and tells the policy what came back. Three choices that it makes:

- every call of an action is checked before the first one runs, so that an action with a mistake in it does nothing;
- a tool that raises one of ``tool_errors`` while it runs ends the action there: the calls after it do not run. The
  policy is told, and the info says so under ``invalid_action``. Any other exception is the environment's failure;
- words, that is an action without calls, go to ``heard``. Unless that is overridden they end the episode.

Each step reports the channels ``calls``, the calls that were answered, and ``failed_calls``, those of them that were
refused or that a tool gave up on; calls that did not run after one of these are in neither. An action in which no call
can be read makes none.

With ``async`` tools or hooks the environment is async, otherwise it is not.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import pydantic_core

from agentgym.env import Env
from agentgym.errors import EnvError, did_you_mean
from agentgym.loops import settled
from agentgym.tools.calls import QUOTING, ToolError, UnreadableError, named_in_json, parse_calls
from agentgym.tools.forms import form_in
from agentgym.tools.tool import FunctionTool, Tool, is_tool
from agentgym.types import Action, Observation, TaskId, ToolCall

__all__ = ["ToolEnv"]

T = TypeVar("T")
Step = tuple[str, float, bool, bool, dict[str, Any]]

_HOW = "Call a tool with name(argument=value), and nothing else in the reply."
_OVER = "The episode is over."

_HOOKS = ("start", "heard", "verdict", "reward_of")


class ToolEnv(Env):
    """Base of environments with tools.

    Example, a whole environment::

        @agentgym.register
        class Sums(ToolEnv):
            instructions = "Find the sum, then say it."

            def start(self, task):
                self.numbers = self.np_random.integers(10, size=2).tolist()
                return f"What is {self.numbers[0]} + {self.numbers[1]}?"

            @tool
            def add(self, a: int, b: int) -> int:
                '''Add two numbers.'''
                return a + b

            def verdict(self):
                return float(self.words == str(sum(self.numbers)))
    """

    kind: ClassVar[str] = "tools"
    tool_errors: ClassVar[tuple[type[Exception], ...]] = (ToolError,)
    """What a tool may raise to refuse a call: shown to the policy."""
    max_calls: ClassVar[int] = 16
    """Calls that one action may make."""
    toolbox: Mapping[str, Tool]
    """The tools by name: the class's methods, unless an instance is given others."""
    words: str
    """What this action says in words; "" where it makes calls."""
    _over: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        members = [getattr(cls, name, None) for name in _declared(cls)]
        cls.toolbox = {member.__name__: FunctionTool(member) for member in members if is_tool(member) and member}
        hooks = [getattr(cls, name) for name in _HOOKS]
        functions = [tool.function for tool in cls.toolbox.values() if isinstance(tool, FunctionTool)]
        if any(map(inspect.iscoroutinefunction, [*hooks, *functions])):
            for name, method in (("reset", _reset_async), ("step", _step_async)):
                if name not in cls.__dict__:
                    setattr(cls, name, method)
        super().__init_subclass__(**kwargs)

    # -- written by authors --------------------------------------------------------------------------

    def start(self, task: TaskId) -> Any:
        """Start an episode and return the first observation. ``task`` is the seed where tasks are seeds."""
        raise NotImplementedError(f"{type(self).__name__} must define start(task)")

    def heard(self, words: str) -> Any:
        """Answer an action in words: a text, and the episode goes on, or None, and it is over."""
        return None

    def verdict(self) -> Any:
        """How well an episode that is over was done; 1 is success, and what it is rewarded with."""
        return 0.0

    def reward_of(self, verdict: float | None) -> Any:
        """Reward of a turn. ``verdict`` is None unless the episode is over."""
        return verdict or 0.0

    def admissible(self) -> Sequence[str] | None:
        """Actions that would have an effect now: a call of each tool, with blanks, unless something better is known."""
        return [tool.template for tool in self.toolbox.values()]

    # -- given to authors ----------------------------------------------------------------------------

    def finish(self) -> None:
        """End the episode with this turn: for a tool or for ``heard``."""
        self._over = True

    @property
    def usage(self) -> str:
        """How to call the tools, to go into the instructions of policies that are not shown schemas."""
        tools = "\n".join(f"- {tool.explained}" for tool in self.toolbox.values())
        optional = " ? marks what may be left out." if "?: " in tools else ""
        return f"{_HOW} {QUOTING}{optional} Tools:\n{tools}"

    # -- the environment -----------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode of ``options["task"]``, or of a random train task."""
        return self._at_once(self._reset(options))

    def step(self, action: str) -> Step:
        """One turn: the calls of ``action``, or its words."""
        return self._at_once(self._step(action))

    async def _reset(self, options: dict[str, Any] | None) -> tuple[str, dict[str, Any]]:
        self.words, self._over = "", False
        return self._observation(await settled(self.start(self._task_of(options)))), {}

    def _task_of(self, options: dict[str, Any] | None) -> TaskId:
        task: TaskId | None = (options or {}).get("task")
        if not self.has_own_tasks:
            return self.seed
        if task is None:
            tasks = self.tasks("train")
            task = tasks[int(self.np_random.integers(len(tasks)))]
        return task

    async def _step(self, action: str) -> Step:
        self.words, self._over = "", False
        channels = dict.fromkeys(("calls", "failed_calls"), 0.0)
        info: dict[str, Any] = {"channels": channels}
        try:
            calls = self._checked(self._calls(action), channels)
        except ToolError as error:
            info["invalid_action"] = str(error)
            calls, seen = [], str(error)
        else:
            seen = await self._run(calls, info) if calls else await self._say(action)
            if self._over and not seen:
                seen = (
                    f"{_OVER} {calls[-1][0].name} ended it."
                    if calls
                    else f"{_OVER} A reply without a call is the last."
                )
        verdict = float(await settled(self.verdict())) if self._over else None
        if verdict is not None:
            info["success"] = verdict >= 1
        reward = await settled(self.reward_of(verdict))
        return self._observation(seen), reward, self._over, False, info

    def _calls(self, action: str) -> Sequence[ToolCall]:
        """The calls in an action. Raises ToolError where there should be some and none can be read."""
        try:
            action.encode()
        except UnicodeEncodeError:
            raise ToolError("This is not text: it has half of a character.") from None
        calls = (action.tool_calls if isinstance(action, Action) else ()) or self._written(action)
        if not calls and not action.strip():
            raise ToolError("This is empty. Call a tool or say something.")
        if len(calls) > self.max_calls:
            raise ToolError(f"These are {len(calls)} calls; one turn may make {self.max_calls}.")
        return calls

    def _written(self, text: str) -> Sequence[ToolCall]:
        """The calls in a text; none where it is words. Raises ToolError for what is meant as a call and cannot be."""
        try:
            calls = parse_calls(text, self.toolbox)
        except UnreadableError as error:
            tool = self.toolbox.get(error.tool)
            raise ToolError(f"{error} Usage: {tool.usage}" if tool else self._unknown(error.tool)) from None
        if calls is None and (form := form_in(text)):
            raise ToolError(f'This has a call in the form "{form.name}", which is not read here. {_HOW} {QUOTING}')
        if calls is None and (name := named_in_json(text, self.toolbox)):
            usage = self.toolbox[name].usage
            raise ToolError(f'There are words or marks around the call of "{name}". {_HOW} {QUOTING} Usage: {usage}')
        return calls or ()

    def _checked(self, calls: Sequence[ToolCall], channels: dict[str, float]) -> list[tuple[Tool, dict[str, Any]]]:
        try:
            return [((tool := self._tool(call.name)), tool.check(call.arguments)) for call in calls]
        except ToolError:
            _count(channels, failed=True)
            raise

    def _tool(self, name: str) -> Tool:
        if name not in self.toolbox:
            raise ToolError(self._unknown(name))
        return self.toolbox[name]

    def _unknown(self, name: str) -> str:
        known = ", ".join(self.toolbox) or "none"
        return f'There is no tool "{name[:60]}".{did_you_mean(name[:60], self.toolbox)} Tools: {known}'

    async def _run(self, calls: Sequence[tuple[Tool, dict[str, Any]]], info: dict[str, Any]) -> str:
        """Run checked calls in order, and say what came back."""
        told = []
        for tool, arguments in calls:
            try:
                result = shown(await settled(tool.run(self, arguments)))
            except self.tool_errors as error:
                info["invalid_action"] = result = str(error) or type(error).__name__
            _count(info["channels"], failed="invalid_action" in info)
            told.append(result if len(calls) == 1 else f"{tool.name}: {result}")
            if "invalid_action" in info or self._over:
                break
        if len(told) < len(calls):
            told.append("not run: " + ", ".join(tool.name for tool, _ in calls[len(told) :]))
        return told[0] if len(told) == 1 else "\n".join(told)

    async def _say(self, words: str) -> str:
        self.words = str(words).strip()
        answer = await settled(self.heard(self.words))
        if answer is None:
            self.finish()
        return "" if answer is None else shown(answer)

    def _observation(self, seen: str) -> Observation:
        """``seen`` with the tools that can be called now, and with what else an author gave it."""
        known = Observation.of(seen)
        return Observation(
            str(seen),
            admissible=self.admissible() if known.admissible is None else known.admissible,
            tools=known.tools or [tool.schema for tool in self.toolbox.values()],
            images=known.images,
        )

    def _at_once(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that waits for nothing."""
        try:
            work.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        work.close()
        raise EnvError(f"{type(self).__name__}: a tool or hook waits; define it with async def")


async def _reset_async(
    self: ToolEnv, *, seed: int | None = None, options: dict[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    """Start an episode of ``options["task"]``, or of a random train task."""
    return await self._reset(options)


async def _step_async(self: ToolEnv, action: str) -> Step:
    """One turn: the calls of ``action``, or its words."""
    return await self._step(action)


def _count(channels: dict[str, float], *, failed: bool) -> None:
    """Count a call that was answered."""
    channels["calls"] += 1
    channels["failed_calls"] += failed


def shown(result: Any) -> str:
    """What a tool returned, as text: itself, or as JSON."""
    if isinstance(result, str):
        return result
    return "done" if result is None else pydantic_core.to_json(result).decode()


def _declared(cls: type) -> list[str]:
    """Names of a class's members in the order of their definition, those of base classes first."""
    return list(dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)))
