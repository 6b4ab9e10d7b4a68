"""What was played, as JSON lines: written by ``:save``, and played again by ``:replay``, which compares what it sees.

The first line says of what it is: environment, task, split, seed and the first observation. Each further line is a
turn: what was said and done, and what came of it. Marks of the environment are not in it: it is played again from its
reset, which is what shows whether it comes to the same.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentgym.errors import UserError
from agentgym.repl.game import Game, GameError, Moment
from agentgym.repl.policy import Reply
from agentgym.types import Action, Observation, ToolCall

__all__ = ["FORMAT", "read", "replay", "told", "write"]

FORMAT = 1
"""Of the lines; a file of another one is refused."""


def told(game: Game) -> list[dict[str, Any]]:
    """The present line of ``game``, JSON for each of its moments."""
    first, *turns = game.moments
    head = {
        "format": FORMAT,
        "env": game.env.name,
        "task": game.chosen,
        "split": game.split,
        "seed": game.seed,
        **_seen(first.observation),
    }
    return [head, *(_turn(number, moment) for number, moment in enumerate(turns, 1))]


def write(file: Path, game: Game) -> None:
    """Write the present line to ``file``. Raises UserError where it is there already, and where the disk refuses."""
    lines = "".join(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in told(game))
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(lines)
    except FileExistsError:
        raise UserError(f"{file} exists already and is left as it is; choose another name") from None
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; choose another place") from None


def read(file: Path) -> list[dict[str, Any]]:
    """The lines of a transcript. Raises UserError for a file that cannot be read or is none."""
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}; expected a file that :save wrote") from None
    except ValueError as error:
        raise UserError(f"{file} is not JSON lines: {error}; expected a file that :save wrote") from None
    is_one = bool(lines) and all(isinstance(line, dict) and "observation" in line for line in lines)
    if not is_one or not {"env", "format", "seed"} <= lines[0].keys():
        raise UserError(f"{file} is no transcript; expected a file that :save wrote")
    if lines[0]["format"] != FORMAT:
        raise UserError(f"{file} has format {lines[0]['format']}, and this version reads {FORMAT}")
    return lines


async def replay(game: Game, lines: Sequence[Mapping[str, Any]]) -> None:
    """Play a transcript again, on the environment that it is of.

    Raises GameError where it is of another one, and at the first turn that comes to something else: the game then
    stands at the last moment that came out as it was.
    """
    head, *turns = lines
    if head["env"] != game.env.name:
        raise GameError(
            f"the transcript is of {head['env']}, and this is {game.env.name}; type: agentgym play {head['env']}"
        )
    await game.start(task=head["task"], split=head.get("split") if head["task"] is None else None, seed=head["seed"])
    _compare(0, _seen(game.now.observation), head)
    for number, turn in enumerate(turns, 1):
        before = list(game.moments)
        moment = await _again(game, turn)
        try:
            _compare(number, _turn(number, moment), turn)
        except GameError:
            await game.return_to(before)
            raise


async def _again(game: Game, turn: Mapping[str, Any]) -> Moment:
    spoken = _spoken(turn)
    if turn["action"] is None:
        return game.refuse(turn["reply"], turn["problem"], spoken=spoken)
    calls = [ToolCall(**call) for call in turn["tool_calls"]]
    return await game.act(Action(turn["action"], tool_calls=calls), reply=turn["reply"], spoken=spoken)


def _spoken(turn: Mapping[str, Any]) -> Reply | None:
    tokens = tuple((str(text), float(logprob)) for text, logprob in turn.get("tokens", ()))
    return Reply(turn["reply"], tokens, tuple(turn["token_ids"])) if tokens else None


def _turn(number: int, moment: Moment) -> dict[str, Any]:
    standing, action, spoken = moment.standing, moment.action, moment.spoken
    calls = () if action is None else action.tool_calls
    said: dict[str, Any] = {
        "turn": number,
        "reply": moment.reply,
        "action": None if action is None else str(action),
        "tool_calls": [dataclasses.asdict(call) for call in calls],
        "problem": moment.problem,
    }
    if spoken is not None and spoken.token_ids:
        said |= {"tokens": [list(token) for token in spoken.tokens], "token_ids": list(spoken.token_ids)}
    return said | {
        "reward": standing.reward,
        "total": standing.total,
        "terminated": standing.terminated,
        "truncated": standing.truncated,
        "success": standing.success,
        **_seen(moment.observation),
    }


def _seen(observation: Observation) -> dict[str, Any]:
    return {"observation": str(observation), "images": [image.digest for image in observation.images]}


_COMPARED = ("observation", "images", "reward", "terminated", "truncated", "success")
_WORDS = {"images": "set of images", "terminated": "end", "truncated": "end", "success": "outcome"}


def _compare(number: int, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for key in _COMPARED:
        if key in expected and found.get(key) != expected[key]:
            raise GameError(
                f"turn {number} of the transcript comes to another {_WORDS.get(key, key)}:\n"
                f"  found    {found.get(key)!r:.300}\n  expected {expected[key]!r:.300}"
            )
