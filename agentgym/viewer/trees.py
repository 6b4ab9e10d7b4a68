"""Trees: which groups have one, and one of them with the places of its boxes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from agentgym.archive import Archive, Card, Criteria
from agentgym.reports import tree_of
from agentgym.reports.tree_svg import laid_out
from agentgym.reports.tree_text import ending, said, title, worth
from agentgym.reports.trees import Stretch, folded
from agentgym.viewer.episodes import members
from agentgym.viewer.sources import Sources

__all__ = ["tree", "trees"]

_LINES = 256
"""Lines of one tree that are drawn."""


def trees(
    sources: Sources,
    *,
    run: int = 0,
    offset: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Groups of which lines branched off each other."""
    with sources.at(run).asking() as archive:
        total, places = archive.groups(Criteria(branched=True), offset=offset, limit=limit)
        rows = []
        for number, _, num in places:
            cards = _lines(archive, archive.card(number))
            fit = [card for card in cards if not card.stop_reason.is_void]
            rows.append(
                {
                    "number": number,
                    "group_id": cards[0].group_id,
                    "stage": cards[0].stage,
                    "update": cards[0].update,
                    "task": cards[0].task,
                    "lines": len(cards),
                    "branched": num,
                    "successes": sum(card.success for card in fit),
                    "best": max((card.reward for card in fit), default=None),
                }
            )
    return {"total": total, "offset": offset, "rows": rows}


def tree(sources: Sources, *, number: int, run: int = 0) -> dict[str, Any]:
    """The tree that the group of episode ``number`` forms, as ``agentgym tree --json`` has it, and ``boxes``: what is
    drawn as one, parents first, with its column and row, and the turn to look at."""
    with sources.at(run).asking() as archive:
        cards = _lines(archive, archive.card(number))[:_LINES]
        found = tree_of([archive.get(card.number) for card in cards])
    numbers = {card.episode_id: card.number for card in cards}
    boxes = [
        {
            "column": box.column,
            "row": box.row,
            "parent": box.parent,
            "is_best": found.best is not None and found.best in box.stretch.first.lines,
            "is_void": all(line.stop_reason.is_void for line in box.stretch.first.lines),
            **_told(box.stretch),
            "ends": [
                {
                    "text": f"{line.episode_id}: {ending(line, is_best=line is found.best)}",
                    "number": numbers[line.episode_id],
                }
                for line in box.stretch.ends
            ],
            "see": _place(box.stretch, numbers),
        }
        for box in laid_out(folded(found.root))
    ]
    return {**found.model_dump(), "title": title(found), "boxes": boxes}


def _told(stretch: Stretch) -> dict[str, Any]:
    turn = stretch.first.turn
    if turn is None:
        num = len(stretch.first.lines)
        return {"said": f"{num} lines begin", "turns": [], "worth": "", "value": None}
    turns = [
        {"action": moment.turn.action, "reply": moment.turn.reply[:2000], "observation": moment.turn.observation[:2000]}
        for moment in stretch.moments
        if moment.turn is not None
    ]
    return {"said": said(stretch, 200), "turns": turns, "worth": worth(stretch), "value": turn.value}


def _place(stretch: Stretch, numbers: dict[str, int]) -> dict[str, int] | None:
    """Episode and turn at which a stretch begins."""
    if stretch.first.turn is None:
        return None
    name, _, turn = stretch.first.id.rpartition("@")
    return {"number": numbers[name], "turn": int(turn)}


def _lines(archive: Archive, card: Card) -> list[Card]:
    return members(archive, card) or [card]
