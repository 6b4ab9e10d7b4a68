"""Episodes that were recorded, to learn from in place of playing: from a run, an archive or a JSONL file.

Their cards are in memory; an episode is fetched when its update wants it. Held-out tasks are not learned from: what a
run measured itself by is left out of its archive, and a recording of such tasks is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agentgym import store
from agentgym.archive import Card
from agentgym.errors import DataError
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import TaskId, Trajectory

__all__ = ["Recorded", "grouped_by_task"]

_HELD_OUT = ("validation", "test")
_RECORD = "agentgym record --model … --output PATH"
_LOOKED_AT = 64
"""Episodes that are unpacked to see how they were sampled before a run begins; the others are seen when fetched."""


class Tasked(Protocol):
    """An environment, or whoever knows its tasks."""

    @property
    def name(self) -> str: ...
    def tasks(self, split: str) -> Sequence[TaskId]: ...


class Recorded:
    """The episodes of ``path`` that are not void: ``cards`` in order, and ``fetch`` for one of them.

    Those that a run measured itself by are left out: what learns from them would be measured by the same tasks.

    Raises DataError where there is none, where a line is malformed, where others than a run's were played on held-out
    tasks, or where token ids are another tokenizer's.
    """

    def __init__(self, path: Path, tokenizer: ChatTokenizer) -> None:
        self.path, self.source, self._media = path, store.opened(path), tokenizer.store
        counted = [card for card in self.source.query() if not card.stop_reason.is_void]
        self.cards = [card for card in counted if not _measures(card)]
        if not self.cards:
            measured = f", {len(counted)} that a run measured itself by are left out" if counted else ""
            raise DataError(f"{path} has no episode that counts{measured}; expected at least one")
        self._refuse([card for card in self.cards if card.split in _HELD_OUT])
        for card in self.cards:
            if card.tokenizer != tokenizer.fingerprint:
                raise DataError(
                    f"{path}, episode {card.episode_id}: its token ids are those of another tokenizer "
                    f"({card.tokenizer or 'unknown'}), the policy's is {tokenizer.fingerprint}; record episodes with "
                    f"this policy: {_RECORD}"
                )

    def refuse_tasks_of(self, env: Tasked) -> None:
        """Raise DataError for episodes that do not say of which split they are, of held-out tasks of ``env``."""
        unknown = [card for card in self.cards if not card.split and card.env == env.name and card.task is not None]
        if unknown:
            held_out = {task for split in _HELD_OUT for task in env.tasks(split)}
            self._refuse([card for card in unknown if card.task in held_out])

    def refuse_tempered(self, cards: Sequence[Card]) -> None:
        """Raise DataError where ``require_plain`` refuses an episode of ``cards``; of many, some are looked at."""
        step = max(1, len(cards) // _LOOKED_AT)
        for card in cards[::step]:
            self.require_plain(self.source.get(card.number))

    def require_plain(self, episode: Trajectory) -> None:
        """Raise DataError unless the stored log-probabilities of ``episode`` are those of the policy itself.

        Those at another temperature, or among the likeliest tokens, are of another distribution. An expert's are none.
        """
        sampling = episode.sampling
        if episode.role == "expert" or (sampling is not None and sampling.is_plain):
            return
        how = "it does not say how its tokens were sampled" if sampling is None else f"it was sampled at {sampling}"
        raise DataError(
            f"{self.path}, episode {episode.episode_id}: {how}, so its log-probabilities are no reference; expected "
            "temperature 1 without top_p, top_k and min_p; add --trainer.reference model, which scores episodes with "
            f"the policy that training begins with, or record others: {_RECORD}"
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

    def fetch_groups(self, groups: Mapping[int, Sequence[Card]]) -> list[Trajectory]:
        """The episodes of each ordinal as a group of their own. Raises as ``fetch`` does."""
        return [
            self.fetch(card, ordinal=ordinal, group_id=f"recorded-{ordinal}")
            for ordinal, cards in groups.items()
            for card in cards
        ]

    def close(self) -> None:
        """Let go of the file."""
        self.source.close()

    def _refuse(self, held_out: Sequence[Card]) -> None:
        """Raise DataError where there are such."""
        if not held_out:
            return
        first, rest = held_out[0], len(self.cards) - len(held_out)
        others = f", or take the other {rest}: agentgym export {self.path} --split train -o PATH" if rest else ""
        raise DataError(
            f"{self.path} has {len(held_out)} episodes of held-out tasks (episode {first.episode_id}, task "
            f"{first.task!r}, split {first.split or 'unknown'}): what learns from them is measured by what it saw; "
            f"expected train tasks; record them: {_RECORD}{others}"
        )


def _measures(card: Card) -> bool:
    """Whether a run played it to be measured; what ``agentgym eval`` and ``record`` play is of no stage."""
    return card.stage != "" and card.split in _HELD_OUT


def grouped_by_task(cards: Iterable[Card]) -> list[list[Card]]:
    """Episodes of the same environment, task and seed together, where there are at least two."""
    groups: dict[tuple[object, ...], list[Card]] = {}
    for card in cards:
        groups.setdefault((card.env, card.task, card.seed), []).append(card)
    return [group for group in groups.values() if len(group) > 1]
