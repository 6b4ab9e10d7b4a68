"""Tries of rows: every token once, below its ancestors and nothing else, and none lost."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agentgym.learn.batch import microbatches
from agentgym.learn.prefixes import Branch, Trie, chunks, num_distinct, plant
from tests.kit import row

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=9)
"""Of three tokens, so that many begin alike."""


def tokens(*sequences: list[int]) -> list[NDArray[np.int32]]:
    return [np.asarray(sequence, np.int32) for sequence in sequences]


def planted(*sequences: list[int], block: int = 1) -> Trie | None:
    """With the last token of each sequence, doubled, as the target of every one of its tokens."""
    targets = [2 * sequence[-1] for sequence in sequences for _ in sequence]
    return plant(tokens(*sequences), np.ones(len(targets), np.bool_), np.asarray(targets), block=block)


def told(trie: Trie | None, *sequences: list[int]) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Its tokens and its branches."""
    assert trie is not None
    flat = torch.tensor([token for sequence in sequences for token in sequence])
    return flat[trie.first_S].tolist(), [(branch.start, branch.end, branch.stop) for branch in trie.branches]


def test_equal_rows_are_one() -> None:
    rows = [5, 6, 7], [5, 6, 7]
    assert told(planted(*rows), *rows) == ([5, 6, 7], [(0, 3, 3)])


def test_a_row_that_another_begins_with_adds_nothing() -> None:
    rows = [5, 6, 7], [5, 6], [5, 6, 7, 8]
    assert told(planted(*rows), *rows) == ([5, 6, 7, 8], [(0, 4, 4)])


def test_a_row_that_others_begin_with_may_part_them() -> None:
    rows = [5, 6, 8], [5, 6], [5, 6, 7, 7]
    assert told(planted(*rows), *rows) == ([5, 6, 7, 7, 8], [(0, 2, 5), (2, 4, 4), (4, 5, 5)])


def test_rows_that_share_nothing_have_no_trie() -> None:
    assert planted([5, 6], [6, 5], [7]) is None


def test_three_levels_by_hand() -> None:
    """1 2 goes on as 3, which goes on as 4 and as 5 5, and as 6; 9 is alone."""
    rows = [9], [1, 2, 6], [1, 2, 3, 5, 5], [1, 2, 3, 4]
    trie = planted(*rows)
    branches = [(0, 2, 7), (2, 3, 6), (3, 4, 4), (4, 6, 6), (6, 7, 7), (7, 8, 8)]
    assert told(trie, *rows) == ([1, 2, 3, 4, 5, 5, 6, 9], branches)
    assert trie is not None
    assert trie.places_T.tolist() == [7, 0, 1, 6, 0, 1, 2, 4, 5, 0, 1, 2, 3]


@pytest.mark.parametrize(("block", "num"), [(1, 7), (2, 8), (3, 7), (4, 10)])
def test_tokens_are_shared_in_whole_blocks(block: int, num: int) -> None:
    rows = [1, 1, 1, 2, 2], [1, 1, 1, 3, 3]
    assert num_distinct(tokens(*rows), block=block) == num
    trie = planted(*rows, block=block)
    assert (trie is None) == (num == 10)
    if trie is not None:
        assert len(trie.first_S) == num


def test_what_is_predicted_alike_at_one_place_is_predicted_once() -> None:
    """Two rows of one token, of which one is to be followed by 4 and two by 8: two predictions, for three rows."""
    trie = plant(tokens([1], [1], [1]), np.ones(3, np.bool_), np.asarray([8, 4, 8]))
    assert trie is None  # less than a block
    trie = plant(tokens([1], [1], [1]), np.ones(3, np.bool_), np.asarray([8, 4, 8]), block=1)
    assert trie is not None
    assert (trie.chosen_U.tolist(), trie.inverse_N.tolist()) == ([1, 0], [1, 0, 1])


def test_only_what_is_trained_is_predicted() -> None:
    trie = plant(tokens([1, 2], [1, 3]), np.asarray([True, False, False, True]), np.asarray([8, 4]), block=1)
    assert trie is not None
    assert (trie.chosen_U.tolist(), trie.inverse_N.tolist()) == ([0, 1], [0, 1])


def visible(branches: list[Branch]) -> NDArray[np.bool_]:
    """[S, S]: what each token sees, from what each branch says of itself."""
    size = branches[-1].end
    seen_SS = np.zeros((size, size), np.bool_)
    for branch in branches:
        seen_SS[branch.end : branch.stop, branch.start : branch.end] = True
        for place in range(branch.start, branch.end):
            seen_SS[place, branch.start : place + 1] = True
    return seen_SS


