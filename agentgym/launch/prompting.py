"""The examples that a prompt asks for: made once, from the environment or a file, and kept with the run."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from agentgym import store
from agentgym.config import Choice
from agentgym.corpus import Played
from agentgym.env import Env
from agentgym.errors import ConfigError, DataError, ParseError
from agentgym.launch.settings import SpeechSettings
from agentgym.prompt import Kept, checked_shot
from agentgym.protocol import Protocol
from agentgym.rollout import seed_of
from agentgym.types import Action, Message, Observation, TaskId, Trajectory, Turn
from agentgym.visit import Visit

__all__ = ["keep", "prompted"]

_TRIES = 20
"""Training tasks that are looked at for the examples, beyond as many as are wanted."""
_HELD_OUT = ("validation", "test")


def keep(settings: SpeechSettings, protocol: Protocol) -> None:
    """Have ``settings`` hold what was made of the prompt's options, for whoever goes on with the run or plays it."""
    if protocol.prompt.kept is not None:
        kept = protocol.prompt.kept.model_dump(mode="json")
        settings.protocol = Choice(id=settings.protocol.id, **{**settings.protocol.options, "kept": kept})


async def prompted(protocol: Protocol, env: Env | Played) -> Protocol:
    """``protocol``, which is suited to its policy, with the examples that its prompt asks for.

    Raises UserError where there are none to be had. Nothing is made that a run has kept.
    """
    prompt = protocol.prompt
    if prompt.kept is not None or not (prompt.example or prompt.shots):
        return protocol
    visit = Visit(env) if isinstance(env, Env) else env
    example = prompt.example
    if example == "auto":
        example = await _first_action(visit, env)
    shots = await _shots(protocol, visit, env, prompt.shots, prompt.shots_from) if prompt.shots else []
    twin = copy.copy(protocol)
    twin.take(
        prompt.model_copy(
            update={"kept": Kept(example=protocol.example(Action(example)) if example else "", shots=shots)}
        )
    )
    return twin


# -- from the environment --------------------------------------------------------------------------------


async def _first_action(visit: Visit | Played, env: Env | Played) -> str:
    """Of the first training task: the expert's, or a complete one of those that the environment lists."""
    task = env.tasks("train")[0]
    seen = await visit.reset(task, _seed(task))
    action = await visit.expert()
    if action is None:
        action = next((Action(each) for each in seen.admissible or () if "<" not in each), None)
    if action is None:
        raise ConfigError(
            f'"{env.name}" has no expert() and lists no actions to take an example from; type one: '
            '--protocol.example "ACTION"'
        )
    return str(action)


async def _shots(
    protocol: Protocol, visit: Visit | Played, env: Env | Played, num: int, file: Path | None
) -> list[list[Message]]:
    if file is not None:
        return _from_file(file, protocol, num)
    shots = list[list[Message]]()
    for task in env.tasks("train")[: num + _TRIES]:
        if shot := await _played(visit, env.name, task, protocol):
            shots.append(shot)
        if len(shots) == num:
            return shots
    raise ConfigError(
        f'the expert of "{env.name}" solved {len(shots)} of the first training tasks, protocol.shots asks for {num}; '
        "lower it, or take them from a file: --protocol.shots_from FILE"
    )


async def _played(visit: Visit | Played, name: str, task: TaskId, protocol: Protocol) -> list[Message]:
    """An episode of the expert, or nothing where it does not succeed."""
    messages, seen = list[Message](), await visit.reset(task, _seed(task))
    while visit.goes_on:
        action = await visit.expert()
        if action is None:
            raise ConfigError(
                f'"{name}" has no expert() to take examples from; give some: --protocol.shots_from FILE, '
                "which agentgym record writes"
            )
        say = protocol.format if messages else protocol.first
        messages += [_text_of(protocol.shown(seen)), protocol.said(say(action))]
        seen = (await visit.step(action)).observation
    return messages if visit.now.success else []


def _seed(task: TaskId) -> int:
    return seed_of("example", task) % 2**31


def _text_of(message: Message) -> Message:
    if not isinstance(message["content"], str):
        raise ConfigError("the environment shows pictures, and examples are text; leave out --protocol.shots")
    return message


# -- from a file -----------------------------------------------------------------------------------------


def _from_file(file: Path, protocol: Protocol, num: int) -> list[list[Message]]:
    """The first successes of recorded episodes, or the first conversations. Raises DataError."""
    shots = list[list[Message]]()
    for shot in _conversations(file) if _has_conversations(file) else _recorded(file, protocol):
        shots.append(shot)
        if len(shots) == num:
            return shots
    raise DataError(
        f"{file} has {len(shots)} conversations or successful episodes, protocol.shots asks for {num}; lower it, or "
        "give another --protocol.shots_from"
    )


def _has_conversations(file: Path) -> bool:
    if file.suffix not in (".json", ".jsonl") or not file.is_file():
        return False
    with contextlib.closing(_values(file)) as values:
        _, first = next(values, ("", {}))
    return file.suffix == ".json" or not isinstance(first, dict) or "episode_id" not in first


def _values(file: Path) -> Generator[tuple[str, Any]]:
    """What the file holds, each with its place."""
    try:
        if file.suffix == ".json":
            whole = json.loads(file.read_text(encoding="utf-8"))
            items = whole if isinstance(whole, list) and not _is_message(whole[:1]) else [whole]
            yield from ((f"conversation {number}", item) for number, item in enumerate(items, 1))
            return
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield f"line {number}", json.loads(line)
    except ValueError as error:
        raise DataError(f"{file} is no JSON: {error}") from None


def _is_message(items: list[Any]) -> bool:
    return bool(items) and isinstance(items[0], dict) and "role" in items[0]


def _conversations(file: Path) -> Iterator[list[Message]]:
    for place, value in _values(file):
        try:
            yield checked_shot(value.get("messages") if isinstance(value, dict) else value)
        except ValueError as error:
            raise DataError(f"{file}, {place}: {error}") from None


def _recorded(file: Path, protocol: Protocol) -> Iterator[list[Message]]:
    with contextlib.closing(store.opened(file)) as episodes:
        for episode in episodes.episodes(success=True):
            if episode.split in _HELD_OUT and not episode.stage:
                raise DataError(
                    f"{file}: episode {episode.episode_id} is of the split {episode.split}, and what shows it is "
                    f"measured by what it shows; take others: agentgym export {file} --split train -o PATH"
                )
            if episode.split not in _HELD_OUT:
                yield _retold(episode, protocol)


def _retold(episode: Trajectory, protocol: Protocol) -> list[Message]:
    """Its turns; a turn that taught nothing, because its reply could not be read, is left out."""
    turns = [turn for turn in episode.turns if turn.action is not None and not turn.is_summary]
    messages = list[Message]()
    for turn in turns:
        reply = _reply(turn, protocol, is_first=not messages)
        messages += [protocol.shown(Observation(turn.observation)), protocol.said(reply)]
    return messages


def _reply(turn: Turn, protocol: Protocol, *, is_first: bool) -> str:
    """As it was said where this protocol reads it as what was done, else as it would say it."""
    done = Action(tool_calls=turn.tool_calls) if turn.tool_calls else Action(turn.action)
    with contextlib.suppress(ParseError):
        if protocol.parse(turn.reply) == done:
            return turn.reply
    return (protocol.first if is_first else protocol.format)(done)
