"""The command that would begin a run again: what its settings have beside what they would have by themselves."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from agentgym.config import flattened, merged
from agentgym.errors import AgentGymError
from agentgym.launch.resolving import decided
from agentgym.launch.settings import KINDS
from agentgym.launch.written import resolved

__all__ = ["command_of"]

_NOT_TYPED = ("protocol.kept", "output")
"""What a run fills in for itself, and what is another in the next run."""


def command_of(config: Mapping[str, Any]) -> str:
    """``agentgym train`` with the flags that lead to ``config``; output is left to the next run."""
    chosen = {key: {"id": config[key]["id"]} for key in (*KINDS, "model") if key in config}
    plain = dict(flattened(_by_itself({"env": chosen["env"]})))
    flags = {"env.id": json.dumps(config["env"]["id"])}
    flags |= {f"{key}.id": json.dumps(each["id"]) for key, each in chosen.items() if _differs(key, each["id"], plain)}
    own = dict(flattened(_by_itself(merged(*({key: each} for key, each in chosen.items())))))
    flags |= {key: value for key, value in flattened(config) if key not in own or own[key] != value}
    return " ".join(["agentgym train", *(_typed(key, value) for key, value in flags.items() if key not in _NOT_TYPED)])


def _by_itself(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which nothing else is chosen; what is given, where that alone is no run."""
    try:
        return resolved(decided(given))
    except AgentGymError:
        return dict(given)


def _differs(key: str, id: str, plain: Mapping[str, str]) -> bool:
    return plain.get(f"{key}.id") != json.dumps(id)


def _typed(key: str, value: str) -> str:
    found = json.loads(value)
    return f"--{key.removesuffix('.id')} {shlex.quote(found if isinstance(found, str) else value)}"
