"""Crafter (arXiv 2109.06780) as an environment in text, on the real package ``crafter``.

Departs from the package in its words; in that a level asks for some of the achievements, and the episode ends as a
success when they are reached; in that the reward is 1 for each new achievement alone, without the part for health; and
in that an action may be repeated ("move left 4"), until it is blocked, hurts, or achieves something. See ``world`` for
what it takes to make episodes repeat.

*Learning When to Plan* (arXiv 2509.03581) lets a policy plan when it wants to: "plan: ..." costs no time in the world.
The newest plan is shown from then on; ``plan_cost`` puts a price on each. An action on a second line is carried out in
the same turn.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments.crafter.expert import Script
from agentgym.environments.crafter.levels import LEVELS, LevelName
from agentgym.environments.crafter.view import View, seen
from agentgym.environments.crafter.world import ACTIONS, World
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["Crafter"]

_NUMBERS = {name: number for number, name in enumerate(ACTIONS)}
_ACTION = re.compile(r"([a-z ]+?)(?: ([1-9]))?", re.ASCII)
_PLAN = "plan:"
_LONGEST_PLAN = 300
"""Characters that are kept of a plan."""


@register
class Crafter(Env):
    """Gather, build and survive in a world of grass, trees, stone and creatures.

    Example::

        env = Crafter(level="wood")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("plan: get to a tree\\nmove left 3")
    """

    kind = "game"
    extra = "crafter"
    max_turns = 10
    corpus_episodes = 40  # each is another world, and to make one takes up to a second
    instructions = (
        f"Reach what is to do. Actions: {', '.join(ACTIONS)}. A number repeats one: move left 4. "
        '"do" takes, strikes or uses what is faced. You may also plan: PLAN, and act on the next line.'
    )

    def __init__(
        self, *, level: LevelName = "wood", view: View = "nearest", plan_cost: Annotated[float, Field(ge=0)] = 0.0
    ) -> None:
        """Choose the goal.

        Args:
            level: what is to be achieved, from one piece of wood to all that the package counts.
            view: "nearest" of each kind in words, or a "map" of letters.
            plan_cost: taken from the reward for each plan.

        Raises MissingExtraError without the package.
        """
        self.level, self.view = LEVELS[level], view
        self.plan_cost, self.max_turns = plan_cost, self.level.turns
        self.world = World()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start in the world that the package draws from the seed."""
        self.world.reset(self.seed)
        self.plan, self.num_plans = "", 0
        return self._observe(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn: a plan, an action, or both; what is neither changes nothing, and the info says so."""
        plan, rest = _split(action)
        found = _parsed(rest)
        if found is None and (rest or not plan):
            problem = f"expected one of: {', '.join(ACTIONS)}, or plan: PLAN"
            return self._observe(), 0.0, False, False, {"invalid_action": problem}
        cost = 0.0
        if plan:
            self.plan, self.num_plans, cost = plan, self.num_plans + 1, self.plan_cost
        new = self._act(*found) if found else []
        dead, success = self.world.player.health <= 0, not self._left()
        info: dict[str, Any] = {"achieved": new, "plans": self.num_plans}
        if dead or success:
            info["success"] = success
        return self._observe(), len(new) - cost, dead or success, False, info

    def expert(self) -> Expert | None:
        """A script that knows the map; None on the levels that it does not master."""
        if not self.level.has_expert:
            return None
        script = Script(self.world, self.level.goal)
        return lambda observation: script.action()

    def get_state(self) -> dict[str, Any]:
        """A copy of the package's world, and the plan."""
        return {"world": self.world.state, "plan": self.plan, "plans": self.num_plans}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.world.state = state["world"]
        self.plan, self.num_plans = state["plan"], state["plans"]

    def _act(self, number: int, times: int) -> list[str]:
        """Step up to so many times; returns what was achieved."""
        new: list[str] = []
        for _ in range(times):
            where, health = tuple(self.world.player.pos), self.world.player.health
            new += sorted(self.world.step(number))
            blocked = "move" in ACTIONS[number] and tuple(self.world.player.pos) == where
            if new or blocked or self.world.player.health < health:
                break
        return [name.replace("_", " ") for name in new]

    def _left(self) -> list[str]:
        """Achievements of the goal that are still to do."""
        return [name for name in self.level.goal if name.replace(" ", "_") not in self.world.unlocked]

    def _observe(self) -> Observation:
        plan = f" plan: {self.plan}" if self.plan else ""
        text = f"to do: {', '.join(self._left()) or 'nothing'}. {seen(self.world, self.view)}{plan}"
        return Observation(text, admissible=(*ACTIONS, "plan: <plan>"))


def _split(action: str) -> tuple[str, str]:
    """Plan and action, each empty where there is none.

    >>> _split("plan: cut a tree\\ndo"), _split("do")
    (('cut a tree', 'do'), ('', 'do'))
    """
    text = action.strip()
    if text[: len(_PLAN)].lower() != _PLAN:
        return "", text
    plan, _, rest = text[len(_PLAN) :].partition("\n")
    return " ".join(plan.split())[:_LONGEST_PLAN], rest.strip()


def _parsed(text: str) -> tuple[int, int] | None:
    """Number of the action and how often, or None."""
    words = " ".join(text.lower().replace("_", " ").split()) if len(text) <= 100 else ""
    found = _ACTION.fullmatch(words)
    if found is None or found[1] not in _NUMBERS:
        return None
    return _NUMBERS[found[1]], int(found[2] or 1)
