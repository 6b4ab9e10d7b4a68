"""Any environment of Gymnasium with discrete or text actions, played in text.

Dynamics, rewards and ends are the environment's own. Added are the words: its drawing in characters where it has one,
otherwise its numbers, and actions by name. An episode is a success when its total reward reaches ``success_at``; none
given, the threshold that the environment is registered with (Taxi, CliffWalking and Blackjack have values of ours), or
else when it is positive.

Without a name it is FrozenLake without slipping, on a random map for every task; no map is in two splits.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

import gymnasium
from gymnasium import spaces
from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from gymnasium.utils import EzPickle
from pydantic import Field

from agentgym.env import SPLITS, Env, Expert
from agentgym.environments.gymnasium.planner import best_actions
from agentgym.environments.gymnasium.words import (
    action_names,
    base_name,
    check_observations,
    success_total,
    taxi_told,
    told,
    without_colors,
)
from agentgym.errors import ConfigError, UserError, did_you_mean
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["Gymnasium"]

_DEFAULT = "FrozenLake-v1"
_DEFAULT_MAP_SIZE = 4
_MAX_TURNS = 100
"""Where the environment has no limit of its own."""
_EXTRAS = {"phys2d": "jax", "tabular": "jax"}
"""Family of environments → the extra of Gymnasium that it needs."""
_LONGEST_ACTION = 100
"""Characters; what is longer names no action."""


@register
class Gymnasium(Env):
    """Play an environment of Gymnasium by the names of its actions.

    Example::

        env = Gymnasium(name="Taxi-v4")
        observation, info = env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step("north")
    """

    kind = "game"
    max_turns = 100

    def __init__(
        self,
        *,
        name: str | None = None,
        make: Mapping[str, Any] | str | None = None,
        map_size: Annotated[int, Field(ge=3)] | None = None,
        success_at: float | None = None,
        max_turns: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        """Make the environment.

        Args:
            name: id that it is registered under, such as "Taxi-v4" or "package:Name-v0" for one that importing
                ``package`` registers. The id ``gymnasium:Taxi-v4`` is short for it.
            make: keyword arguments for ``gymnasium.make``, a mapping or JSON, such as {"is_slippery": false}.
            map_size: FrozenLake alone: a random map of that many rows and columns for every task.
            success_at: total reward from which on an episode is a success.
            max_turns: turns that an episode may have; none given: the environment's own limit.

        Raises ConfigError for an unknown id, for arguments that it does not take, and for spaces that cannot be said.
        """
        if name is None:
            make = {"is_slippery": False, **_mapping(make)}
            map_size = map_size or _DEFAULT_MAP_SIZE
        self.env_id, self.arguments, self.map_size = name or _DEFAULT, _mapping(make), map_size
        if map_size is not None and not base_name(self.env_id).startswith("FrozenLake"):
            raise ConfigError(f"map_size is {map_size} for {self.env_id}; it is for FrozenLake")
        self.world = self._make({} if map_size is None else {"desc": self._map(0)})
        self._check_spaces()
        spec = self.world.spec
        self.success_at = success_at if success_at is not None else success_total(self.env_id, spec.reward_threshold)
        self.max_turns = max_turns or spec.max_episode_steps or _MAX_TURNS
        said = ", ".join(self.names) if self.names else "a text"
        self.instructions = f"Play {base_name(self.env_id)}. Actions: {said}."

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start as the environment does with this seed, on the seed's map where maps are drawn."""
        if self.map_size is not None:
            self.world = self._make({"desc": self._map(self.seed)})
        seen, info = self.world.reset(seed=self.seed)
        self._plan: list[int] | None = None
        self.total = 0.0
        return self._observe(seen, info), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; what names no action changes nothing, and the info says so."""
        said = self._parsed(action)
        if said is None:
            return self._last, 0.0, False, False, {"invalid_action": self._expected}
        seen, reward, terminated, truncated, info = self.world.step(said)
        self.total += float(reward)
        over = bool(terminated or truncated)
        return (
            self._observe(seen, info),
            float(reward),
            bool(terminated),
            bool(truncated),
            {"success": self._is_success} if over else {},
        )

    def expert(self) -> Expert | None:
        """The policy of largest value where the environment gives its transition table away, otherwise None."""
        bare = self.world.unwrapped
        if not (isinstance(getattr(bare, "P", None), Mapping) and hasattr(bare, "s") and self.names):
            return None
        return lambda observation: self.names[self._planned()[int(self.world.unwrapped.s)]]

    @property
    def expert_may_lose(self) -> bool:
        """Whether an action may lead to several states, as far as a transition table says."""
        table = getattr(self.world.unwrapped, "P", None)
        if not isinstance(table, Mapping):
            return False
        outcomes = (outcomes for actions in table.values() for outcomes in actions.values())
        return any(0 < chance < 1 for chances in outcomes for chance, *_ in chances)

    def get_state(self) -> Any:
        """A copy of the environment where Gymnasium itself brings it, and copies more than what it was made with.

        Others are restored by replay.
        """
        bare = self.world.unwrapped
        if isinstance(bare, EzPickle) or not type(bare).__module__.startswith("gymnasium.envs."):
            return None
        return {"world": self._copied(), "total": self.total, "last": self._last, "plan": self._plan}

    def set_state(self, state: Any) -> None:
        """Go back to what ``get_state`` gave."""
        self.world, self.total, self._last = state["world"], state["total"], state["last"]
        self._plan = state["plan"]
        self.world = self._copied()

    def close(self) -> None:
        """Close the environment."""
        self.world.close()

    # -- making it -------------------------------------------------------------------------------------

    def _make(self, more: dict[str, Any]) -> Any:
        spec = _spec(self.env_id)
        try:
            drawn = "ansi" in _render_modes(spec)
            arguments = {**({"render_mode": "ansi"} if drawn else {}), **self.arguments, **more}
            made = gymnasium.make(spec, disable_env_checker=True, **arguments)
        except gymnasium.error.DependencyNotInstalled as error:
            raise UserError(f"{self.env_id} needs a package that is not installed: {error}") from None
        except ImportError as error:  # not every family of environments says what it needs
            extra = _EXTRAS.get(self.env_id.rpartition(":")[2].partition("/")[0])
            typed = f"; type: pip install 'gymnasium[{extra}]'" if extra else ""
            raise UserError(f"{self.env_id} needs a package that is not installed: {error}{typed}") from None
        except (TypeError, gymnasium.error.Error) as error:
            raise ConfigError(
                f"{self.env_id} cannot be made with {self.arguments or 'no arguments'}: {error}"
            ) from None
        if isinstance(made.unwrapped, Env):
            raise ConfigError(f"{self.env_id} is an environment of agentgym; take its own id")
        return made

    def _check_spaces(self) -> None:
        space, self._seen_space = self.world.action_space, self.world.observation_space
        self.names = action_names(self.env_id, space) if isinstance(space, spaces.Discrete) else []
        if not isinstance(space, spaces.Discrete | spaces.Text):
            raise ConfigError(f"{self.env_id} has actions in {space}; expected Discrete or Text")
        if self.world.render_mode != "ansi":
            check_observations(self._seen_space, self.env_id)

    def _map(self, seed: int) -> list[str]:
        """The first of the seed's own random maps that belongs to its split: no map is in two of them."""
        split = next((split for split in SPLITS if seed in SPLITS[split]), "train")
        draw = 0
        while True:
            drawn = generate_random_map(size=self.map_size or _DEFAULT_MAP_SIZE, seed=seed * 1_000 + draw)
            if _split_of(drawn) == split:
                return list(drawn)
            draw += 1

    # -- words -----------------------------------------------------------------------------------------

    def _observe(self, seen: Any, info: Mapping[str, Any]) -> Observation:
        drawn = self.world.render_mode == "ansi"
        text = without_colors(str(self.world.render())) if drawn else told(self._seen_space, seen, self.env_id)
        if base_name(self.env_id) == "Taxi":
            places = zip(("row", "column", "passenger", "destination"), self.world.unwrapped.decode(seen), strict=True)
            text = f"{text}\n{taxi_told(dict(places))}"
        names: list[str] | None = self.names or None
        if names and "action_mask" in info:
            names = [name for name, allowed in zip(names, info["action_mask"], strict=True) if allowed] or names
        self._last = seen_now = Observation(text, admissible=names)
        return seen_now

    def _parsed(self, action: str) -> Any:
        """The environment's own action, or None."""
        space = self.world.action_space
        if isinstance(space, spaces.Text):
            return str(action) if space.contains(str(action)) else None
        words = " ".join(action.lower().split()) if len(action) <= _LONGEST_ACTION else ""
        numbers = [str(int(space.start) + i) for i in range(int(space.n))]
        for known in (self.names, numbers):
            if words in known:
                return int(space.start) + known.index(words)
        return None

    @property
    def _expected(self) -> str:
        return f"expected one of: {', '.join(self.names)}" if self.names else f"expected {self.world.action_space}"

    @property
    def _is_success(self) -> bool:
        return self.total > 0 if self.success_at is None else self.total >= self.success_at

    def _planned(self) -> list[int]:
        if self._plan is None:
            self._plan = best_actions(self.world.unwrapped.P)
        return self._plan

    def _copied(self) -> Any:
        """A copy that shares the transition table, which nothing changes."""
        table = getattr(self.world.unwrapped, "P", None)
        return copy.deepcopy(self.world, {id(table): table} if table is not None else {})


