"""A fixed budget, split between demonstrations and reinforcement (Practitioner's Guide, arXiv 2510.01132, §5.2).

A demonstration costs as much as some of the policy's own episodes. The recipe turns a budget and a number of
demonstrations into the run's two stages: a warm start that sees just these, and the trainer for as many updates as
the rest pays for. Episodes of validation and test cost nothing.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from agentgym.config import Settings, validated
from agentgym.curriculum import TaskOrder
from agentgym.errors import ConfigError
from agentgym.registry import plugins

__all__ = ["RecipeSettings", "stages"]


class RecipeSettings(Settings):
    """How a budget is spent."""

    budget: float | None = Field(None, gt=0)
    """Episodes of the policy that it would pay for; none given: no recipe."""
    demonstrations: int = Field(60, ge=0)
    """Expert episodes of the warm start."""
    demonstration_cost: float = Field(10.0, gt=0)
    """What one of them costs."""
    passes: int = Field(30, ge=1)
    """How often the warm start sees each."""


_DECIDED = ("updates", "warm_start.enabled", "warm_start.demonstrations", "warm_start.max_updates", "warm_start.until")


def stages(recipe: RecipeSettings, trainer: str, options: dict[str, Any], *, batch_size: int) -> dict[str, Any]:
    """Settings that carry out the recipe with that trainer; ``batch_size`` is the warm start's.

    Raises ConfigError where the demonstrations cost more than the budget.
    """
    assert recipe.budget is not None
    rest = recipe.budget - recipe.demonstrations * recipe.demonstration_cost
    if rest < 0:
        most = int(recipe.budget // recipe.demonstration_cost)
        raise ConfigError(
            f"{recipe.demonstrations} demonstrations cost {recipe.demonstrations * recipe.demonstration_cost:g}, the "
            f"budget is {recipe.budget:g}; type --recipe.demonstrations {most} or less"
        )
    factory: Any = plugins("trainers").get(trainer)
    episodes = len(factory(validated(factory.Settings, options, where="trainer")).specs(0, TaskOrder([0], seed=0)))
    warm: dict[str, Any] = {"enabled": recipe.demonstrations > 0}
    if recipe.demonstrations:
        steps = math.ceil(recipe.passes * recipe.demonstrations / batch_size)
        warm |= {"demonstrations": recipe.demonstrations, "max_updates": steps, "until": 1.0, "check_every": steps}
    return {"updates": int(rest // episodes), "warm_start": warm}


def refuse_contradictions(given: dict[str, Any]) -> None:
    """Raise ConfigError for keys beside a recipe that the recipe decides."""
    for key in _DECIDED:
        group, _, name = key.rpartition(".")
        if name in (given.get(group, {}) if group else given):
            raise ConfigError(f"{key} has no effect: recipe.budget decides it")
