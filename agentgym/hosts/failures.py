"""What went wrong in an environment, as text: it is told the same way from the event loop, a thread or a process.

An error names the environment, what it raised, the task, the seed and the last action, and shows the last frames of the
traceback. An environment may raise anything: a message of megabytes is cut in its middle, and what UTF-8 cannot carry
is written as an escape.
"""

from __future__ import annotations

import dataclasses
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from agentgym import exits
from agentgym.blame import innermost, own_frames, told_frames
from agentgym.errors import (
    ConfigError,
    DataError,
    EnvError,
    MissingExtraError,
    SnapshotError,
    UnknownIdError,
    UserError,
)
from agentgym.snapshot import Mark

__all__ = ["Failure", "Situation", "bounded"]

_HEAD, _TAIL, _FRAMES = 2000, 1000, 5
_KINDS: dict[str, type[EnvError] | type[UserError]] = {
    kind.__name__: kind
    for kind in (EnvError, SnapshotError, UserError, UnknownIdError, ConfigError, MissingExtraError, DataError)
}
"""What is passed on as it is; everything else is an environment's mistake."""


@dataclasses.dataclass(slots=True)
class Situation:
    """Where an environment is in its episode, to be named in errors."""

    name: str
    seed: int | None = None
    task: Any = None
    action: str | None = None

    def begin(self, seed: int, options: dict[str, Any] | None) -> None:
        """An episode begins."""
        self.seed, self.task, self.action = seed, (options or {}).get("task"), None

    def return_to(self, mark: Mark) -> None:
        """An episode goes on from a moment that was kept."""
        self.begin(mark.seed, mark.options)
        self.action = mark.actions[-1] if mark.actions else None

    def __str__(self) -> str:
        if self.seed is None:
            return "before its first episode"
        task = [] if self.task is None else [f"task {self.task!r:.200}"]
        action = [] if self.action is None else [f"last action {bounded(repr(str(self.action)), 150, 50)}"]
        return ", ".join([*task, f"seed {self.seed}", *action])


class Failure(NamedTuple):
    """An exception as text, so that it can cross to another process."""

    kind: str
    """Name of the class of ``agentgym.errors`` that it comes out as."""
    message: str
    trace: str = ""
    """The last frames; empty where the message says all."""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """What ``error`` says."""
        inner = innermost(error)
        for kind in type(inner).__mro__:
            if kind in _KINDS.values():
                return cls(kind.__name__, bounded(_message(inner)))
        said = f"raised {type(inner).__qualname__}: {bounded(_message(inner))}"
        return cls("EnvError", said, _trace(inner) or _trace(error) or "  (no frames)")

    def error(self, situation: Situation) -> EnvError | UserError:
        """The exception to raise."""
        kind = _KINDS.get(self.kind, EnvError)
        if not self.trace:
            return kind(self.message)
        return kind(f"{situation.name} {self.message} ({situation})\n{self.trace}")


def bounded(text: str, head: int = _HEAD, tail: int = _TAIL) -> str:
    """``text`` as UTF-8 can carry it, without its middle where it is long.

    >>> bounded("0123456789", 3, 2)
    '012 [... 5 characters left out ...] 89'
    """
    if (left_out := len(text) - head - tail) > 0:
        text = f"{text[:head]} [... {left_out} characters left out ...] {text[-tail:]}"
    return text.encode("utf-8", "backslashreplace").decode()


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as worse:  # the author's __str__ runs here and may do as it likes
        return f"[its message cannot be shown: __str__ raised {type(worse).__qualname__}]"


def _trace(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    shown = frames[-_FRAMES:]
    own = own_frames(error)
    if own and own[-1] not in shown:  # libraries went deeper from there
        shown = [own[-1], *shown]
    return bounded(told_frames(shown))


def _is_ours(filename: str) -> bool:
    return Path(filename).parent == Path(__file__).parent or filename == exits.__file__
