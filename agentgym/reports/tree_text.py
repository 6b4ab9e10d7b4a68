"""A tree of lines in words: what was said, what it is worth, and how lines ended."""

from __future__ import annotations

from typing import Any

from agentgym.reports.trees import GroupTree, Stretch, folded
from agentgym.types import Trajectory

__all__ = ["drawn_text", "ending", "one_line", "said", "title", "worth"]

_WIDTH, _WORD = 100, 48
"""Characters of what a stretch says, and of one action in it."""
_EQUAL = 5e-3
"""Rewards that are nearer than this read the same."""


def drawn_text(tree: GroupTree) -> Any:
    """``tree`` for a terminal, stretches without a branch in one line; the best line is marked, void ones are dim."""
    from rich.text import Text
    from rich.tree import Tree

    drawn = Tree(Text(title(tree)))

    def add(place: Any, stretch: Stretch) -> None:
        label = Text(said(stretch), style=_style(tree, stretch))
        if told := worth(stretch):
            label.append(f"  {told}", "not bold")
        for line in stretch.ends:
            label.append(f"  [{line.episode_id}: {ending(line, is_best=line is tree.best)}]", "not bold")
        below = place.add(label)
        for child in stretch.children:
            add(below, child)

    root = folded(tree.root)
    for child in root.children:
        add(drawn, child)
    for line in root.ends:
        drawn.add(Text(f"[{line.episode_id}: {ending(line, is_best=line is tree.best)}, no turn]", "dim"))
    return drawn


def _style(tree: GroupTree, stretch: Stretch) -> str:
    if tree.best is not None and tree.best in stretch.first.lines:
        return "bold green"
    return "dim" if all(line.stop_reason.is_void for line in stretch.first.lines) else ""


def title(tree: GroupTree) -> str:
    """Whose tree it is, and how much its lines share."""
    first = tree.lines[0]
    where = ", ".join(
        part
        for part in (
            first.group_id and f"group {first.group_id}",
            first.stage,
            f"update {first.update}" if first.update is not None else "",
            one_line(f"{first.env} task {first.task}"),
        )
        if part
    )
    num, alone = tree.num_moments, sum(len(line.turns) for line in tree.lines)
    shared = f"{num} turns" if num == alone else f"{num} turns, {alone} if none were shared"
    return f"{where}: {len(tree.lines)} lines, {shared}"


def said(stretch: Stretch, width: int = _WIDTH) -> str:
    """The actions of a stretch, one after the other; what is too long for ``width`` is left out."""
    words = [_said(moment.turn) for moment in stretch.moments if moment.turn is not None]
    num = len(words)
    told = " → ".join(one_line(word, _WORD if num > 1 else width) for word in words)
    if len(told) <= width:
        return told
    tail = f" ({num} turns)" if num > 1 else ""
    return one_line(told, width - len(tail)) + tail


def _said(turn: Any) -> str:
    return str(turn.action) if turn.action is not None else f"no action: {turn.reply}"


def worth(stretch: Stretch) -> str:
    """What a search and the environment make of a stretch, where it begins; "" for nothing."""
    turn = stretch.first.turn
    told = []
    if turn is not None and turn.value is not None:
        told.append(f"value {turn.value:.2f}")
    if turn is not None and turn.visits is not None:
        told.append(f"{turn.visits} visit{'' if turn.visits == 1 else 's'}")
    if turn is not None and turn.critic is not None:
        told.append(f"critic {turn.critic:.2f}")
    if stretch.reward:
        told.append(f"reward {stretch.reward:+.2f}")
    return ", ".join(told)


def ending(line: Trajectory, *, is_best: bool) -> str:
    """How a line ended, and what it earned in all: of the environment, and as it is learned from where that differs."""
    reason = line.stop_reason
    if reason.is_void:
        return f"void, {reason.value}" + (f", {one_line(line.error, 60)}" if line.error else "")
    told = [f"{line.environment_reward:.2f}"]
    if abs(line.reward - line.environment_reward) > _EQUAL:
        told.append(f"shaped {line.reward:.2f}")
    if line.success:
        told.append("success")
    if reason.is_truncated:
        told.append(f"cut, {reason.value}")
    elif reason.value != "terminated":
        told.append(reason.value)
    return ", ".join([*told, *(["best"] if is_best else [])])


def one_line(text: str, width: int = 200) -> str:
    """``text`` without line ends and what cannot be shown, ``width`` characters at most.

    >>> one_line("go\\n  to \\x1b[31mred", 9)
    'go to ·[…'
    """
    shown = "".join(letter if letter.isprintable() else "·" for letter in " ".join(text.split()))
    return shown if len(shown) <= width else shown[: max(0, width - 1)] + "…"
