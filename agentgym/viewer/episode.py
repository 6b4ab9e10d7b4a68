"""An episode as a conversation, a few turns at a time: what is long is cut, and told in full when it is asked for."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal

from pydantic import Field

from agentgym.errors import UserError
from agentgym.viewer.episodes import card_told, members
from agentgym.viewer.sources import Source, Sources

__all__ = ["episode", "play_from", "text"]

_LETTERS = 6_000
"""Of a message that are told at first."""
_TOLD = ("final_observation", "group_id", "seed")
"""Of the record, told elsewhere or in another form."""
_MEMBERS = 64
"""Of its group."""
_CHANNELS = 64
"""Names of channels of one turn."""


def episode(
    sources: Sources,
    *,
    number: int,
    run: int = 0,
    first: Annotated[int, Field(ge=0)] = 0,
    num: Annotated[int, Field(ge=1, le=200)] = 20,
) -> dict[str, Any]:
    """``num`` turns of episode ``number`` from turn ``first`` on, what is known of it, and its end with the last turn.

    Long messages are cut: ``text`` has the rest. ``play_from`` is the command that goes on from each turn.
    """
    source = sources.at(run)
    with source.asking() as archive, source.reading(number) as reader:
        card = archive.card(number)
        turns = [_turn(first + place, turn) for place, turn in enumerate(reader.turns(first, num))]
        about = reader.head
        if first + len(turns) >= card.num_turns:
            about = reader.whole()
        neighbors = [card_told(each) for each in members(archive, card, _MEMBERS)]
    final = about.get("final_observation")
    return {
        "card": card_told(card),
        "about": {name: value for name, value in about.items() if name not in _TOLD} | {"seed": str(about["seed"])},
        "first": first,
        "turns": turns,
        "end": None if final is None else {"observation": _cut(final), "letters": len(final)},
        "members": neighbors,
        "play_from": play_from(source, card.env, number),
    }


def text(
    sources: Sources,
    *,
    number: int,
    turn: Annotated[int, Field(ge=0)],
    field: Literal["observation", "reply", "error", "final_observation"] = "observation",
    run: int = 0,
    start: Annotated[int, Field(ge=0)] = 0,
    letters: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000,
) -> dict[str, Any]:
    """``letters`` letters of a message from the ``start``-th on; ``next`` is where it goes on, null at its end."""
    with sources.at(run).reading(number) as reader:
        if field == "final_observation":
            whole = str(reader.whole()[field])
        elif not (turns := reader.turns(turn, 1)):
            raise UserError(f"turn is {turn}, which episode number {number} does not have")
        else:
            whole = str(turns[0][field] or "")
    end = start + letters
    return {"text": whole[start:end], "letters": len(whole), "next": end if end < len(whole) else None}


def play_from(source: Source, env: str, number: int) -> str:
    """The command that opens the REPL on a turn of an episode, which is put in place of TURN; "" where none does."""
    if not source.is_run:
        return ""
    return f"agentgym play {shlex.quote(env)} --from {shlex.quote(str(source.path))} {number} TURN"


def _turn(number: int, turn: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in turn.items() if name not in ("observation", "reply", "channels")}
    channels = list(turn["channels"].items())[:_CHANNELS]
    return {
        "turn": number,
        **told,
        "error": None if turn["error"] is None else _cut(turn["error"]),
        "action": None if turn["action"] is None else _cut(turn["action"]),
        "observation": _cut(turn["observation"]),
        "observation_letters": len(turn["observation"]),
        "reply": _cut(turn["reply"]),
        "reply_letters": len(turn["reply"]),
        "channels": dict(channels),
    }


def _cut(message: str) -> str:
    return message[:_LETTERS]
