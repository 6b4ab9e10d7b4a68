"""Values of Gymnasium's spaces in words, names of actions, and totals that count as success.

Spaces are told as they are nested: a ``Discrete`` as its number, a ``Box`` as its numbers with three digits, a ``Dict``
by its keys. What is known of an environment's numbers is told with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from agentgym.errors import ConfigError

__all__ = ["action_names", "base_name", "check_observations", "success_total", "told", "without_colors"]

_MAX_NUMBERS = 128
"""A Box of more is a picture or a table, which is no text to read."""

_ACTIONS = {
    "FrozenLake": ("left", "down", "right", "up"),
    "FrozenLake8x8": ("left", "down", "right", "up"),
    "Taxi": ("south", "north", "east", "west", "pick up", "drop off"),
    "CliffWalking": ("up", "right", "down", "left"),
    "CliffWalkingSlippery": ("up", "right", "down", "left"),
    "Blackjack": ("stick", "hit"),
    "CartPole": ("left", "right"),
    "MountainCar": ("left", "wait", "right"),
    "Acrobot": ("left", "wait", "right"),
    "LunarLander": ("wait", "left engine", "main engine", "right engine"),
}
"""In the order of the package's numbers."""

_PARTS = {
    "CartPole": ("position", "velocity", "angle", "angular velocity"),
    "MountainCar": ("position", "velocity"),
    "Blackjack": ("your sum", "dealer shows", "usable ace"),
}
"""What the numbers of an observation are."""

_SUCCESS = {"Taxi": 1.0, "CliffWalking": -99.0, "CliffWalkingSlippery": -99.0, "Blackjack": 1.0}
"""Where the package has no threshold, or one for the mean of many episodes that good episodes miss."""


def base_name(id: str) -> str:
    """An id without its module, namespace and version.

    >>> base_name("phys2d/CartPole-v1"), base_name("package:Taxi-v4")
    ('CartPole', 'Taxi')
    """
    return re.sub(r"-v\d+$", "", re.split("[/:]", id)[-1])


def action_names(id: str, space: spaces.Discrete) -> list[str]:
    """Names of the actions of ``space``, in order; numbers where none are known."""
    names = _ACTIONS.get(base_name(id), ())
    return list(names) if len(names) == space.n else [str(space.start + i) for i in range(int(space.n))]


def success_total(id: str, threshold: float | None) -> float | None:
    """Reward of an episode from which on it counts as success; None: any that is positive."""
    return _SUCCESS.get(base_name(id), threshold)


def check_observations(space: Any, id: str) -> None:
    """Raises ConfigError for a space that cannot be told in words."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
            check_observations(part, id)
    elif isinstance(space, spaces.Box) and int(np.prod(space.shape)) > _MAX_NUMBERS:
        raise ConfigError(
            f"{id} shows {space.shape} numbers in a Box, which is no text to read; expected {_MAX_NUMBERS} at most"
        )
    elif not isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary | spaces.Text):
        raise ConfigError(
            f"{id} has observations in {space}; expected Discrete, MultiDiscrete, MultiBinary, Box, Text, or Dict or "
            "Tuple of them"
        )


def told(space: Any, value: Any, id: str = "") -> str:
    """``value`` of ``space`` in words.

    >>> told(spaces.Box(-1, 1, (4,)), np.array([0.01234, -1, 0, 0.5]), "CartPole-v1")
    'position 0.0123, velocity -1, angle 0, angular velocity 0.5'
    >>> told(spaces.Dict({"room": spaces.Discrete(3), "bag": spaces.MultiBinary(2)}), {"room": 2, "bag": [0, 1]})
    'bag: 0 1; room: 2'
    """
    if isinstance(space, spaces.Dict):
        return "; ".join(f"{key}: {told(part, value[key])}" for key, part in space.spaces.items())
    names = _PARTS.get(base_name(id), ())
    if isinstance(space, spaces.Tuple):
        return _joined([told(part, one) for part, one in zip(space.spaces, value, strict=True)], names, "; ")
    if isinstance(space, spaces.Text):
        return str(value)
    return _joined([_number(one) for one in np.asarray(value).ravel().tolist()], names, " ")


def _joined(parts: Sequence[str], names: Sequence[str], between: str) -> str:
    if len(names) != len(parts):
        return between.join(parts)
    return ", ".join(f"{name} {part}" for name, part in zip(names, parts, strict=True))


def _number(value: float | int) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(int(value))


_COLORED = re.compile(r"\x1b\[[\d;]*m(.*?)\x1b\[0m", re.DOTALL)


def without_colors(drawing: str) -> str:
    r"""A drawing for terminals as plain text: what was colored stands in brackets.

    >>> without_colors("  (Down)\nS\x1b[41mF\x1b[0mF\nFFG\n")
    '(Down)\nS[F]F\nFFG'
    """
    return _COLORED.sub(r"[\1]", drawing).strip()


def taxi_told(place: Mapping[str, int]) -> str:
    """Where the taxi, its passenger and the destination are: what the drawing tells by colors."""
    stops = ("R", "G", "Y", "B", "in the taxi")
    return (
        f"taxi at row {place['row']} column {place['column']}; passenger {stops[place['passenger']]}; "
        f"destination {stops[place['destination']]}"
    )