def _mapping(given: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Keyword arguments from a mapping or JSON. Raises ConfigError."""
    try:
        found = json.loads(given) if isinstance(given, str) else given or {}
    except json.JSONDecodeError as error:
        raise ConfigError(f"make is {given!r}, which is no JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise ConfigError(f'make is {given!r}, expected keyword arguments such as {{"is_slippery": false}}')
    return dict(found)


def _spec(id: str) -> Any:
    """What is registered under ``id``, by the module that it may name; of several versions the newest.

    Raises ConfigError.
    """
    module, _, bare = id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f'name is "{id}", and "{module}" cannot be imported: {error}; install it, or put its folder on PYTHONPATH'
        ) from None
    try:
        namespace, name, version = parse_env_id(bare)
        newest = find_highest_version(namespace, name) if version is None else None
        return gymnasium.spec(bare if newest is None else get_env_id(namespace, name, newest))
    except gymnasium.error.Error as error:
        hint = did_you_mean(bare, gymnasium.registry)
        raise ConfigError(f'name is "{id}", which Gymnasium does not know: {error}.{hint}') from None


def _render_modes(spec: Any) -> list[str]:
    point = spec.entry_point
    made = gymnasium.envs.registration.load_env_creator(point) if isinstance(point, str) else point
    return list((getattr(made, "metadata", None) or {}).get("render_modes", []))


def _split_of(drawn: list[str]) -> str:
    """Of all maps, six tenths are for training, two tenths each for validation and test."""
    digest = hashlib.blake2b("\n".join(drawn).encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"
