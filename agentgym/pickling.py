"""Environments in pickles: by their attributes or, where these cannot be pickled, made anew and led to the moment.

A module, a socket or a process cannot be sent. The arguments of the constructor can, and the moment of the episode is
come back to by replay, which is verified.
"""

from __future__ import annotations

import pickle
from typing import Any

from agentgym.errors import SnapshotError
from agentgym.loops import must_wait

__all__ = ["reduced"]

_ADDED = ("spec", "render_mode")
"""Attributes that ``gymnasium.make`` gives to what it has made."""


def reduced(env: Any, protocol: Any) -> Any:
    """What ``__reduce_ex__`` returns for ``env``. Raises SnapshotError where it cannot be made elsewhere."""
    try:
        pickle.dumps(vars(env), protocol)
    except Exception:  # attributes may refuse to be pickled in any way
        return _made_again, (type(env), *env._made_with, _moment(env), _added(env))
    return object.__reduce_ex__(env, protocol)


def _added(env: Any) -> dict[str, Any]:
    return {name: vars(env)[name] for name in _ADDED if name in vars(env)}


def _moment(env: Any) -> Any:
    """The running episode, to be replayed; None before the first."""
    if env._seen is None:
        return None
    if env.is_async or env.restored_by == "none":
        why = "it is async" if env.is_async else "there is no way back to a moment of it"
        raise SnapshotError(
            f"{env.name} cannot be pickled in the middle of an episode: {why}; pickle it before its reset, or send "
            "agentgym.registry.EnvFactory(id, options), which makes one wherever it is called"
        )
    return env._moment()


def _made_again(kind: type, args: Any, kwargs: Any, moment: Any, added: dict[str, Any]) -> Any:
    env = kind(*args, **kwargs)
    vars(env).update(added)
    if moment is not None:
        restored = env.restore(moment)
        assert not must_wait(restored)
    return env
