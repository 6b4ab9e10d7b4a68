"""Which episodes are kept, where not all are."""

from __future__ import annotations

import hashlib

from agentgym.types import Trajectory

__all__ = ["chosen"]


def chosen(episode: Trajectory, share: float) -> bool:
    """Whether ``episode`` is among the ``share`` of all that is kept.

    A pure function of its group's id, or of its own where it has none: groups stay whole, and a task that is played at
    every look at the validation tasks is kept every time or never. What broke is kept: it is rare, and what one
    looks for.
    """
    name = episode.group_id or episode.episode_id
    place = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
    return episode.stop_reason.is_void or place < share * 2**64
