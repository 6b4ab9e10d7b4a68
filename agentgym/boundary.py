"""What stands between an environment's author and its callers: checks before and after ``reset`` and ``step``.

``guarded`` puts them around an author's method. What they look at is here too, so that it is the same in the event
loop, in a thread, and on the far side of a process: each ``checked_…`` returns what it was given as callers may rely on
it, or raises ValueError, which says what was found and what was expected.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import operator
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import numpy as np

from agentgym.loops import must_wait
from agentgym.media import as_media
from agentgym.types import Action, Media, Observation, StepResult, TaskId, ToolCall

__all__ = [
    "MAX_REWARD",
    "checked_about",
    "checked_action",
    "checked_reset",
    "checked_step",
    "checked_tasks",
    "checked_text",
    "guarded",
    "is_guarded",
    "shown",
]

MAX_REWARD = 1e12
"""A reward beyond it is refused, and so is a sum of an episode's: their squares must fit a learner's numbers."""
_RANGE = f"no more than {MAX_REWARD:g} either way; pay in larger units"
_MAX_DEPTH, _MAX_BITS, _SHOWN = 64, 1024, 120


def is_guarded(method: Any) -> bool:
    """Whether ``guarded`` made it."""
    return getattr(method, "_is_guarded", False) is True


def guarded(method: Callable[..., Any], before: Callable[..., Any], after: Callable[..., Any]) -> Callable[..., Any]:
    """Put the boundary around an author's ``reset`` or ``step``, once per call however often it calls super()."""

    def enter(self: Any, *args: Any, **kwargs: Any) -> Callable[[], Any]:
        arguments = before(self, *args, **kwargs)
        self._inside = True
        if isinstance(arguments, tuple):  # in order: an author may call them as he likes
            return functools.partial(method, self, *arguments)
        return functools.partial(method, self, **arguments)

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def checked_later(self: Any, *args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return await method(self, *args, **kwargs)
            entered = enter(self, *args, **kwargs)
            try:
                result = await entered()
            finally:
                self._inside = False
            return after(self, result)

        checked_later._is_guarded = True  # type: ignore[attr-defined]
        return checked_later

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._inside:
            return method(self, *args, **kwargs)
        entered = enter(self, *args, **kwargs)
        try:
            result = entered()
        finally:
            self._inside = False
        return awaited(self, result) if must_wait(result) else after(self, result)

    async def awaited(self: Any, result: Awaitable[Any]) -> Any:
        self._inside = True
        try:
            settled = await result
        finally:
            self._inside = False
        return after(self, settled)

    checked._is_guarded = True  # type: ignore[attr-defined]
    return checked


# -- what comes back -------------------------------------------------------------------------------------


def checked_reset(result: Any, known: Observation | None = None) -> tuple[Observation, dict[str, Any]]:
    """What ``reset`` returned. Tools that ``known`` has too were looked at before."""
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ValueError(f"reset returned {shown(result)}, expected (observation, info)")
    return _observation(result[0], known), _info(result[1])


def checked_step(result: Any, total: float = 0.0, known: Observation | None = None) -> StepResult:
    """What ``step`` returned; ``total`` is what the episode was paid before."""
    if not (isinstance(result, tuple) and len(result) == 5):
        raise ValueError(f"step returned {shown(result)}, expected (observation, reward, terminated, truncated, info)")
    observation, reward, terminated, truncated, info = result
    paid = _number(reward, "step gave the reward")
    if abs(paid) > MAX_REWARD:
        raise ValueError(f"step gave the reward {shown(reward)}, expected {_RANGE}")
    if abs(total + paid) > MAX_REWARD:
        raise ValueError(f"the rewards of the episode add up to {total + paid!r}, expected {_RANGE}")
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(flag, bool | np.bool_):
            raise ValueError(f"step gave {name}={shown(flag)}, expected True or False")
    return StepResult(_observation(observation, known), paid, bool(terminated), bool(truncated), _info(info))


def checked_action(said: Any) -> Action:
    """What an expert said."""
    if not isinstance(said, str):
        raise ValueError(f"an expert says text, found {shown(said)}")
    text = checked_text(said, "what an expert says")
    if not isinstance(said, Action):
        return Action(text)
    calls = getattr(said, "tool_calls", None)
    if not isinstance(calls, tuple | list):
        raise ValueError(f"tool_calls is {shown(calls)}, expected a list of ToolCall")
    made = tuple(_call(call, f"tool_calls[{index}]") for index, call in enumerate(calls))
    return said if type(said) is Action and _is_same(calls, made) else Action(text, tool_calls=made)


def checked_about(name: Any, instructions: Any, max_turns: Any, corpus_episodes: Any) -> tuple[str, str, int, int]:
    """What an environment says of itself."""
    return (
        checked_text(name, "its name"),
        checked_text(instructions, "its instructions"),
        _count(max_turns, "max_turns", 1),
        _count(corpus_episodes, "corpus_episodes", 0),
    )


def checked_tasks(split: str, tasks: Any) -> Sequence[TaskId]:
    """What ``tasks(split)`` returned."""
    what = f'tasks("{split}")'
    if isinstance(tasks, range):
        return tasks
    if isinstance(tasks, str | bytes) or not isinstance(tasks, Sequence | np.ndarray):
        raise ValueError(f"{what} is {shown(tasks)}, expected a list of ids, each a whole number or text")
    return [_task(task, f"{what}[{index}]") for index, task in enumerate(tasks)]


def checked_text(value: Any, what: str) -> str:
    """``value`` as a plain string, whatever class of its own it may be of."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is text, found {shown(value)}")
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} is text that UTF-8 can carry, found {shown(text)}: {error}") from None
    return text


def shown(value: Any) -> str:
    """The class of ``value`` and the beginning of what it looks like."""
    try:
        text = str.__str__(repr(value))
    except BaseException as error:  # the author's __repr__ runs here and may do as it likes
        text = f"[which cannot be shown: __repr__ raised {type(error).__name__}]"
    return f"{type(value).__name__} {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"


def _call(call: Any, what: str) -> ToolCall:
    if not isinstance(call, ToolCall) or not isinstance(call.arguments, dict):
        raise ValueError(f"{what} is {shown(call)}, expected a ToolCall with a dict of arguments")
    name, id = checked_text(call.name, f"{what}.name"), checked_text(call.id, f"{what}.id")
    arguments = _plain(call.arguments, f"{what}.arguments")
    is_plain = type(call) is ToolCall and arguments is call.arguments and name is call.name and id is call.id
    return call if is_plain else ToolCall(name=name, arguments=arguments, id=id)


def _is_same(given: Any, made: tuple[Any, ...]) -> bool:
    """Whether ``given`` is a plain tuple of what is in ``made``."""
    return type(given) is tuple and len(given) == len(made) and all(map(operator.is_, given, made))


def _count(value: Any, what: str, least: int) -> int:
    try:
        count = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = -1
    if count < least:
        raise ValueError(f"{what} is {shown(value)}, expected a whole number from {least} on")
    return count


def _task(task: Any, what: str) -> TaskId:
    if isinstance(task, str):
        return checked_text(task, what)
    try:
        return operator.index(task)
    except TypeError:
        raise ValueError(f"{what} is {shown(task)}, expected a whole number or text") from None


def _number(value: Any, what: str) -> float:
    try:
        found = float(value) if isinstance(value, numbers.Real) else math.nan
    except (ArithmeticError, ValueError, TypeError):  # beyond all floats, or a class of the author's own
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{what} {shown(value)}, expected a finite number")
    return found


def _observation(value: Any, known: Observation | None) -> Observation:
    text = checked_text(value, "an observation")
    if not isinstance(value, Observation):
        return Observation(text)
    admissible = None if value.admissible is None else _admissible(value.admissible)
    tools = _tools(value.tools, () if known is None else known.tools)
    images = _images(value.images)
    if type(value) is Observation and all(
        old is new for old, new in ((value.admissible, admissible), (value.tools, tools), (value.images, images))
    ):
        return value
    return Observation(text, admissible=admissible, tools=tools, images=images)


def _admissible(actions: Any) -> tuple[str, ...]:
    if not isinstance(actions, tuple | list):
        raise ValueError(f"admissible is {shown(actions)}, expected a list of actions")
    if type(actions) is tuple and all(type(action) is str and action.isascii() for action in actions):
        return actions
    return tuple(checked_text(action, f"admissible[{index}]") for index, action in enumerate(actions))


def _images(images: Any) -> tuple[Media, ...]:
    if not isinstance(images, tuple | list):
        raise ValueError(f"images is {shown(images)}, expected a list of images")
    made = []
    for index, image in enumerate(images):
        try:
            made.append(as_media(image))
        except ValueError as error:
            raise ValueError(f"images[{index}] is {error}") from None
    return tuple(made)


def _tools(tools: Any, known: Sequence[Any]) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(tools, tuple | list):
        raise ValueError(f"tools is {shown(tools)}, expected a list of JSON schemas")
    if len(tools) == len(known) and all(map(operator.is_, tools, known)):  # the usual case: the same in every turn
        return tuple(tools)
    made = tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools))
    return made if not isinstance(tools, tuple) or not _is_same(tools, made) else tools


def _tool(tool: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(tool, Mapping):
        raise ValueError(f'{what} is {shown(tool)}, expected a dict with a "name" and a JSON schema of "parameters"')
    plain: dict[str, Any] = _plain(tool, what)
    about = plain.get("function", plain)
    name = about.get("name") if isinstance(about, dict) else None
    if not (isinstance(name, str) and name):
        raise ValueError(f'{what} has the name {shown(name)}, expected text: {{"name": "add", "parameters": {{…}}}}')
    return plain


def _plain(value: Any, what: str, depth: int = 0) -> Any:
    """``value`` as JSON has it; itself where it is that already."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return checked_text(value, what)
    if isinstance(value, float):
        return _number(value, f"{what} is")
    if isinstance(value, int) and int(value).bit_length() <= _MAX_BITS:
        return int(value)
    if not isinstance(value, Mapping | list | tuple) or depth == _MAX_DEPTH:
        raise ValueError(f"{what} is {shown(value)}, which JSON cannot say")
    if not isinstance(value, Mapping):
        items = [_plain(item, f"{what}[{index}]", depth + 1) for index, item in enumerate(value)]
        return value if type(value) is list and all(map(operator.is_, items, value)) else items
    pairs = {checked_text(key, f"a key in {what}"): _plain(value[key], f"{what}[{key!r}]", depth + 1) for key in value}
    is_plain = type(value) is dict and all(map(operator.is_, pairs.values(), value.values()))
    return value if is_plain else pairs


# -- info ------------------------------------------------------------------------------------------------


def _info(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"info is a dict, found {shown(value)}")
    info = value if type(value) is dict else {name: dict.__getitem__(value, name) for name in dict.__iter__(value)}
    told = {name: info[name] for name in _MEANING if name in info}
    if not told:
        return info
    said = {name: _MEANING[name](each) for name, each in told.items() if not _says_nothing(name, each)}
    return {**{name: each for name, each in info.items() if name not in told}, **said}


def _says_nothing(name: str, value: Any) -> bool:
    """``success`` before it is known, and an action with which nothing was wrong."""
    if value is None or name != "invalid_action":
        return value is None
    return (isinstance(value, bool | np.bool_) and not value) or (isinstance(value, str) and str.__len__(value) == 0)


def _success(value: Any) -> bool:
    if isinstance(value, bool | np.bool_ | int | float | np.integer | np.floating) and value in (0, 1):
        return bool(value)
    raise ValueError(f'info["success"] is {shown(value)}, expected True or False')


def _invalid_action(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'info["invalid_action"] is {shown(value)}, expected text that says what was wrong')
    return checked_text(value, 'info["invalid_action"]')


def _channels(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise ValueError(f'info["channels"] is a dict of numbers by name, found {shown(value)}')
    channels = {}
    for name, number in value.items():
        key = checked_text(name, 'a name in info["channels"]')
        channels[key] = _number(number, f'info["channels"]["{key}"] is')
    return channels


_MEANING: dict[str, Callable[[Any], Any]] = {
    "success": _success,
    "invalid_action": _invalid_action,
    "channels": _channels,
}
"""Keys of info with a meaning."""
