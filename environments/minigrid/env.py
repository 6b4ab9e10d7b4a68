"""MiniGrid and BabyAI (arXiv 1810.08272, 2306.13831) as an environment in text, on the real package ``minigrid``.

Dynamics, missions, rewards and ends are the package's. Added are the words: what is seen (``view``), and actions by
name. An action that has no effect, such as to walk into a wall, is a turn like any other, as in the package; those that
have one are listed.
"""

from __future__ import annotations

import copy
from typing import Any, Literal, TypeAlias

from agentgym.env import Env, Expert
from agentgym.environments.minigrid.expert import BAFFLING, BotGivesUp, Guide
from agentgym.environments.minigrid.package import has_bot, make_world
from agentgym.environments.minigrid.view import described
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["LEVELS", "MiniGrid"]

Level: TypeAlias = Literal[
    "goto-obj",
    "goto-local",
    "pickup-loc",
    "open-door",
    "put-next-local",
    "unlock-local",
    "goto",
    "synth",
    "boss",
]
LEVELS: dict[Level, tuple[str, int]] = {
    "goto-obj": ("BabyAI-GoToObj-v0", 12),
    "goto-local": ("BabyAI-GoToLocal-v0", 18),
    "pickup-loc": ("BabyAI-PickupLoc-v0", 20),
    "open-door": ("BabyAI-OpenDoor-v0", 20),
    "put-next-local": ("BabyAI-PutNextLocal-v0", 40),
    "unlock-local": ("BabyAI-UnlockLocal-v0", 40),
    "goto": ("BabyAI-GoTo-v0", 180),
    "synth": ("BabyAI-Synth-v0", 200),
    "boss": ("BabyAI-BossLevel-v0", 300),
}
"""Level → id of the package, and turns that an episode may have."""

_ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle", "done")
"""In the package's order."""

_NAMES = {name: number for number, name in enumerate(_ACTIONS)} | {
    name: number for number, name in enumerate(("left", "right", "forward", "pickup", "drop", "toggle", "done"))
}
"""Ours and the package's own."""


@register
class MiniGrid(Env):
    """Walk through rooms with doors, keys, balls and boxes, and do what the mission says.

    Example::

        env = MiniGrid(level="goto-local")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("go forward")
    """

    kind = "game"
    extra = "minigrid"
    max_turns = 12
    instructions = (
        "Do what the mission says. Actions: turn left, turn right, go forward, pick up, drop, toggle (doors)."
    )

    def __init__(self, *, level: Level | None = None, name: str | None = None) -> None:
        """Choose the world.

        Args:
            level: one of the ladder; none given, and no name: the first.
            name: instead of it, any id of the package, such as "BabyAI-GoToLocalS8N7-v0" or
                "MiniGrid-DoorKey-5x5-v0". The id ``minigrid:BabyAI-…`` is short for it.

        Raises ConfigError for an unknown name, or for a level beside it; MissingExtraError without the package.
        """
        if level is not None and name is not None:
            raise ConfigError(f'level "{level}" has no effect beside name "{name}"; leave one out')
        self.level: Level | None = None if name is not None else level or "goto-obj"
        id, turns = LEVELS[self.level] if self.level else (str(name), None)
        self.world_id, self.world = id, make_world(id)
        self.max_turns = turns or self._longest()
        self._guide: Guide | None = None

    def _longest(self) -> int:
        """The package's own limit, which a BabyAI world has only once it is reset."""
        self.world.reset(seed=0)
        return int(self.world.max_steps)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start in the world that the package draws from the seed."""
        self.taken: list[int] = []
        seen, _ = self.world.reset(seed=self.seed)
        return self._observe(seen), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; a name that is no action changes nothing, and the info says so."""
        number = _NAMES.get(" ".join(action.lower().split())) if len(action) <= 100 else None
        if number is None:
            problem = f"expected one of: {', '.join(_ACTIONS)}"
            return self._observe(self.world.gen_obs()), 0.0, False, False, {"invalid_action": problem}
        self.taken.append(number)
        seen, reward, terminated, truncated, _ = self.world.step(number)
        info = {"success": bool(reward > 0)} if terminated or truncated else {}
        return self._observe(seen), float(reward), bool(terminated), bool(truncated), info

    def expert(self) -> Expert | None:
        """BabyAI's bot; None where it gives up, and in the worlds of MiniGrid, which have no instructions for it."""
        if not has_bot(self.world) or self.world_id in BAFFLING:
            return None
        guide = self._guide = self._guide or Guide(self.world_id)
        try:
            guide.advice(self.seed, self.taken)
        except BotGivesUp:
            return None
        return lambda observation: _ACTIONS[guide.advice(self.seed, self.taken)]

    def get_state(self) -> dict[str, Any]:
        """A copy of the package's world, and the actions that led to it."""
        return {"world": copy.deepcopy(self.world), "taken": list(self.taken)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.world, self.taken = copy.deepcopy(state["world"]), list(state["taken"])

    def _observe(self, seen: dict[str, Any]) -> Observation:
        return Observation(described(seen), admissible=self._admissible())

    def _admissible(self) -> list[str]:
        """What has an effect on the cell ahead; turning always has."""
        ahead, held = self.world.grid.get(*self.world.front_pos), self.world.carrying
        names = ["turn left", "turn right"]
        if ahead is None or ahead.can_overlap():
            names.append("go forward")
        if ahead is not None and held is None and ahead.can_pickup():
            names.append("pick up")
        if ahead is None and held is not None:
            names.append("drop")
        if ahead is not None and ahead.type in ("door", "box"):
            names.append("toggle")
        if not has_bot(self.world):
            names.append("done")  # some worlds of MiniGrid end by it, none of BabyAI does
        return names