@given(SEQUENCES)
def test_a_token_sees_what_it_sees_in_each_of_its_rows(sequences: list[list[int]]) -> None:
    prefixes = {tuple(sequence[:n]) for sequence in sequences for n in range(1, len(sequence) + 1)}
    assert num_distinct(tokens(*sequences), block=1) == len(prefixes)
    trie = planted(*sequences)
    assert (trie is None) == (len(prefixes) == sum(map(len, sequences)))
    if trie is None:
        return
    flat = np.concatenate(sequences)
    assert len(trie.first_S) == len(prefixes)
    places_T = trie.places_T.numpy()
    assert np.array_equal(flat[trie.first_S.numpy()][places_T], flat)
    assert [branch.start for branch in trie.branches[1:]] == [branch.end for branch in trie.branches[:-1]]
    seen_SS = visible(trie.branches)
    for places in np.split(places_T, np.cumsum([len(sequence) for sequence in sequences])[:-1]):
        for depth in range(len(places)):
            assert sorted(places[: depth + 1]) == np.flatnonzero(seen_SS[places[depth]]).tolist()


@given(SEQUENCES, st.integers(1, 3))
def test_predictions_of_all_rows_are_found_again(sequences: list[list[int]], block: int) -> None:
    trie = planted(*sequences, block=block)
    if trie is None:
        return
    targets_N = np.asarray([2 * sequence[-1] for sequence in sequences for _ in sequence])
    pairs = list(zip(trie.places_T.tolist(), targets_N.tolist(), strict=True))
    chosen = [pairs[n] for n in trie.chosen_U]
    assert len(set(chosen)) == len(chosen)
    assert [chosen[u] for u in trie.inverse_N] == pairs


@st.composite
def units(draw: Any) -> tuple[list[list[int]], list[list[int]]]:
    """Sequences, and which of them stay together."""
    sequences = draw(SEQUENCES)
    ends = sorted(draw(st.sets(st.integers(1, len(sequences)))) | {len(sequences)})
    order = draw(st.permutations(range(len(sequences))))
    return sequences, [order[start:end] for start, end in itertools.pairwise([0, *ends])]


@given(units(), st.integers(1, 30), st.integers(1, 2))
def test_parts_hold_every_unit_once_and_whole_and_are_not_too_large(
    made: tuple[list[list[int]], list[list[int]]], max_tokens: int, block: int
) -> None:
    sequences, together = made
    parts = list(chunks(together, tokens(*sequences), max_tokens=max_tokens, block=block))
    assert sorted(i for part in parts for i in part) == list(range(len(sequences)))
    for unit in together:
        (part,) = [part for part in parts if unit[0] in part]
        start = part.index(unit[0])
        assert part[start : start + len(unit)] == unit
    for part in parts:
        size = num_distinct([tokens(*sequences)[i] for i in part], block=block)
        assert size <= max_tokens or sorted(part) in [sorted(unit) for unit in together]


@pytest.mark.parametrize("max_tokens", [8, 10, 11])
def test_what_fits_a_part_is_not_torn(max_tokens: int) -> None:
    """Three families of 6 tokens each: a part takes no row of the next one, though there is room for one or two."""
    sequences = tokens(*([n, n, n, other] for n in (1, 2, 3) for other in (7, 8, 9)))
    parts = list(chunks([[i] for i in range(9)], sequences, max_tokens=max_tokens, block=1))
    assert parts == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_what_does_not_fit_a_part_is_torn_as_late_as_possible_where_least_is_shared() -> None:
    """A prefix of 4 with four leaves of 2; of these the first two share one more."""
    sequences = tokens(*([5, 5, 5, 5, *leaf] for leaf in ([1, 2], [1, 3], [2, 2], [3, 3])))
    assert list(chunks([[0], [1], [2], [3]], sequences, max_tokens=9, block=1)) == [[0, 1, 2], [3]]
    assert list(chunks([[0], [1], [2], [3]], sequences, max_tokens=7, block=1)) == [[0, 1], [2], [3]]


def test_microbatches_have_tries_only_where_that_is_wanted_and_something_is_shared() -> None:
    rows = [row(40, 1), row(40, 1), row(30, 2)]
    (batch,) = microbatches(rows, [1.0] * 3, max_tokens=200, shares=True)
    assert batch.trie is not None
    assert len(batch.trie.first_S) == sum(batch.lengths) - 32
    (alone,) = microbatches(rows[1:], [1.0] * 2, max_tokens=200, shares=True)
    assert alone.trie is None
    (flat,) = microbatches(rows, [1.0] * 3, max_tokens=200)
    assert flat.trie is None
    assert len(list(microbatches(rows, [1.0] * 3, max_tokens=80))) == 2
    assert len(list(microbatches(rows, [1.0] * 3, max_tokens=80, shares=True))) == 1


def test_a_trie_goes_where_its_microbatch_goes() -> None:
    (batch,) = microbatches([row(40, 1)] * 2, [1.0] * 2, max_tokens=200, shares=True)
    moved = batch.to(torch.device("meta")).trie
    assert batch.trie is not None
    assert moved is not None
    assert moved.branches == batch.trie.branches
    assert {x.device.type for x in (moved.first_S, moved.places_T, moved.chosen_U, moved.inverse_N)} == {"meta"}
