"""What the REPL shows. Whatever comes from an environment or a policy is data: no markup, no escape codes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agentgym.repl.game import Game, Moment
from agentgym.repl.pictures import Form, drawn, saved
from agentgym.repl.policy import Reply
from agentgym.repl.tables import history_table, odds_table, shade
from agentgym.types import Media
from agentgym.visit import Standing

__all__ = ["Screen", "Voice"]

MAX_ACTIONS = 40
"""Admissible actions that are shown without being asked for."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen:
    """Writes to a rich console, and images in ``form``; without one they are files in ``folder``."""

    def __init__(self, console: Console, *, form: Form | None = None, folder: Path | None = None) -> None:
        self.console, self.form, self.folder = console, form, folder

    def say(self, text: str, style: str = "") -> None:
        """A line of our own."""
        self.console.print(self.text(text, style), soft_wrap=True)

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
        self.console.print(Panel(self.text(now.observation), title=title, title_align="left"))
        self.pictures(now.observation.images)
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

    def pictures(self, images: Sequence[Media]) -> None:
        """Images, drawn where the terminal can, else saved and named."""
        for image in images:
            if self.form is None:
                self.say(f"picture: {saved(image, self.folder)}")
            else:
                self.console.file.write(drawn(image, self.form) + "\n")
                self.console.file.flush()

    def actions(self, admissible: Sequence[str] | None, limit: int | None = None) -> None:
        """The admissible actions, numbered."""
        if not admissible:
            return
        width = len(str(len(admissible[:limit])))
        shown = [self.text(f"{i:>{width}} {action}", "cyan") for i, action in enumerate(admissible[:limit], 1)]
        self.console.print(Columns(shown, padding=(0, 3)))
        if len(shown) < len(admissible):
            self.say(f"… and {len(admissible) - len(shown)} more: :actions shows all")

    def reply(self, reply: Reply) -> None:
        """A sampled reply: the redder a token, the less likely it was."""
        self.voice().end(reply)

    def voice(self) -> Voice:
        """What shows a reply while it is sampled."""
        return Voice(self)

    def odds(self, actions: Sequence[str], logprobs: Sequence[float]) -> None:
        """How likely each action is to be what the policy says, likeliest first."""
        self.console.print(odds_table(actions, logprobs, self.text))

    def history(self, moments: Sequence[Moment]) -> None:
        """One line a turn."""
        self.console.print(history_table(moments, self.text))

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

    def text(self, text: str, style: str = "") -> Text:
        """What of ``text`` may be shown: whoever wrote it draws nothing and moves no cursor."""
        encoding = self.console.encoding or "utf-8"
        printable = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n"))
        return Text(printable.encode(encoding, "replace").decode(encoding), style)


class Voice:
    """A reply, token by token: the redder a token, the less likely it was."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._has_begun = False

    def hear(self, token: str, logprob: float) -> None:
        """The next token."""
        if not self._has_begun:
            self._show(self.screen.text("policy: ", "bold"))
        self._has_begun = True
        self._show(self.screen.text(token, f"bold {shade(math.exp(min(0.0, logprob)))}".strip()))

    def end(self, reply: Reply) -> None:
        """All of it was said; what was not heard is shown now."""
        line = self.screen.text("" if self._has_begun else "policy: ", "bold")
        for token, logprob in () if self._has_begun else reply.tokens or ((reply.text, 0.0),):
            line.append_text(self.screen.text(token, shade(math.exp(min(0.0, logprob)))))
        told = f"log-prob {reply.logprob:.2f}, {len(reply.tokens)} tokens" if reply.tokens else "no log-probs"
        line.append(f"   {told}", "dim")
        self.screen.console.print(line, soft_wrap=True)

    def fall_silent(self) -> None:
        """It was broken off."""
        if self._has_begun:
            self.screen.console.print()

    def _show(self, text: Text) -> None:
        self.screen.console.print(text, end="", soft_wrap=True)
