"""What ``gymnasium.make`` calls to make an environment of ours: it finds it here under its whole name.

Departs from ``agentgym.make`` in three things, because who plays by Gymnasium has no rollout:

- an ``async`` environment comes as a plain one, because Gymnasium awaits nothing;
- an episode is truncated after ``max_turns``, as Gymnasium truncates: ``max_episode_steps=N`` takes another number, -1
  none. The number that is registered is that of the default options; options may change it, and so may a reset;
- there is a ``render_mode``.
"""

from __future__ import annotations

import copy
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import TimeLimit

from agentgym.env import Env
from agentgym.errors import ConfigError, did_you_mean
from agentgym.gymnasium_specs import LIMITED, OwnTurns, plugin_id
from agentgym.registry import make, plugins
from agentgym.wrapper import Settled

__all__ = ["Creator", "TurnLimit", "limited"]


class Creator:
    """Makes the environment of one id, with its options as keyword arguments."""

    def __init__(self, id: str) -> None:
        self.id = id

    @property
    def metadata(self) -> dict[str, Any]:
        """The class's, where Gymnasium looks whether a render mode is one of its own."""
        return dict(getattr(plugins("environments").get(self.id), "metadata", Env.metadata))

    @property
    def max_turns(self) -> int:
        """The class's, which are those of its default options."""
        return int(getattr(plugins("environments").get(self.id), "max_turns", Env.max_turns))

    def __call__(self, *, render_mode: str | None = None, **options: Any) -> Env:
        takes_mode = "render_mode" in plugins("environments").settings(self.id).model_fields
        if takes_mode and render_mode is not None:
            options["render_mode"] = render_mode
        env: Env = make(self.id, **options)
        if render_mode is not None and not takes_mode:
            _draw_as(env, render_mode)
        return Settled(env) if env.is_async else env


def _draw_as(env: Env, mode: str) -> None:
    """Raises ConfigError for a mode that the environment does not have."""
    known = list(env.metadata.get("render_modes", ()))
    if mode not in known:
        raise ConfigError(
            f'render_mode is "{mode}".{did_you_mean(mode, known)} {env.name} has: {", ".join(known) or "none"}'
        )
    env.unwrapped.render_mode = mode


class TurnLimit(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Truncates an episode that is not over after the environment's own ``max_turns``, as of its last reset."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._turns = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        seen, reward, terminated, truncated, info = self.env.step(action)
        self._turns += 1
        if not (terminated or truncated) and self._turns >= self._ours.max_turns:
            return seen, reward, False, True, {"success": False, **info}
        return seen, reward, terminated, truncated, info

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]  # as Gymnasium's own wrappers have it
        """The registration, with the number of turns that it is now: ``gymnasium.make`` makes the same of it."""
        spec = copy.deepcopy(self.env.spec)
        if spec is not None:
            spec.max_episode_steps = OwnTurns(self._ours.max_turns)
            spec.additional_wrappers = (*spec.additional_wrappers, LIMITED)
        return spec

    @property
    def _ours(self) -> Env:
        env = self.env.unwrapped
        assert isinstance(env, Env)
        return env


def limited(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """``env`` as ``gymnasium.make`` has wrapped it, with a ``TurnLimit`` unless another number, or none, was chosen."""
    is_own = isinstance(env, TimeLimit) and env.spec is not None and isinstance(env.spec.max_episode_steps, OwnTurns)
    return TurnLimit(env.env) if is_own else env  # type: ignore[attr-defined]


def __getattr__(name: str) -> Creator:
    if not name.startswith("agentgym/"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return Creator(plugin_id(name))
