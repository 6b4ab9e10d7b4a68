"""The tokens of an episode, turn by turn: what was sampled, how likely it was, by which weights, and what it was worth.

Entropy and behavior gap are of no record: they come from the policy that the run kept, where that is asked for.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.archive import Archive, Card
from agentgym.lineage import Lineage
from agentgym.types import Sample, Trajectory
from agentgym.viewer.episodes import members
from agentgym.viewer.sources import Source, Sources

__all__ = ["advantages_in", "tokens"]

_PER_TURN = 2000
"""Tokens of one turn that are told; of longer ones the last: the reply is at the end."""
_COMPARED = 128
"""Members of a group, and turns of all of them together times a hundred, up to which advantages are told."""


def tokens(
    sources: Sources,
    *,
    number: int,
    run: int = 0,
    first: Annotated[int, Field(ge=0)] = 0,
    num: Annotated[int, Field(ge=1, le=200)] = 20,
    scored: bool = False,
) -> dict[str, Any]:
    """Tokens of ``num`` turns from turn ``first`` on.

    ``words`` of a turn are its tokens as text, null where the run holds no tokenizer of theirs. ``advantage`` is the
    reward of the episodes that go through it less the mean of the group. ``scored`` adds what the policy that the run
    kept makes of each sampled token: ``entropy`` and ``gap``, the log-probability of then less that of now.
    """
    source = sources.at(run)
    with source.asking() as archive, source.reading(number) as reader:
        samples, card = reader.samples(), archive.card(number)
        advantages = advantages_in(archive, card)
    places = _places(samples)
    turns = [
        _turn(turn, samples[sample], sample, advantages)
        for turn in range(first, first + num)
        if (sample := places.get(turn)) is not None
    ]
    if scored:
        _score(source, samples, turns)
    vocabulary = source.vocabulary(card.tokenizer)
    for turn in turns:
        turn["words"] = None if vocabulary is None else _words(vocabulary, turn, samples[turn["sample"]])
    return {"turns": turns, "has_advantages": advantages is not None}


def advantages_in(archive: Archive, card: Card) -> list[float] | None:
    """For each turn of an episode the mean reward of the lines that go through it, less the mean of its group.

    None where it has nothing to be compared with, is void, or the group is too large to be read at once.
    """
    if not card.group_id or card.stop_reason.is_void:
        return None
    cards = members(archive, card, _COMPARED + 1)
    fit = [each for each in cards if not each.stop_reason.is_void]
    if not 1 < len(fit) <= _COMPARED or sum(each.num_tokens for each in fit) > 1_000_000:
        return None
    lines = [_line(archive, each.number) for each in fit]
    rewards = [line.reward for line in lines]
    mean = sum(rewards) / len(rewards)
    pooled = Lineage(lines).pooled([[reward] * len(line.turns) for line, reward in zip(lines, rewards, strict=True)])
    own = next(place for place, each in enumerate(fit) if each.number == card.number)
    return [value - mean for value in pooled[own]]


def _line(archive: Archive, number: int) -> Trajectory:
    return Trajectory.model_validate(archive.record(number))


def _places(samples: list[Sample]) -> dict[int, int]:
    """Turn → the sample that it is shown in: the first in which it was sampled, or else the first that has it."""
    found: dict[int, int] = {}
    for only_sampled in (True, False):
        for place, sample in enumerate(samples):
            turns = sample.turn_index[sample.loss_mask] if only_sampled else sample.turn_index
            for turn in np.unique(turns).tolist():
                found.setdefault(turn, place)
    return found


def _turn(turn: int, sample: Sample, place: int, advantages: list[float] | None) -> dict[str, Any]:
    (at,) = np.nonzero(sample.turn_index == turn)
    shown = at[-_PER_TURN:]
    worth = None if advantages is None or turn >= len(advantages) else advantages[turn]
    return {
        "turn": turn,
        "sample": place,
        "left_out": len(at) - len(shown),
        "at": shown.tolist(),
        "ids": sample.token_ids[shown].tolist(),
        "mask": sample.loss_mask[shown].astype(int).tolist(),
        "logprobs": [round(value, 5) for value in sample.logprobs[shown].tolist()],
        "versions": sample.policy_versions[shown].tolist(),
        "advantage": worth,
    }


def _score(source: Source, samples: list[Sample], turns: list[dict[str, Any]]) -> None:
    """Add to each turn what the kept policy makes of its sampled tokens."""
    from agentgym.viewer.scoring import scores  # torch

    by_sample = {place: scores(source.path / "policy", samples[place]) for place in {turn["sample"] for turn in turns}}
    for turn in turns:
        logprobs, entropies = by_sample[turn["sample"]]
        sampled = zip(turn["at"], turn["mask"], turn["logprobs"], strict=True)
        turn["gap"] = [round(then - float(logprobs[at]), 5) if is_sampled else 0.0 for at, is_sampled, then in sampled]
        turn["entropy"] = [
            round(float(entropies[at]), 5) if is_sampled else 0.0
            for at, is_sampled in zip(turn["at"], turn["mask"], strict=True)
        ]


def _words(vocabulary: Any, turn: dict[str, Any], sample: Sample) -> list[str]:
    """What each token adds to the text: some begin a word, and are decoded otherwise where they stand alone."""
    before = (int(sample.token_ids[at - 1]) if at else None for at in turn["at"])
    return [_word(vocabulary, last, token) for last, token in zip(before, turn["ids"], strict=True)]


def _word(vocabulary: Any, last: int | None, token: int) -> str:
    own = _decoded(vocabulary, token)
    if last is None:
        return own
    alone, both = _decoded(vocabulary, last), vocabulary.decode([last, token], skip_special_tokens=False)
    return both[len(alone) :] if both.startswith(alone) and len(both) > len(alone) else own


def _decoded(vocabulary: Any, token: int) -> str:
    said = vocabulary.decode([token], skip_special_tokens=False)
    return str(said) or str(vocabulary.id_to_token(token) or "")
