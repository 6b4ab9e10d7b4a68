"""Removes the containers of processes that have ended without removing them: killed, or cut off from the engine."""

from __future__ import annotations

from agentgym.sandbox.daemon import daemon
from agentgym.sandbox.owner import LABEL, is_dead

__all__ = ["sweep"]


def sweep() -> list[str]:
    """Remove them; the ids of those that were there. What is anybody else's, dead or alive, stays."""
    engine = daemon()
    dead = [found["Id"] for found in engine.containers(LABEL) if is_dead(found["Labels"])]
    for id in dead:
        engine.remove(id)
    return dead
