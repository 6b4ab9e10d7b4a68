"""Episodes that were recorded, to learn from in place of playing: from a run, an archive or a JSONL file.

Their cards are in memory; an episode is fetched when its update wants it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agentgym import store
from agentgym.archive import Card
from agentgym.errors import DataError
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Trajectory

__all__ = ["Recorded", "grouped_by_task"]


class Recorded:
    """The episodes of ``path`` that are not void: ``cards`` in order, and ``fetch`` for one of them.

    Those that a run measured itself by are left out: what learns from them would be measured by the same tasks.

    Raises DataError where there is none, where a line is malformed, or where token ids are another tokenizer's.
    """

    def __init__(self, path: Path, tokenizer: ChatTokenizer) -> None:
        self.source, self._media = store.opened(path), tokenizer.store
        self.cards = [card for card in self.source.query() if not (card.stop_reason.is_void or _measures(card))]
        if not self.cards:
            raise DataError(f"{path} has no episode that counts; expected at least one")
        for card in self.cards:
            if card.tokenizer != tokenizer.fingerprint:
                raise DataError(
                    f"{path}, episode {card.episode_id}: its token ids are those of another tokenizer "
                    f"({card.tokenizer or 'unknown'}), the policy's is {tokenizer.fingerprint}; record episodes with "
                    "this policy: agentgym eval --model … --trajectories PATH"
                )

    def fetch(self, card: Card, *, ordinal: int, group_id: str | None = None) -> Trajectory:
        """The episode of ``card``, as that of place ``ordinal`` in the order of training; of another group if given.

        The images that it is learned from with are with the policy's then. Raises DataError where one is missing.
        """
        changes = {"ordinal": ordinal} | ({} if group_id is None else {"group_id": group_id})
        episode = self.source.get(card.number)
        for sample in episode.samples:
            self._media.bring(sample.media, self.source.media)
        return episode.model_copy(update=changes)

    def close(self) -> None:
        """Let go of the file."""
        self.source.close()


def _measures(card: Card) -> bool:
    """Whether a run played it to be measured; what ``agentgym eval`` plays is of no stage."""
    return card.stage != "" and card.split in ("validation", "test")


def grouped_by_task(cards: Iterable[Card]) -> list[list[Card]]:
    """Episodes of the same environment, task and seed together, where there are at least two."""
    groups: dict[tuple[object, ...], list[Card]] = {}
    for card in cards:
        groups.setdefault((card.env, card.task, card.seed), []).append(card)
    return [group for group in groups.values() if len(group) > 1]
