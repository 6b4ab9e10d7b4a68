"""A moment of an episode, and the ways back to it.

There are four, and an environment has the first of them that it can do:

- "native": its author wrote ``get_state`` and ``set_state``;
- "copy": its author says (``restored_by = "copy"``) that a copy of the instance's attributes is the whole of its state;
- "replay": it is reset with the same seed and takes the same actions, and what is seen after each must have the digest
  that it had before;
- "none": its author says that there is no way, because what happens outside cannot be taken back.

A ``Snapshot`` holds the state and stays where the environment lives. A ``Mark`` is the small token for one that a host
keeps: with what it holds, every other host of the environment comes there by replay.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from agentgym.errors import SnapshotError
from agentgym.types import Observation, StepResult

__all__ = ["Copied", "Mark", "Past", "Rung", "Snapshot", "digest_of"]

Rung: TypeAlias = Literal["native", "copy", "replay", "none"]
"""A way back to a moment, the cheapest first."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What led to a moment: enough to come there again, and to know that one did."""

    seed: int
    options: dict[str, Any]
    actions: tuple[str, ...]
    digests: tuple[str, ...]
    """Of what was seen after the reset, and after each action."""

    @property
    def digest(self) -> str:
        """Of what is seen at this moment."""
        return self.digests[-1]

    @property
    def num_turns(self) -> int:
        """Actions since the reset."""
        return len(self.actions)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Past):
    """A moment of an episode. ``state`` is None where it is reached by replay."""

    observation: Observation
    info: dict[str, Any]
    done: bool
    total: float
    """Rewards so far."""
    rng: dict[str, Any]
    instructions: str
    max_turns: int
    state: Any = None

    @property
    def rung(self) -> Rung:
        """The way back to it."""
        if isinstance(self.state, Snapshot):  # a wrapper's, which goes back as what it is around does
            return self.state.rung
        if self.state is None:
            return "replay"
        return "copy" if isinstance(self.state, Copied) else "native"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Past):
    """A moment that a host keeps: a small token, plain data but for the actions' tool calls."""

    id: str
    """By which the host that gave it knows it; other hosts do not."""
    rung: Rung
    """How that host comes back to it."""

    @classmethod
    def of(cls, snapshot: Snapshot, id: str) -> Mark:
        """The token for ``snapshot``."""
        past = {field.name: getattr(snapshot, field.name) for field in dataclasses.fields(Past)}
        return cls(id=id, rung=snapshot.rung, **past)


class Copied:
    """The attributes of ``env`` as they are now, apart from those named in ``but``."""

    def __init__(self, env: Any, *, but: Collection[str]) -> None:
        self.env, self._but = env, but
        try:
            self._values = self._copy(self._of(env))
        except Exception as error:  # attributes may refuse to be copied in any way
            raise SnapshotError(
                f'{type(env).__name__} says restored_by = "copy", and cannot be copied: {type(error).__name__}: '
                f'{error}; write get_state and set_state, or leave it at "replay"'
            ) from error

    def bring_back(self) -> None:
        """Have ``env`` be as it was. Functions in its attributes that look at it still do."""
        for name in self._of(self.env):
            delattr(self.env, name)
        vars(self.env).update(self._copy(self._values))

    def _of(self, env: Any) -> dict[str, Any]:
        return {name: value for name, value in vars(env).items() if name not in self._but}

    def _copy(self, values: dict[str, Any]) -> dict[str, Any]:
        return copy.deepcopy(values, {id(self.env): self.env})


def digest_of(result: StepResult) -> str:
    """Hash of what a turn shows to whoever plays, images by their content; 32 hexadecimal digits.

    It covers text, admissible actions, names of tools, images, reward, flags and success. A reset is a turn without
    reward.
    """
    seen, reward, terminated, truncated, info = result
    success = info.get("success")
    told = bool(success) if isinstance(success, bool | np.bool_) else None
    tools = [_name(tool) for tool in seen.tools]
    said = repr((str(seen), seen.admissible, tools, reward, terminated, truncated, told))
    digest = hashlib.blake2b(said.encode(), digest_size=16)
    for image in seen.images:
        digest.update(image.digest.encode())
    return digest.hexdigest()


def _name(tool: Mapping[str, Any]) -> Any:
    about = tool.get("function")
    return (about if isinstance(about, Mapping) else tool).get("name")
