"""Pairs: a tree drawn by hand, a slow search for branches, what is refused, and rejection sampling."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import DataError
from agentgym.learn.rows import Row
from agentgym.pairs import (
    Pair,
    all_pairs,
    best_worst_pair,
    bi_factorial_label,
    branch_pairs,
    branches,
    only_turn,
    rso_accept,
)
from agentgym.types import Sample, StopReason, Trajectory, Turn

END = 2
"""Ends a reply."""


def sample(*turns: tuple[list[int], list[int]], first: int = 0, version: int = 3) -> Sample:
    """A sequence of (what is seen, what is said), with log-probs -0.1, -0.2, ... on what is said."""
    tokens = [
        (token, spoken, turn)
        for turn, (seen, said) in enumerate(turns, start=first)
        for token, spoken in [*((t, False) for t in seen), *((t, True) for t in said)]
    ]
    return Sample(
        token_ids=[token for token, _, _ in tokens],
        loss_mask=[spoken for _, spoken, _ in tokens],
        logprobs=[-0.1 * sum(s for _, s, _ in tokens[: i + 1]) if tokens[i][1] else 0.0 for i in range(len(tokens))],
        turn_index=[turn for _, _, turn in tokens],
        policy_versions=[version if spoken else -1 for _, spoken, _ in tokens],
    )


def episode(reward: float, *samples: Sample, stop: StopReason = StopReason.TERMINATED, seed: int = 0) -> Trajectory:
    """One whose last turn earns ``reward``."""
    last = max((int(turn) for one in samples for turn in one.turn_index), default=-1)
    turns = [Turn(observation="", reply="", reward=reward if turn == last else 0.0) for turn in range(last + 1)]
    return Trajectory(
        env="maze", task=1, seed=seed, episode_id="", turns=turns, samples=list(samples), stop_reason=stop
    )


def said(pair: Pair) -> tuple[list[int], list[int]]:
    """The compared tokens of either side."""
    chosen, rejected = (
        [token for token, trained in zip(side.token_ids, side.loss_mask, strict=True) if trained]
        for side in (pair.chosen, pair.rejected)
    )
    return chosen, rejected


# A tree drawn by hand. Prompt 5; replies end with 2; the environment answers 10 + what was said.
#
#   5 ── 7 ── 17 ── 7   reward 1.0     A
#    │         └─── 8   reward 0.4     B
#    │         └─── 8   reward 0.0     C (the same tokens as B)
#    └── 8 ── 18 ── 7   reward 0.2     D

A = episode(1.0, sample(([5], [7, END]), ([17], [7, END])))
B = episode(0.4, sample(([5], [7, END]), ([17], [8, END])))
C = episode(0.0, sample(([5], [7, END]), ([17], [8, END])))
D = episode(0.2, sample(([5], [8, END]), ([18], [7, END])))


def test_the_tree_by_hand() -> None:
    """Turn 0: 7 is worth (1 + .4 + 0) / 3, 8 is worth .2. Turn 1 after 7: 7 is worth 1, 8 is worth .2, seen twice."""
    found, num_skipped = branches([A, B, C, D])
    assert num_skipped == 0
    values = {
        branch.turn: [(choice.sample.token_ids.tolist(), choice.value, choice.num_visits) for choice in branch.choices]
        for branch in found
    }
    assert values == {
        0: [([5, 7, END], pytest.approx(1.4 / 3), 3), ([5, 8, END], 0.2, 1)],
        1: [([5, 7, END, 17, 7, END], 1.0, 1), ([5, 7, END, 17, 8, END], 0.2, 2)],
    }


def test_pairs_of_the_tree_by_hand() -> None:
    pairs, num_skipped = branch_pairs([A, B, C, D])
    assert num_skipped == 0
    assert [(pair.turn, *said(pair), round(pair.margin, 9)) for pair in pairs] == [
        (0, [7, END], [8, END], 0.266666667),  # 1.4 / 3 - .2
        (1, [7, END], [8, END], 0.8),
    ]


@pytest.mark.parametrize(("threshold", "turns"), [(0.0, [0, 1]), (0.3, [1]), (0.8, [1]), (0.81, [])])
def test_the_threshold_is_inclusive(threshold: float, turns: list[int]) -> None:
    """A margin of 1 - .2, which is .8 to the last digit, passes a threshold of .8."""
    assert [pair.turn for pair in branch_pairs([A, B, C, D], threshold=threshold).pairs] == turns


def test_the_threshold_holds_up_to_rounding() -> None:
    """.3 - .2 is a little less than .1 in floating point, and so is .7 - .5 than .2 where .7 is a mean."""
    assert len(branch_pairs([episode(0.3, A.samples[0]), episode(0.2, B.samples[0])], threshold=0.1).pairs) == 1
    worth_7 = [episode(reward, A.samples[0]) for reward in (0.25, 0.25, 1.0, 1.0, 1.0)]
    assert len(branch_pairs([*worth_7, episode(0.5, B.samples[0])], threshold=0.2).pairs) == 1


def test_a_side_ends_with_its_turn_and_trains_nothing_else() -> None:
    later = branch_pairs([A, B]).pairs[0].chosen
    assert later == Sample(
        token_ids=[5, 7, END, 17, 7, END],
        loss_mask=[False, False, False, False, True, True],
        logprobs=[0.0, 0.0, 0.0, 0.0, *A.samples[0].logprobs[4:]],
        turn_index=[0, 0, 0, 1, 1, 1],
        policy_versions=[-1, -1, -1, -1, 3, 3],
    )
    first = branch_pairs([A, D]).pairs[0].chosen
    assert (first.token_ids.tolist(), first.loss_mask.tolist()) == ([5, 7, END], [False, True, True])
    assert A.samples[0].loss_mask.tolist() == [False, True, True, False, True, True]  # the record is as it was
    assert Row.of(later, 1.0).num_trained == 2


def test_a_turn_that_a_sample_does_not_hold() -> None:
    assert only_turn(A.samples[0], 5) == Sample()


def test_no_pairs_without_a_difference() -> None:
    """Equal values, a single episode, equal episodes with different rewards, nothing at all."""
    for group in ([episode(0.5, A.samples[0]), episode(0.5, B.samples[0])], [A], [B, C], []):
        for pairs in (branch_pairs(group), all_pairs(group), best_worst_pair(group)):
            assert pairs.pairs == []


def test_episodes_of_other_tasks_or_seeds_are_no_alternatives() -> None:
    assert branches([A, episode(0.4, B.samples[0], seed=1)]).branches == []
    assert branches([A, B.model_copy(update={"task": 2})]).branches == []
    assert branches([A, B.model_copy(update={"env": "shop"})]).branches == []


def test_forked_streams_are_compared_within_the_sample_that_holds_the_turn() -> None:
    """The template dropped what was thought at turn 0 (70, 71), so both were in the same context at turn 1."""
    one = episode(1.0, sample(([5], [70, 7, END])), sample(([5, 7, END, 17], [7, END]), first=1))
    two = episode(0.0, sample(([5], [71, 7, END])), sample(([5, 7, END, 17], [8, END]), first=1))
    pairs, num_skipped = branch_pairs([one, two])
    assert num_skipped == 0
    assert [(pair.turn, *said(pair)) for pair in pairs] == [
        (0, [70, 7, END], [71, 7, END]),
        (1, [7, END], [8, END]),
    ]
    assert pairs[1].chosen.token_ids.tolist() == [5, 7, END, 17, 7, END]
    assert all_pairs([one, two]) == ([], 2)


def test_turns_that_cannot_be_placed_are_counted() -> None:
    twice = episode(0.0, sample(([5], [8, END])), sample(([5], [8, END])))  # turn 0 in two samples
    pieces = episode(0.0, sample(([5], [8, END, 9, END])))
    pieces.samples[0].loss_mask[2] = False
    silent = episode(0.0, sample(([5], [])))
    for odd in (twice, pieces, silent):
        assert branch_pairs([A, odd, D]).num_skipped == 1
        assert [pair.turn for pair in branch_pairs([A, odd, D]).pairs] == [0]


@pytest.mark.parametrize("stop", [StopReason.ENV_ERROR, StopReason.ABORTED])
def test_void_episodes_are_compared_with_nothing(stop: StopReason) -> None:
    void = episode(-9.0, B.samples[0], stop=stop)
    assert branches([A, void]) == ([], 0)
    assert all_pairs([A, void]) == ([], 1)
    assert best_worst_pair([A, void]) == ([], 1)


def test_all_pairs_by_hand() -> None:
    """B and C are one episode worth .2, as much as D: A beats both, by .8, and they do not differ."""
    pairs, num_skipped = all_pairs([D, A, B, C])
    assert num_skipped == 0
    assert [(p.chosen, p.rejected, p.turn) for p in pairs] == [
        (A.samples[0], D.samples[0], None),
        (A.samples[0], B.samples[0], None),
    ]
    assert [p.margin for p in pairs] == pytest.approx([0.8, 0.8])
    assert all_pairs([D, A, B, C], threshold=0.9).pairs == []


def test_best_and_worst_by_hand() -> None:
    """Of .4, 1, .2 the best is A and the worst D."""
    (pair,), _ = best_worst_pair([B, A, D])
    assert (pair.chosen, pair.rejected) == (A.samples[0], D.samples[0])
    assert pair.margin == pytest.approx(0.8)
    assert best_worst_pair([B, A, D], threshold=0.9).pairs == []


@pytest.mark.parametrize("find", [all_pairs, best_worst_pair, branch_pairs])
def test_a_negative_threshold_is_refused(find: type) -> None:
    with pytest.raises(ValueError, match="expected 0 or more"):
        find([A, B], threshold=-0.1)


# A slow search

EPISODES = st.lists(
    st.tuples(st.lists(st.sampled_from([7, 8, 9]), min_size=1, max_size=3), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    max_size=7,
)


def played(actions: Sequence[int], reward: float) -> Trajectory:
    """An episode of an environment that answers with what was said so far."""
    turns, history = [], [5]
    for action in actions:
        turns.append((list(history), [action, END]))
        history = [10 + action + len(turns)]
    return episode(reward, sample(*turns))


def slow_pairs(episodes: list[tuple[list[int], float]], threshold: Fraction) -> Iterator[tuple[int, int, int, float]]:
    """(turn, better action, worse action, margin) by the actions alone, in fractions: every history, every two."""
    histories = {tuple(actions[:turn]) for actions, _ in episodes for turn in range(len(actions))}
    for history in histories:
        worth = {}
        for action in (7, 8, 9):
            path = [*history, action]
            rewards = [Fraction(reward) for actions, reward in episodes if actions[: len(path)] == path]
            if rewards:
                worth[action] = sum(rewards) / len(rewards)
        for better, worse in itertools.permutations(worth, 2):
            margin = worth[better] - worth[worse]
            if margin > 0 and margin >= threshold:
                yield len(history), better, worse, round(float(margin), 6)


@given(EPISODES, st.sampled_from([Fraction(0), Fraction(1, 5), Fraction(3, 5)]))
def test_branches_against_a_slow_search(episodes: list[tuple[list[int], float]], threshold: Fraction) -> None:
    pairs, num_skipped = branch_pairs([played(*one) for one in episodes], threshold=float(threshold))
    assert num_skipped == 0
    found = [(p.turn, said(p)[0][0], said(p)[1][0], round(p.margin, 6)) for p in pairs]
    assert sorted(found) == sorted(slow_pairs(episodes, threshold))


@given(EPISODES, st.randoms(use_true_random=False))
def test_the_order_of_episodes_does_not_matter(
    episodes: list[tuple[list[int], float]], shuffler: random.Random
) -> None:
    def found(trajectories: list[Trajectory]) -> list[tuple[object, ...]]:
        return sorted((p.turn, *map(tuple, said(p)), round(p.margin, 6)) for p in branch_pairs(trajectories).pairs)

    trajectories = [played(*one) for one in episodes]
    shuffled = list(trajectories)
    shuffler.shuffle(shuffled)
    assert found(shuffled) == found(trajectories)


@given(EPISODES)
def test_the_sides_of_every_pair_differ_in_the_same_context(episodes: list[tuple[list[int], float]]) -> None:
    for pair in branch_pairs([played(*one) for one in episodes]).pairs:
        start = pair.chosen.loss_mask.argmax()
        assert np.array_equal(pair.chosen.token_ids[:start], pair.rejected.token_ids[:start])
        assert said(pair)[0] != said(pair)[1]
        assert pair.margin > 0
        pair.require_logprobs()


# Records


def test_identical_sides_are_refused() -> None:
    with pytest.raises(DataError, match="the same tokens; expected two different ones"):
        Pair(chosen=B.samples[0], rejected=C.samples[0])


def test_a_side_without_trained_tokens_is_refused() -> None:
    with pytest.raises(DataError, match="no trained token; expected at least 1"):
        Pair(chosen=A.samples[0], rejected=sample(([5], [])))


def test_sides_of_a_turn_in_different_contexts_are_refused() -> None:
    one, other = only_turn(A.samples[0], 1), only_turn(D.samples[0], 1)
    with pytest.raises(DataError, match="different contexts before turn 1"):
        Pair(chosen=one, rejected=other, turn=1)
    assert Pair(chosen=one, rejected=other).turn is None


def test_sides_without_stored_logprobs_are_refused_by_name() -> None:
    expert = sample(([5], [9, END]), version=-1)
    expert.logprobs = np.zeros(3, np.float32)
    unscored = sample(([5], [9, END]))
    unscored.logprobs = np.zeros(3, np.float32)
    for side in (expert, unscored):
        Pair(chosen=A.samples[0], rejected=D.samples[0]).require_logprobs()
        with pytest.raises(DataError, match=r"the chosen side .* type `--trainer\.reference model`"):
            Pair(chosen=side, rejected=D.samples[0]).require_logprobs()
        with pytest.raises(DataError, match="the rejected side"):
            Pair(chosen=D.samples[0], rejected=side).require_logprobs()


def test_what_an_expert_said_has_no_logprobs_of_the_policy() -> None:
    """A's first turn is the expert's: as a whole, and at that turn, it cannot be compared with what D sampled."""
    led = A.model_copy(update={"turns": [A.turns[0].model_copy(update={"role": "expert"}), A.turns[1]]})
    (whole,), _ = all_pairs([led, D])
    assert whole.by_expert == (True, False)
    first, second = branch_pairs([led, B, C, D]).pairs
    assert (first.by_expert, second.by_expert) == ((True, False), (False, False))
    second.require_logprobs()
    for pair in (whole, first):
        with pytest.raises(DataError, match="the chosen side of a preference pair has no stored log-probabilities"):
            pair.require_logprobs()


# Rejection sampling


class Scripted(random.Random):
    """Draws these numbers."""

    def __init__(self, *draws: float) -> None:
        super().__init__(0)
        self.draws = list(draws)

    def random(self) -> float:
        return self.draws.pop(0)


def test_rejection_sampling_by_hand() -> None:
    """Rewards 0, 1, .5 and beta .5: chances e^-2 = .135, 1, e^-1 = .368; then, without the best, e^-1 and 1."""
    draws = Scripted(0.2, 0.9, 0.4, 0.36, 0.99)
    # pass 1: .2 > .135 no; .9 < 1 yes; .4 > .368 no. pass 2, best .5: .36 < .368 yes, .99 < 1 yes
    assert rso_accept([0.0, 1.0, 0.5], beta=0.5, num=3, rng=draws) == [1, 0, 2]
    assert draws.draws == []
    assert rso_accept([0.0, 1.0, 0.5], beta=0.5, num=1, rng=Scripted(0.1)) == [0]
    assert rso_accept([], beta=0.5, num=0, rng=Scripted()) == []


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot accept 3 of 2"):
        rso_accept([0.0, 1.0], beta=0.5, num=3, rng=random.Random(0))
    for beta in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="expected a positive number"):
            rso_accept([0.0, 1.0], beta=beta, num=1, rng=random.Random(0))


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=8), st.floats(0.01, 5), st.data())
def test_as_many_as_asked_for_are_accepted_and_none_twice(
    rewards: list[float], beta: float, data: st.DataObject
) -> None:
    num = data.draw(st.integers(0, len(rewards)))
    accepted = rso_accept(rewards, beta=beta, num=num, rng=random.Random(0))
    assert len(accepted) == len(set(accepted)) == num


def test_the_acceptance_rate() -> None:
    """Of a pair with the better one last, the worse one comes first with probability exp(-.5 / .5) = .36788."""
    rng, num = random.Random(7), 4000
    first = Counter(rso_accept([0.0, 0.5], beta=0.5, num=1, rng=rng)[0] for _ in range(num))
    rate = math.exp(-1)
    assert abs(first[0] - num * rate) < 3 * math.sqrt(num * rate * (1 - rate))


def test_what_is_accepted_is_distributed_as_the_tilted_policy() -> None:
    """π = (.5, .3, .2), rewards 0, .5, 1, beta .5: π exp(r / β) = .5, .8154845, 1.4778112 over 2.7932957."""
    policy, rewards, rng = [0.5, 0.3, 0.2], [0.0, 0.5, 1.0], random.Random(3)
    accepted: Counter[int] = Counter()
    for _ in range(3000):
        kinds = rng.choices(range(3), policy, k=40)
        accepted[kinds[rso_accept([rewards[kind] for kind in kinds], beta=0.5, num=1, rng=rng)[0]]] += 1
    expected = [3000 * share / 2.7932957 for share in (0.5, 0.8154845, 1.4778112)]
    chi_square = sum((accepted[kind] - expected[kind]) ** 2 / expected[kind] for kind in range(3))
    assert chi_square < 9.21  # 2 degrees of freedom: exceeded once in 100


def test_safety_comes_first_and_then_helpfulness() -> None:
    """3/2 - 1/2 - .3, 3/2 - .3, -1/2 - .3, -.3: below 0 the less helpful one is preferred."""
    labels = [bi_factorial_label(*safe, alpha=0.3) for safe in itertools.product((True, False), repeat=2)]
    assert labels == pytest.approx([0.7, 1.2, -0.8, -0.3])
