"""Augmentations: an environment made more helpful or harder for training, and only there.

An augmentation is a wrapper with a ``strength`` in [0, 1], which a curriculum may change from episode to episode
(Environment Tuning, arXiv 2510.10197, has hints in error messages, on or off). At strength 0 it is exactly the
environment that it is around, and so are all evaluations. Departs from the paper in that the strength may be anything
between. Augmentations live in ``agentgym/augmentations``, one file each.

    @agentgym.register
    class Whispering(agentgym.Augmentation):
        def observation(self, seen):
            return agentgym.Observation.of(seen.lower()) if self.rng().random() < self.strength else seen
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from agentgym.env import Env, Expert
from agentgym.errors import UserError
from agentgym.loops import then
from agentgym.strength import STRENGTH, is_strength
from agentgym.types import Observation, StepResult
from agentgym.wrapper import Wrapper

__all__ = ["Augmentation", "is_augmented"]


class Augmentation(Wrapper):
    """A wrapper that is told its ``strength`` at each reset; what its constructor takes beside ``env`` are settings.

    A subclass overrides ``observation`` and ``action`` (and ``said``, where it changes what actions are called), which
    are asked at strengths above 0 only. To go back to a moment nothing but the turns so far is needed where it keeps
    nothing itself: draw from ``rng``, which is the same whenever a turn comes again, or from ``np_random``.
    """

    plugin_kind: ClassVar[str] = "augmentations"

    # -- changed by authors --------------------------------------------------------------------------

    def misfit(self, seen: Observation) -> str:
        """Why this has nothing to work on in the environment, whose first observation is ``seen``; "" where it has."""
        return ""

    def said(self, expert: str) -> str:
        """How what the wrapped environment's expert says is said here: what ``action`` brings back to it."""
        return expert

    # -- given to authors ----------------------------------------------------------------------------

    @property
    def strength(self) -> float:
        """How much is changed in the running episode, in [0, 1]; 0 is nothing."""
        return float(self._options.get(STRENGTH, 0.0))

    @property
    def turn(self) -> int:
        """Actions so far, the one under way included."""
        return len(self._actions)

    def rng(self, *of: int) -> np.random.Generator:
        """A generator that depends on the episode's seed and ``of`` alone; without ``of`` on the turn."""
        depth = sum(isinstance(each, Augmentation) for each in _inside(self.env))
        return np.random.default_rng([self.seed, depth, 1, *(of or (self.turn,))])

    # -- the wrapped environment's -------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The environment's, which is still what is played."""
        return self.env.name

    def expert(self) -> Expert | None:
        """The wrapped environment's, which goes by what that one shows and says it as it is said here."""
        inner = self.env.expert()
        if inner is None:
            return None
        return lambda _: then(inner(self.env._seen or Observation()), self.said if self.strength else _as_it_is)

    def _before_reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = super()._before_reset(seed=seed, options=options)
        strength = arguments["options"].get(STRENGTH, 0.0)
        if not is_strength(strength):
            raise UserError(f"strength is {strength!r:.80}, expected a number from 0 to 1")
        if not is_augmented(self.env):  # what it is around never learns of it
            inner = {key: value for key, value in arguments["options"].items() if key != STRENGTH}
            arguments = {**arguments, "options": inner}
        return arguments

    def _begun(self, result: tuple[Observation, dict[str, Any]]) -> Any:
        if not self.strength:
            return result
        if why := self.misfit(result[0]):
            one = vars(type(self)).get("plugin_id", type(self).__name__)
            raise UserError(f'the augmentation "{one}" does not fit the environment "{self.name}": {why}')
        return super()._begun(result)

    def _told(self, action: str) -> str:
        return super()._told(action) if self.strength else action

    def _gone_on(self, result: StepResult) -> Any:
        return super()._gone_on(result) if self.strength else result


def is_augmented(env: Env) -> bool:
    """Whether there is an augmentation in what is around an environment."""
    return any(isinstance(each, Augmentation) for each in _inside(env))


def _inside(env: Env) -> list[Env]:
    """``env`` and all that it is around, outermost first."""
    return [env, *_inside(env.env)] if isinstance(env, Wrapper) else [env]


def _as_it_is(said: Any) -> Any:
    return said
