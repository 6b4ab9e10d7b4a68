"""Preference pairs: which of two completions was better, found in what was played.

A pair compares two whole episodes of a task, or two actions of the same turn. For the latter the episodes of a group
form a tree: they share task and environment seed, so where two of them have the same tokens up to a turn, they were in
the same situation, and where they go on differently the turn is a branch. An action is worth the mean reward of the
episodes that took it (Agent Q's step-level pairs, arXiv 2408.07199, §4.2). Of the lines of a search that is the value
that its backups come to, since each line brings one return; what was proposed and never taken is no line, and so never
compared. A critic's opinion of the siblings, which has no part in the backups, may be mixed in then.

Departs from the paper in comparing only actions that were sampled in the very same context: where a chat template
rewrote history differently for two episodes, they are in different contexts from there on.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentgym.errors import DataError
from agentgym.types import Sample, TaskId, Trajectory

__all__ = [
    "Branch",
    "Branches",
    "Choice",
    "Pair",
    "Pairs",
    "all_pairs",
    "best_worst_pair",
    "bi_factorial_label",
    "branch_pairs",
    "branches",
    "only_turn",
    "rso_accept",
]

_TOLERANCE = 1e-9
"""Values that differ by less are equal."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two sequences of which one is better. The loss mask of either marks the tokens that are compared.

    Raises DataError where a side has no compared token, where both sides are the same, or where the sides of a turn
    do not begin in the same context.
    """

    chosen: Sample
    rejected: Sample
    turn: int | None = None
    """The turn that is compared; None for whole episodes."""
    margin: float = 0.0
    """By how much the chosen side's value is higher."""
    by_expert: tuple[bool, bool] = (False, False)
    """Whether an expert said any of the compared tokens, of the chosen side and of the rejected one."""

    def __post_init__(self) -> None:
        if not (self.chosen.num_trained and self.rejected.num_trained):
            raise DataError("a side of a preference pair has no trained token; expected at least 1 on either side")
        if np.array_equal(self.chosen.token_ids, self.rejected.token_ids):
            raise DataError("both sides of a preference pair are the same tokens; expected two different ones")
        if self.turn is not None and _context(self.chosen) != _context(self.rejected):
            raise DataError(
                f"the sides of a preference pair were sampled in different contexts before turn {self.turn}; "
                "expected equal tokens there, or turn=None to compare whole episodes"
            )

    def require_logprobs(self) -> None:
        """Raise DataError unless both sides carry the log-probabilities of the policy that sampled them.

        An expert's tokens have none: they are recorded as 0.
        """
        sides = ("chosen", self.chosen), ("rejected", self.rejected)
        for (name, side), by_expert in zip(sides, self.by_expert, strict=True):
            if by_expert or not side.logprobs[side.loss_mask].any():
                raise DataError(
                    f"the {name} side of a preference pair has no stored log-probabilities, as an expert's episode; "
                    "type `--trainer.reference model` to take them from the reference model"
                )


class Pairs(NamedTuple):
    """Pairs that were found, and how many episodes or turns could not be compared."""

    pairs: list[Pair]
    num_skipped: int


class Choice(NamedTuple):
    """One way to go on, and what became of the episodes that did."""

    sample: Sample
    value: float
    """Their mean reward, undiscounted and over the whole episode."""
    num_visits: int
    by_expert: bool
    """Whether an expert said any of what is compared."""


class Branch(NamedTuple):
    """A turn at which episodes with the same tokens so far went on differently."""

    turn: int
    choices: list[Choice]
    """At least two, all different."""


class Branches(NamedTuple):
    """The branches of the tree, and how many of the episodes' turns could not be placed in it."""

    branches: list[Branch]
    num_skipped: int


class _Candidate(NamedTuple):
    sample: Sample
    value: float
    """What its episode earned."""
    by_expert: bool
    """Whether an expert said any of it."""
    critic: float | None = None
    """Its place among what a critic compared it with."""


class _Node(NamedTuple):
    """A situation in which a turn was sampled."""

    env: str
    task: TaskId | None
    seed: int
    turn: int
    context: bytes


