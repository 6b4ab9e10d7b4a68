"""What the REPL shows as tables and trees, made of what was played and said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from agentgym.repl.game import Game, Moment
from agentgym.repl.policy import Place

__all__ = [
    "Compared",
    "Shows",
    "compared_table",
    "history_table",
    "odds_table",
    "places_table",
    "played_tree",
    "shade",
    "why_table",
]

Shows: TypeAlias = Callable[[str, str], Text]
"""Text of an environment or a policy, and a style → what may be shown of it."""


def shade(chance: float) -> str:
    """The color of something so likely: the redder, the less."""
    return "green" if chance > 0.9 else "" if chance > 0.5 else "yellow" if chance > 0.1 else "red"


def _chance(logprob: float) -> float:
    return math.exp(min(0.0, logprob))


def odds_table(actions: Sequence[str], logprobs: Sequence[float], shows: Shows) -> Table:
    """How likely each action is to be what the policy says, likeliest first."""
    table = Table("probability", "log-prob", "action", box=None)
    for action, logprob in sorted(zip(actions, logprobs, strict=True), key=lambda pair: -pair[1]):
        chance = _chance(logprob)
        table.add_row(f"{chance:.1%}", f"{logprob:.2f}", shows(action, shade(chance)))
    return table


def places_table(places: Sequence[Place], shows: Shows) -> Table:
    """A row for each token: its probability, the entropy, and what else might have stood there."""
    table = Table("token", "probability", "entropy", "instead", box=None)
    for place in places:
        others = [pair for pair in place.likeliest if pair[0] != place.token]
        instead = Text("  ").join(
            Text.assemble(shows(repr(token)[1:-1], ""), f" {_chance(logprob):.1%}") for token, logprob in others
        )
        chance = _chance(place.logprob)
        table.add_row(shows(repr(place.token)[1:-1], shade(chance)), f"{chance:.1%}", f"{place.entropy:.2f}", instead)
    return table


def history_table(moments: Sequence[Moment], shows: Shows) -> Table:
    """One line a turn."""
    table = Table("turn", "action", "reward", "total", box=None)
    for i, moment in enumerate(moments[1:], 1):
        standing = moment.standing
        table.add_row(str(i), shows(_done(moment), ""), f"{standing.reward:g}", f"{standing.total:g}")
    return table


def why_table(moments: Sequence[Moment], shows: Shows) -> Table:
    """The reward by its parts and the channels of each turn, and what they come to."""
    rows = [(_numbers(moment, "breakdown"), _numbers(moment, "channels")) for moment in moments]
    parts = list(dict.fromkeys(name for row, _ in rows[1:] for name in row))
    channels = list(dict.fromkeys(name for _, row in rows for name in row))
    table = Table("turn", "action", "reward", *parts, *(f"#{name}" for name in channels), box=None)
    for i, (moment, (part, channel)) in enumerate(zip(moments, rows, strict=True)):
        if i or channel:
            cells = [*(_cell(part if i else {}, name) for name in parts), *(_cell(channel, name) for name in channels)]
            said = shows(_done(moment), "") if i else Text("(reset)")
            table.add_row(str(i), said, f"{moment.standing.reward:g}" if i else "", *cells)
    sums = [f"{sum(row.get(name, 0.0) for row, _ in rows[1:]):g}" for name in parts]
    table.add_row("", Text("together"), f"{moments[-1].standing.total:g}", *sums, *("" for _ in channels), style="bold")
    return table


def _numbers(moment: Moment, key: str) -> dict[str, float]:
    found = moment.standing.info.get(key)
    is_of_turn = moment.action is not None or moment.reply is None  # a reply that was not understood brought nothing
    return dict(found) if isinstance(found, Mapping) and is_of_turn else {}


def _cell(numbers: Mapping[str, Any], name: str) -> str:
    return f"{numbers[name]:g}" if name in numbers else ""


def _done(moment: Moment) -> str:
    return str(moment.action) if moment.action is not None else f"{moment.reply} (not understood)"


class Compared(NamedTuple):
    """What one policy makes of a moment."""

    name: str
    reply: str
    action: str
    """"" where the reply cannot be understood."""
    logprobs: Sequence[float]
    """Of the actions that are compared; none where the policy cannot tell them."""


def compared_table(actions: Sequence[str], sides: Sequence[Compared], shows: Shows) -> Table:
    """How likely each policy is to say each action, most by the first that can tell."""
    able = [side for side in sides if side.logprobs]
    table = Table(box=None)
    for side in able:
        table.add_column(shows(side.name, ""))
    table.add_column("action")
    for i in sorted(range(len(actions)), key=lambda i: -able[0].logprobs[i] if able else 0.0):
        chances = [_chance(side.logprobs[i]) for side in able]
        table.add_row(*(Text(f"{chance:.1%}", shade(chance)) for chance in chances), shows(actions[i], ""))
    return table


def played_tree(game: Game, shows: Shows) -> list[Tree]:
    """A tree for each episode that was begun: every moment that was played, by the number that ``:goto`` takes."""
    grown: dict[int, Tree] = {}
    roots: list[Tree] = []
    for line in sorted(game.lines, key=lambda line: [moment.number for moment in line]):
        for i, moment in enumerate(line):
            if moment.number in grown:
                continue
            label = _label(game, moment, shows)
            if i == 0:
                grown[moment.number] = Tree(label)
                roots.append(grown[moment.number])
            else:
                grown[moment.number] = grown[line[i - 1].number].add(label)
    return roots


def _label(game: Game, moment: Moment, shows: Shows) -> Text:
    standing, is_here = moment.standing, moment.number == game.now.number
    said = shows(moment.label or _done(moment), "bold" if is_here else "")
    names = [name for name, line in game.branches.items() if line[-1].number == moment.number]
    told = [f"reward {standing.reward:g}"] if moment.reply is not None or moment.action is not None else []
    told += ["success" if standing.success else "no success"] if standing.is_over else []
    marks = [*told, *(f":goto {name}" for name in names), *(["you are here"] if is_here else [])]
    return Text.assemble((f"#{moment.number} ", "dim"), said, ("   " + ", ".join(marks) if marks else "", "dim"))
