"""Episodes from a file, to learn from in place of playing: written by ``agentgym eval --trajectories FILE``."""

from __future__ import annotations

from pathlib import Path

from agentgym import store
from agentgym.errors import DataError
from agentgym.groups import Group
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Trajectory

__all__ = ["grouped_by_task", "recorded"]


def recorded(file: Path, tokenizer: ChatTokenizer) -> list[Trajectory]:
    """The episodes of ``file`` that are not void, in order.

    Raises DataError where there is none, where a line is malformed, or where token ids are another tokenizer's.
    """
    if not file.is_file():
        raise DataError(f"there is no file {file}; expected episodes, as agentgym eval --trajectories FILE writes them")
    episodes = [episode for episode in store.read(file) if not episode.stop_reason.is_void]
    if not episodes:
        raise DataError(f"{file} has no episode that counts; expected at least one")
    for episode in episodes:
        if episode.tokenizer != tokenizer.fingerprint:
            raise DataError(
                f"{file}, episode {episode.episode_id}: its token ids are those of another tokenizer "
                f"({episode.tokenizer or 'unknown'}), the policy's is {tokenizer.fingerprint}; record episodes with "
                "this policy: agentgym eval --model … --trajectories FILE"
            )
    return episodes


def grouped_by_task(episodes: list[Trajectory]) -> list[Group]:
    """Episodes of the same environment, task and seed together, where there are at least two."""
    groups: dict[tuple[object, ...], Group] = {}
    for episode in episodes:
        groups.setdefault((episode.env, episode.task, episode.seed), Group(None, [])).members.append(episode)
    return [group for group in groups.values() if len(group.members) > 1]