def rso_accept(rewards: Sequence[float], *, beta: float, num: int, rng: random.Random) -> list[int]:
    """Indices of ``num`` completions in the order of their acceptance: RSO's rejection sampling.

    arXiv 2309.06657, algorithm 1: pass by pass, each remaining completion is accepted with probability
    exp((r − r_max) / β), where r_max is the highest reward that remained before the pass. Accepted completions of a
    policy are samples of that policy tilted by exp(r / β). Equal completions are told apart, as the paper's are not.

    Raises ValueError when there are fewer than ``num`` rewards, or β is not positive.
    """
    if num > len(rewards):
        raise ValueError(f"cannot accept {num} of {len(rewards)} completions")
    if not beta > 0:
        raise ValueError(f"beta is {beta}, expected a positive number")
    accepted: list[int] = []
    remaining = list(range(len(rewards)))
    while len(accepted) < num:
        best = max(rewards[i] for i in remaining)
        for i in remaining:
            if len(accepted) < num and rng.random() < math.exp((rewards[i] - best) / beta):
                accepted.append(i)
        remaining = [i for i in remaining if i not in accepted]
    return accepted


def bi_factorial_label(helpful_is_safe: bool, other_is_safe: bool, *, alpha: float) -> float:
    """By how much the more helpful of two completions is preferred: below 0, the other one is.

    3/2 · safe(more helpful) − 1/2 · safe(other) − α (BFPO, arXiv 2408.15313, with B₁ 3 and B₃ 1/2 as there): safe
    before unsafe, helpful among safe ones, and of two that are unsafe the less helpful, for helping with harm.

    >>> [bi_factorial_label(*safe, alpha=0.5) for safe in ((True, True), (True, False), (False, True), (False, False))]
    [0.5, 1.0, -1.0, -0.5]
    """
    return 1.5 * helpful_is_safe - 0.5 * other_is_safe - alpha


def best_worst_pair(trajectories: Iterable[Trajectory], *, threshold: float = 0.0) -> Pairs:
    """At most one pair: the best of a group's episodes against its worst (iterative DPO, arXiv 2405.07863).

    No pair where their rewards differ by less than ``threshold``, or not at all. Unfit episodes and those of which
    the stream forked are skipped.
    """
    whole, num_skipped = _whole(trajectories)
    ranked = sorted(whole, key=lambda choice: -choice.value)
    return Pairs(_compare([ranked[0], ranked[-1]] if len(ranked) > 1 else [], threshold), num_skipped)


def all_pairs(trajectories: Iterable[Trajectory], *, threshold: float = 0.0) -> Pairs:
    """Every two of a group's episodes whose rewards differ by ``threshold`` or more; equal episodes count as one.

    Unfit episodes and those of which the stream forked are skipped.
    """
    whole, num_skipped = _whole(trajectories)
    return Pairs(_compare(whole, threshold), num_skipped)


def branch_pairs(trajectories: Iterable[Trajectory], *, threshold: float = 0.0, alpha: float = 1.0) -> Pairs:
    """Every two actions of the same turn, in the same context, whose values differ by ``threshold`` or more.

    Values are α · mean reward + (1 - α) · critic (Agent Q, arXiv 2408.07199, eq. 10) where a critic gave one, and mean
    rewards elsewhere. The samples end with the turn, and their loss mask marks nothing else.
    """
    tree, num_skipped = branches(trajectories, alpha=alpha)
    return Pairs(
        [pair for branch in tree for pair in _compare(branch.choices, threshold, branch.turn)],
        num_skipped,
    )


def branches(trajectories: Iterable[Trajectory], *, alpha: float = 1.0) -> Branches:
    """The turns at which episodes of the same task and seed, with the same tokens so far, went on differently.

    ``alpha`` is as in ``branch_pairs``. Unfit episodes are left out. A turn is skipped when no sample holds all its
    sampled tokens in one piece.
    """
    nodes: dict[_Node, list[_Candidate]] = {}
    num_skipped = 0
    for trajectory in _valid(trajectories):
        cuts = _cuts(trajectory)
        num_skipped += sum(turn not in cuts for turn in range(len(trajectory.turns)))
        for turn, sample in cuts.items():
            node = _Node(trajectory.env, trajectory.task, trajectory.seed, turn, _context(sample))
            by_expert, critic = turn in trajectory.shown, trajectory.turns[turn].critic
            nodes.setdefault(node, []).append(_Candidate(sample, trajectory.reward, by_expert, critic))
    merged = [Branch(node.turn, _merge(candidates, alpha)) for node, candidates in nodes.items()]
    return Branches([branch for branch in merged if len(branch.choices) > 1], num_skipped)


