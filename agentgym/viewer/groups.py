"""Groups side by side, and why some of them taught nothing.

What a trainer learns by comparing episodes of one task comes to nothing where their rewards are equal, where they do
not count, or where no token of theirs has a loss. The ledger says what a run decided; the rest is seen in the episodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from agentgym.archive import Card, Criteria
from agentgym.errors import DataError
from agentgym.groups import is_informative
from agentgym.ledger import Entry
from agentgym.viewer.episodes import card_told, members
from agentgym.viewer.sources import Source, Sources

__all__ = ["gradient", "group", "groups", "why"]

_MEMBERS = 256


def groups(
    sources: Sources,
    *,
    run: int = 0,
    offset: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1, le=500)] = 50,
    taught: bool | None = None,
    stage: str = "train",
    split: str = "train",
    update: int | None = None,
) -> dict[str, Any]:
    """Groups of training with their rewards, and why one taught nothing; ``taught`` chooses by that.

    ``next`` is the offset to go on from, null at the end.
    """
    source = sources.at(run)
    wanted = Criteria.of({"stage": stage, "split": split, "update": update})
    decided, rows, at = _decided(source), list[dict[str, Any]](), offset
    with source.asking() as archive:
        total, places = archive.groups(wanted, offset=offset, limit=None if taught is not None else limit)
        total = total or (archive.groups(wanted, limit=1)[0] if offset else 0)
        for first, _, num in places:
            at += 1
            card = archive.card(first)
            told = _group(source, _cards(source, card), num, decided)
            if taught is None or told["taught"] is taught:
                rows.append(told)
            if len(rows) >= limit:
                break
    return {"total": total, "offset": offset, "rows": rows, "next": at if at < total else None}


def group(sources: Sources, *, number: int, run: int = 0) -> dict[str, Any]:
    """The group of episode ``number``: its members, and everything that kept it from teaching something."""
    source = sources.at(run)
    with source.asking() as archive:
        cards = _cards(source, archive.card(number))
        told = _group(source, cards, len(cards), _decided(source))
        masked = [card.number for card in cards if not _has_loss(source, card.number)]
    reasons = [*told["why"]]
    if masked and not told["taught"]:
        reasons.append({"reason": "masked", "detail": f"{len(masked)} of {len(cards)} have no token with a loss"})
    return {**told, "why": reasons, "masked": masked, "members": [card_told(card) for card in cards]}


def gradient(sources: Sources, *, run: int = 0) -> dict[str, Any]:
    """What became of the tasks of training, by update: how many were trained, or rejected why; and what was clipped."""
    source = sources.at(run)
    by_update: dict[int, Counter[str]] = {}
    for entry in source.ledger():
        fate = entry.fate if entry.fate == "trained" else entry.reason or "rejected"
        by_update.setdefault(entry.update, Counter())[fate] += 1
    clipped = {
        line["update"]: {name: line[name] for name in _CLIPPED if name in line}
        for line in source.metrics()
        if line["stage"] == "train"
    }
    return {
        "updates": [
            {"update": update, "fates": dict(fates), **clipped.get(update, {})}
            for update, fates in sorted(by_update.items())
        ],
        "all": dict(sum(by_update.values(), Counter())),
    }


_CLIPPED = ("clip_fraction", "informative_groups", "group_deviation", "truncated", "void", "grad_norm", "moved")


def why(
    cards: Sequence[Card], *, entry: Entry | None = None, keeps_truncated: bool = True, clip: float | None = None
) -> list[dict[str, str]]:
    """Why a group taught nothing, the run's own reason first; what took something away from one that did, too."""
    found: list[dict[str, str]] = []
    num = len(cards)
    if entry is not None and entry.fate == "rejected":
        found.append({"reason": entry.reason or "rejected", "detail": f"the ledger says so of ordinal {entry.ordinal}"})
    void = [card for card in cards if card.stop_reason.is_void]
    if void:
        error = next((card.error for card in void if card.error), void[0].stop_reason.value)
        found.append({"reason": "void", "detail": f"{len(void)} of {num} do not count: {error}"})
    cut = [card for card in cards if card.stop_reason.is_truncated]
    if cut and not keeps_truncated:
        found.append({"reason": "truncated", "detail": f"{len(cut)} of {num} were cut short and are left out"})
    fit = [card for card in cards if card not in void and (keeps_truncated or card not in cut)]
    if len(fit) < 2:
        found.append({"reason": "too few", "detail": f"{len(fit)} of {num} count; two are compared at least"})
    elif not is_informative([card.reward for card in fit]) and not any(w["reason"] == "equal rewards" for w in found):
        found.append({"reason": "equal rewards", "detail": f"all {len(fit)} earned {fit[0].reward:g}"})
    if clip:
        found.append({"reason": "clipped", "detail": f"{clip:.1%} of the tokens of this update"})
    return found


def _cards(source: Source, card: Card) -> list[Card]:
    """Those of the group of ``card``. Raises DataError where it has none."""
    if not card.group_id:
        raise DataError(f"episode number {card.number} was compared with none: it has no group")
    return members(source.episodes, card, _MEMBERS)


class _Decided(NamedTuple):
    """What the run says of its groups."""

    entries: Mapping[int, Entry]
    """By ordinal."""
    clipped: Mapping[int | None, float]
    """Share of the tokens of an update."""
    keeps_truncated: bool


def _decided(source: Source) -> _Decided:
    lines = [line for line in source.metrics() if line["stage"] == "train"]
    return _Decided(
        {entry.ordinal: entry for entry in source.ledger()},
        {line["update"]: line["clip_fraction"] for line in lines if "clip_fraction" in line},
        bool(source.config.get("trainer", {}).get("keep_truncated", True)),
    )


def _group(source: Source, cards: Sequence[Card], num: int, decided: _Decided) -> dict[str, Any]:
    first = cards[0]
    entry = decided.entries.get(first.ordinal) if first.ordinal is not None and first.stage == "train" else None
    clip = decided.clipped.get(first.update) if entry is not None else None
    reasons = why(cards, entry=entry, keeps_truncated=decided.keeps_truncated, clip=clip)
    fate: Literal["trained", "rejected"] | None = None if entry is None else entry.fate
    taught = fate == "trained" if fate is not None else not any(r["reason"] in _EMPTY for r in reasons)
    return {
        "number": first.number,
        "stage": first.stage,
        "update": first.update,
        "group_id": first.group_id,
        "task": first.task,
        "level": first.level,
        "num": num,
        "rewards": [None if card.stop_reason.is_void else card.reward for card in cards],
        "successes": sum(card.success for card in cards if not card.stop_reason.is_void),
        "branched": sum(card.parent_id is not None for card in cards),
        "fate": fate,
        "taught": taught,
        "why": reasons,
    }


_EMPTY = ("equal rewards", "too few")


def _has_loss(source: Source, number: int) -> bool:
    return any(sample.num_trained for sample in source.episodes.reader(number).samples())
