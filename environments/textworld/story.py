"""One game as it is played: commands in, tidy text out, and moments to come back to.

TextWorld's interpreter takes more than moves in the game. What is refused here never reaches it: anything that is not
one plain command (several at once, separated by a full stop, would be one turn), the commands by which a player leaves
the game or rewinds it behind TextWorld's back, and TextWorld's own debugging commands.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from agentgym.environments.textworld.engine import be_quiet, textworld

__all__ = ["Moment", "Story", "command_of", "tidy"]

_COMMAND = re.compile(r"[a-z0-9][a-z0-9' -]{0,149}", re.IGNORECASE | re.ASCII)
_KEPT_BACK = re.compile(
    r"(?:q|quit|restart|restore|save|undo|verify|version|score|(?:tran|no|un)?script|notify|pronouns|nouns|oops"
    r"|brief|normal|long|verbose|short|superbrief|recording|replay|restrict|enable|disable)\b.*",
    re.IGNORECASE,
)
"""Commands about the program and not about the world. Some ask back, and some write files."""
_SEVERAL = re.compile(r"\bthen\b|\btw-", re.IGNORECASE)

_BANNER = re.compile(r"\A(?:[ \t]*(?:[_$|\\/][^\n]*)?\n)*")
"""Blank lines and lines of the big letters made of $, | and slashes, at the beginning."""
_PROMPT = re.compile(r"(?:\A|\n)>[ ]*(?:-= .* =-\s*-?\d+/-?\d+)?\s*\Z")
"""The prompt and, behind it, the status line: name of the room, score and moves."""

_CENTERED = re.compile(r"\A {8,}")


def command_of(action: str) -> str | None:
    """The command that ``action`` is, with single blanks, or None for what the interpreter shall not see.

    >>> command_of(" take  the apple "), command_of("look. quit"), command_of("Restart"), command_of("tw-print state")
    ('take the apple', None, None, None)
    """
    command = " ".join(action.split()) if len(action) <= 1000 else ""
    if not _COMMAND.fullmatch(command) or _SEVERAL.search(command):
        return None
    return None if _KEPT_BACK.fullmatch(command) else command


def tidy(text: str) -> str:
    """What the game says, without banner, prompt, status line and the question at the end, and little empty space."""
    text = _PROMPT.sub("", _BANNER.sub("", text)).partition("Would you like to RESTART,")[0]
    lines = "\n".join(_CENTERED.sub("", line).rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a game, in memory: what the interpreter and TextWorld's two trackers hold."""

    file: Path
    machine: tuple[Any, ...]
    data: dict[str, Any]
    tracking: dict[str, Any]
    state: Any


class Story:
    """A game in TextWorld's own environment; its fields are TextWorld's."""

    def __init__(self, file: Path, *, intermediate_reward: bool = False) -> None:
        self.file = file
        be_quiet()
        infos = textworld().EnvInfos(
            **dict.fromkeys(
                ("admissible_commands", "policy_commands", "won", "lost", "score", "max_score", "moves"), True
            ),
            intermediate_reward=intermediate_reward,
        )
        self._env = textworld().start(str(file), infos)
        self._env.seed(1)  # else the interpreter's random numbers begin with the time of day
        self._tracking = self._env._wrapped_env
        self._data = self._tracking._wrapped_env
        self.state: Any = None

    def reset(self) -> None:
        """From the beginning."""
        self.state = self._env.reset()

    def say(self, command: str) -> None:
        """One command, as ``command_of`` lets it through."""
        self.state, _, _ = self._env.step(command)

    def save(self) -> Moment:
        """This moment, to be loaded into any story of the same file."""
        return Moment(
            file=self.file,
            machine=self._env.unwrapped._jericho.get_state(),
            data={"_tracked_infos": list(self._data._tracked_infos), "_prev_state": self._data._prev_state},
            tracking=self._copied(vars(self._tracking)),
            state=self.state,
        )

    def load(self, moment: Moment) -> None:
        """Go to a moment of this game."""
        if self.state is None:
            self.reset()  # or else there is no machine to load into
        self._env.unwrapped._jericho.set_state(moment.machine)
        vars(self._data).update(moment.data, state=moment.state)
        vars(self._tracking).update(self._copied(moment.tracking), state=moment.state)
        self.state = moment.state

    @staticmethod
    def _copied(tracking: dict[str, Any]) -> dict[str, Any]:
        """What StateTracking knows of the episode; only the progression changes in place."""
        names = ("_last_action", "_moves", "_previous_winning_policy", "_current_winning_policy")
        progression = tracking["_game_progression"].copy()
        return {**{name: tracking[name] for name in names}, "_game_progression": progression}
