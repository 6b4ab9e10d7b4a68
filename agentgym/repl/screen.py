"""What the REPL shows. Whatever comes from an environment or a policy is data: no markup, no escape codes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agentgym.repl.game import Game, Moment
from agentgym.repl.policy import Reply
from agentgym.visit import Standing

__all__ = ["Screen"]

MAX_ACTIONS = 40
"""Admissible actions that are shown without being asked for."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen:
    """Writes to a rich console."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str, style: str = "") -> None:
        """A line of our own."""
        self.console.print(self._text(text, style), soft_wrap=True)

    def complain(self, text: str) -> None:
        """Something went wrong."""
        self.say(text, "red")

    def episode(self, game: Game) -> None:
        """The beginning of an episode."""
        task = "" if game.chosen is None else f"task {game.chosen}, "
        self.say(f"{game.env.name}: {task}seed {game.seed}", "bold")
        if game.env.instructions:
            self.say(game.env.instructions, "italic")
        self.moment(game)

    def moment(self, game: Game) -> None:
        """What is seen now, what it was worth and what can be done."""
        now = game.now
        if now.problem is not None:
            self.say(f"no effect: {now.problem}", "yellow")
        title = f"turn {game.num_turns}" if game.num_turns else "first observation"
        self.console.print(Panel(self._text(now.observation), title=title, title_align="left"))
        if game.num_turns:
            self._reward(now.standing)
        if now.standing.is_over:
            self._end(now.standing)
            return
        self.actions(now.observation.admissible, limit=MAX_ACTIONS)
        if names := [str(tool.get("function", tool).get("name")) for tool in now.observation.tools]:
            self.say(f"tools: {', '.join(names)}")
        if game.num_turns == game.env.max_turns:
            self.say(f"a rollout ends here, after {game.env.max_turns} turns; you may go on", "yellow")

    def actions(self, admissible: Sequence[str] | None, limit: int | None = None) -> None:
        """The admissible actions, numbered."""
        if not admissible:
            return
        width = len(str(len(admissible[:limit])))
        shown = [self._text(f"{i:>{width}} {action}", "cyan") for i, action in enumerate(admissible[:limit], 1)]
        self.console.print(Columns(shown, padding=(0, 3)))
        if len(shown) < len(admissible):
            self.say(f"… and {len(admissible) - len(shown)} more: :actions shows all")

    def reply(self, reply: Reply) -> None:
        """A sampled reply: the redder a token, the less likely it was."""
        line = self._text("policy: ", "bold")
        for token, logprob in reply.tokens or ((reply.text, 0.0),):
            line.append_text(self._text(token, _shade(math.exp(min(0.0, logprob)))))
        line.append(f"   log-prob {reply.logprob:.2f}, {len(reply.tokens)} tokens", "dim")
        self.console.print(line, soft_wrap=True)

    def odds(self, actions: Sequence[str], logprobs: Sequence[float]) -> None:
        """How likely each action is to be what the policy says, likeliest first."""
        table = Table("probability", "log-prob", "action", box=None)
        for action, logprob in sorted(zip(actions, logprobs, strict=True), key=lambda pair: -pair[1]):
            chance = math.exp(min(0.0, logprob))
            table.add_row(f"{chance:.1%}", f"{logprob:.2f}", self._text(action, _shade(chance)))
        self.console.print(table)

    def history(self, moments: Sequence[Moment]) -> None:
        """One line a turn."""
        table = Table("turn", "action", "reward", "total", box=None)
        for i, moment in enumerate(moments[1:], 1):
            said = moment.action if moment.action is not None else f"{moment.reply} (not understood)"
            table.add_row(str(i), self._text(said), f"{moment.standing.reward:g}", f"{moment.standing.total:g}")
        self.console.print(table)

    def commands(self, rows: Iterable[tuple[str, str]]) -> None:
        """The help."""
        table = Table.grid(padding=(0, 2))
        for usage, meaning in rows:
            table.add_row(Text(usage, "cyan"), Text(meaning))
        self.console.print(table)

    def _reward(self, now: Standing) -> None:
        parts = now.info.get("breakdown")
        detail = " (" + ", ".join(f"{k} {v}" for k, v in parts.items()) + ")" if isinstance(parts, Mapping) else ""
        self.say(f"reward {now.reward:g}{detail}, total {now.total:g}", "green" if now.reward > 0 else "")

    def _end(self, now: Standing) -> None:
        how = " and ".join(name for name in ("terminated", "truncated") if getattr(now, name))
        outcome = "success" if now.success else "no success"
        self.say(f"{how}: {outcome}, total reward {now.total:g}", "bold green" if now.success else "bold red")

    def _text(self, text: str, style: str = "") -> Text:
        encoding = self.console.encoding or "utf-8"
        printable = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n"))
        return Text(printable.encode(encoding, "replace").decode(encoding), style)


def _shade(chance: float) -> str:
    return "green" if chance > 0.9 else "" if chance > 0.5 else "yellow" if chance > 0.1 else "red"
