"""Removes the containers of processes that have ended without removing them: killed, or cut off from the engine.

A process that ends removes what is left of its own, which was made or not removed while the engine was away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentgym.sandbox.daemon import daemon
from agentgym.sandbox.owner import LABEL, is_dead

__all__ = ["sweep"]


def sweep(of: Callable[[Mapping[str, str]], bool] = is_dead) -> list[str]:
    """Remove those whose labels are ``of`` such an owner; the ids of those that were there. What is anybody else's,
    dead or alive, stays."""
    engine = daemon()
    found = [container["Id"] for container in engine.containers(LABEL) if of(container["Labels"])]
    for id in found:
        engine.remove(id)
    return found
