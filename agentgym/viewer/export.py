"""The page as one file, with some of the episodes: to be kept, or sent to somebody who has not the run."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from agentgym.archive import Archive, Card, Criteria
from agentgym.errors import AgentGymError
from agentgym.media import data_url
from agentgym.viewer.bundle import one_page
from agentgym.viewer.episodes import FACETS, RANGES, card_told
from agentgym.viewer.sources import Source, Sources
from agentgym.viewer.views import answer

__all__ = ["chosen", "exported"]

_TURNS = 60
"""Of an episode that are in the file."""
_BYTES = 16 << 20
"""Of images in it; what comes after is left out."""


def exported(sources: Sources, *, max_episodes: int = 200) -> str:
    """The page with all that it shows of at most so many episodes of each source."""
    content: dict[str, Any] = {"answers": {}, "episodes": [], "media": {}, "first": []}
    answers = content["answers"]
    answers["runs"] = answer(sources, "runs", {})
    for run, source in enumerate(sources):
        with source.asking() as archive:
            cards = chosen(archive, max_episodes)
        content["episodes"].append([card_told(card) for card in cards])
        answers[f"facets/{run}"] = _facets(cards)
        for view in ("curves", "report", "gradient"):
            answers[f"{view}/{run}"] = answer(sources, view, {"run": str(run)})
        content["first"].append(_groups(sources, run, cards, answers))
        for card in cards:
            _episode(sources, run, card, answers)
        _images(source, cards, content["media"])
    if len(sources) > 1:
        with contextlib.suppress(AgentGymError):  # the page says that it is not in the file
            answers["compare"] = answer(sources, "compare", {})
    return one_page(content)


def chosen(archive: Archive, num: int) -> list[Card]:
    """At most ``num`` episodes to look at, in order: void ones, lines that branched, the best and the worst of the
    policy, and the last, a fifth each."""
    share = max(1, num // 5)
    wanted = (
        (Criteria(void=True), share),
        (Criteria(branched=True), share),
        (Criteria(order="reward", descending=True, void=False, role="policy"), share),
        (Criteria(order="reward", void=False, role="policy"), share),
        (Criteria(descending=True), num),
    )
    found: dict[int, Card] = {}
    for criteria, most in wanted:
        for card in archive.browse(criteria, limit=most):
            if len(found) < num:
                found.setdefault(card.number, card)
    return [found[number] for number in sorted(found)]


def _episode(sources: Sources, run: int, card: Card, answers: dict[str, Any]) -> None:
    asked = {"run": str(run), "number": str(card.number), "num": str(_TURNS)}
    for view in ("episode", "tokens"):
        answers[f"{view}/{run}/{card.number}"] = answer(sources, view, asked)


def _groups(sources: Sources, run: int, cards: list[Card], answers: dict[str, Any]) -> dict[int, int]:
    """Put the groups of ``cards`` into the answers; returns the number by which the group of each is called there."""
    first: dict[tuple[Any, ...], int] = {}
    names: dict[int, int] = {}
    rows: list[dict[str, Any]] = []
    trees: list[dict[str, Any]] = []
    for card in cards:
        if not card.group_id:
            continue
        key = card.stage, card.update, card.split, card.group_id
        if key not in first:
            first[key] = card.number
            asked = {"run": str(run), "number": str(card.number)}
            group = answer(sources, "group", asked)
            answers[f"group/{run}/{card.number}"] = group
            if card.stage == "train" and card.split == "train":
                rows.append({**{k: v for k, v in group.items() if k != "members"}, "number": card.number})
            if group["branched"]:
                answers[f"tree/{run}/{card.number}"] = answer(sources, "tree", asked)
                trees.append(_tree_row(group, card.number))
        names[card.number] = first[key]
    answers[f"groups/{run}"] = {"total": len(rows), "offset": 0, "rows": rows, "next": None}
    answers[f"trees/{run}"] = {"total": len(trees), "offset": 0, "rows": trees}
    return names


def _tree_row(group: dict[str, Any], number: int) -> dict[str, Any]:
    fit = [member["reward"] for member in group["members"] if not member["void"]]
    same = {name: group[name] for name in ("group_id", "stage", "update", "task", "branched", "successes")}
    return {**same, "number": number, "lines": len(group["members"]), "best": max(fit, default=None)}


def _facets(cards: list[Card]) -> dict[str, Any]:
    told = [card_told(card) for card in cards]
    values = {name: Counter(card[name] for card in told if card[name] is not None).most_common() for name in FACETS}
    bounds = {name: [card[name] for card in told if card[name] is not None] for name in RANGES}
    return {
        "values": {name: [list(pair) for pair in found] for name, found in values.items()},
        "bounds": {name: [min(found), max(found)] if found else None for name, found in bounds.items()},
    }


def _images(source: Source, cards: list[Card], media: dict[str, str]) -> None:
    """Put the images that ``cards`` show into ``media``, as far as there is room and they are there."""
    for digest in _shown(source, cards):
        if digest not in media and digest in source.episodes.media and sum(map(len, media.values())) < _BYTES:
            media[digest] = data_url(source.episodes.media.get(digest))


def _shown(source: Source, cards: list[Card]) -> Iterator[str]:
    for card in cards:
        with source.reading(card.number) as reader:
            for turn in reader.turns(0, _TURNS):
                yield from turn["media"]
