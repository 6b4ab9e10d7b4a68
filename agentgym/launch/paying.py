"""``--reward`` in short: dense, sparse or a list, which settles what an episode is paid for.

    dense             turn by turn, as the environment pays where it can
    sparse            1 for success at the end, and nothing else
    NAME=WEIGHT,…     these rewards, and nothing else; "environment" is what the environment pays by itself

So that the two ends of the same run are one word apart (Practitioner's Guide, arXiv 2510.01132, §5.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from agentgym.config import merged
from agentgym.errors import ConfigError
from agentgym.learn.nano_settings import WISHES
from agentgym.registry import plugins

__all__ = ["KEY", "spelled_out"]

KEY = "reward"
_OWN = "environment"
_SPARSE = {_OWN: 0.0, "success": 1.0}


def spelled_out(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with the settings that its ``reward`` is short for, where it has one.

    Raises ConfigError for what cannot be read, for what is given in both ways, and for "dense" where the environment
    has one way to pay.
    """
    if KEY not in given:
        return dict(given)
    rest = {key: value for key, value in given.items() if key != KEY}
    short, env = given[KEY], rest.get("env")
    if rest.get("rewards"):
        raise ConfigError(
            f'"reward" is short for "rewards", and both are given; leave one of them out, found {short!r}'
        )
    if not isinstance(short, str):
        raise ConfigError(f'reward is {short!r}, expected "dense", "sparse" or NAME=WEIGHT,…; type: --reward sparse')
    if short != "dense":
        return merged(rest, {"rewards": _paid(_SPARSE if short == "sparse" else _listed(short))})
    if isinstance(env, Mapping) and "id" in env:
        if "reward" in env:
            raise ConfigError('reward "dense" settles env.reward, which is given too; leave one of them out')
        rest = merged(rest, {"env": {"reward": _dense(env["id"])}})
    return merged(rest, {"rewards": _paid({_OWN: 1.0})})


def _paid(weights: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Rewards with these weights; those that a run would have by itself are off unless they are named."""
    named = {name: weight for name, weight in weights.items() if name != _OWN}
    off = dict.fromkeys(WISHES["rewards"], 0.0)
    kept_back = 1.0 - weights.get(_OWN, 0.0)
    own = {"withheld": kept_back} if kept_back else {}
    return {name: {"weight": weight} for name, weight in {**off, **named, **own}.items()}


def _listed(short: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for word in filter(None, (word.strip() for word in short.split(","))):
        name, equals, value = word.partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = math.nan
        if not (name and equals and math.isfinite(weight)) or name in weights:
            raise ConfigError(
                f'reward: found "{word}" in "{short}", expected dense, sparse, or each name once with a number; type '
                "such as --reward environment=1,turn-cost=0.01"
            )
        weights[name] = weight
    return weights


def _dense(id: str) -> str:
    """The environment's word for paying turn by turn."""
    field = plugins("environments").settings(id).model_fields.get("reward")
    words = [word for word in get_args(field.annotation) if word != "sparse"] if field is not None else []
    if not words:
        raise ConfigError(
            f'reward "dense": the environment "{id}" has one way to pay; type --reward sparse, or name rewards that '
            "are given turn by turn, such as --reward environment=1,turn-cost=0.01"
        )
    return str(words[0])