def only_turn(sample: Sample, turn: int) -> Sample:
    """``sample`` up to the last token sampled at ``turn``, with a loss on that turn's tokens alone.

    It is empty when the sample holds none of them.
    """
    return _cut(sample, _positions(sample).get(turn, np.zeros(0, np.intp)))


def _positions(sample: Sample) -> dict[int, NDArray[np.intp]]:
    """Where the sampled tokens of each turn are."""
    places = np.flatnonzero(sample.loss_mask)
    turns = sample.turn_index[places]
    return {turn: places[turns == turn] for turn in dict.fromkeys(turns.tolist())}


def _cut(sample: Sample, positions: NDArray[np.intp]) -> Sample:
    """``sample`` up to the last of ``positions``, with a loss at these alone."""
    end = positions[-1] + 1 if len(positions) else 0
    mask = np.zeros(end, np.bool_)
    mask[positions] = True
    return Sample(
        token_ids=sample.token_ids[:end],
        loss_mask=mask,
        logprobs=np.where(mask, sample.logprobs[:end], np.float32(0)),
        turn_index=sample.turn_index[:end],
        policy_versions=np.where(mask, sample.policy_versions[:end], np.int32(-1)),
    )


def _cuts(trajectory: Trajectory) -> dict[int, Sample]:
    """Of each turn the sample that holds it, cut to it; without those in several samples, or in pieces."""
    found: dict[int, list[tuple[Sample, NDArray[np.intp]]]] = {}
    for sample in trajectory.samples:
        for turn, positions in _positions(sample).items():
            found.setdefault(turn, []).append((sample, positions))
    return {
        turn: _cut(*holders[0])
        for turn, holders in found.items()
        if len(holders) == 1 and holders[0][1][-1] - holders[0][1][0] == len(holders[0][1]) - 1
    }


def _valid(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    return [trajectory for trajectory in trajectories if not trajectory.unfit]


def _whole(trajectories: Iterable[Trajectory]) -> tuple[list[Choice], int]:
    """The different episodes, and the number of those that cannot be compared."""
    trajectories = list(trajectories)
    comparable = [t for t in _valid(trajectories) if len(t.samples) == 1 and t.samples[0].num_trained]
    candidates = (_Candidate(t.samples[0], t.reward, bool(t.shown)) for t in comparable)
    return _merge(candidates), len(trajectories) - len(comparable)


def _merge(candidates: Iterable[_Candidate], alpha: float = 1.0) -> list[Choice]:
    """Candidates of the same tokens as one, the first of them, with their mean value, mixed with what a critic says."""
    same: dict[bytes, list[_Candidate]] = {}
    for candidate in candidates:
        same.setdefault(candidate.sample.token_ids.tobytes(), []).append(candidate)
    return [_choice(found, alpha) for found in same.values()]


def _choice(found: Sequence[_Candidate], alpha: float) -> Choice:
    value, first = math.fsum(each.value for each in found) / len(found), found[0]
    if first.critic is not None and alpha < 1:
        value = alpha * value + (1 - alpha) * first.critic
    return Choice(first.sample, value, len(found), first.by_expert)


def _compare(choices: Sequence[Choice], threshold: float, turn: int | None = None) -> list[Pair]:
    """Pairs of different values; raises ValueError for a negative ``threshold``."""
    if threshold < 0:
        raise ValueError(f"threshold is {threshold}, expected 0 or more")
    pairs = []
    for one, other in itertools.combinations(choices, 2):
        chosen, rejected = (one, other) if one.value > other.value else (other, one)
        margin = chosen.value - rejected.value
        if margin > _TOLERANCE and margin >= threshold - _TOLERANCE:
            by_expert = chosen.by_expert, rejected.by_expert
            pairs.append(
                Pair(chosen=chosen.sample, rejected=rejected.sample, turn=turn, margin=margin, by_expert=by_expert)
            )
    return pairs


def _context(sample: Sample) -> bytes:
    """The tokens before the first compared one."""
    return sample.token_ids[: sample.loss_mask.argmax()].tobytes()
