"""Rows, weights and microbatches: no token is lost, doubled or weighed otherwise because of how they are cut."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.learn.aggregation import Aggregation, denominator, token_weights
from agentgym.learn.batch import microbatches
from agentgym.learn.rows import Row, rows_of, trained, unite, whole, write
from agentgym.types import Sample, Trajectory, Turn

AGGREGATIONS: tuple[Aggregation, ...] = ("token", "sequence", "constant")


def row(ids: list[int], mask: list[bool], salt: float = 0.0) -> Row:
    return Row(
        token_ids=ids,
        loss_mask=mask,
        behavior_logprobs=[salt - i for i in range(len(ids))],
        advantages=[salt + i / 10 for i in range(len(ids))],
    )


@st.composite
def rows(draw: Any) -> list[Row]:
    made = []
    for n in range(draw(st.integers(1, 6))):
        length = draw(st.integers(1, 12))
        mask = draw(st.lists(st.booleans(), min_size=length, max_size=length))
        made.append(row([100 * n + i for i in range(length)], mask, float(n)))
    return made


def test_a_row_of_a_sample_by_hand() -> None:
    sample = Sample(
        token_ids=[5, 6, 7, 2, 8, 9],
        loss_mask=[False, False, True, True, False, True],
        logprobs=[0.0, 0.0, -0.1, -0.2, 0.0, -0.3],
        turn_index=[0, 0, 0, 0, 1, 1],
        policy_versions=[-1, -1, 3, 3, -1, 3],
    )
    assert Row.of(sample, 2).advantages.tolist() == [2.0] * 6
    assert Row.of(sample, [2.0, -1.0]).advantages.tolist() == [2.0, 2.0, 2.0, 2.0, -1.0, -1.0]
    assert Row.of(sample, 1.0).behavior_logprobs is sample.logprobs
    assert Row.of(sample, 1.0).num_trained == 3


def test_what_an_expert_said_is_a_demonstration() -> None:
    """Of two turns the first is the expert's, in an episode of the policy; then in one of the expert."""
    sample = Sample(
        token_ids=[5, 6, 7, 8, 9],
        loss_mask=[False, True, False, True, True],
        logprobs=[0.0] * 5,
        turn_index=[0, 0, 1, 1, 1],
        policy_versions=[-1, -1, -1, 0, 0],  # of a policy that was never updated, which is no expert
    )
    led = Turn(observation="", reply="", role="expert")
    episode = Trajectory(env="x", task=0, seed=0, episode_id="e", turns=[led, Turn(observation="", reply="")])
    episode.samples = [sample]
    (row,) = rows_of(episode, [2.0, -1.0])
    assert row.role == "policy"
    assert row.demonstrations is not None
    assert row.demonstrations.tolist() == [False, True, False, False, False]
    assert row.advantages.tolist() == [2.0, 2.0, -1.0, -1.0, -1.0]
    assert episode.sampled(sample).tolist() == [False, False, False, True, True]
    (shown,) = rows_of(episode.model_copy(update={"role": "expert"}), 1.0)
    assert shown.role == "expert"
    assert shown.demonstrations is not None
    assert shown.demonstrations.tolist() == sample.loss_mask.tolist()
    (own,) = rows_of(episode.model_copy(update={"turns": [episode.turns[1]] * 2, "role": "partner"}), 1.0)
    assert (own.role, own.demonstrations) == ("partner", None)


def test_the_first_token_has_nothing_before_it_and_is_not_trained() -> None:
    assert row([1, 2], [True, True]).num_trained == 1


def test_weights_by_hand() -> None:
    """Rows of 1, 3 and 0 trained tokens."""
    three = [row([1, 2], [False, True]), row([1, 2, 3, 4], [False, True, True, True]), row([1, 2], [False, False])]
    assert token_weights(three, "token") == [0.25, 0.25, 0.0]
    assert token_weights(three, "sequence") == pytest.approx([1 / 2, 1 / 6, 0.0])
    assert token_weights(three, "constant", max_tokens=10) == [1 / 20, 1 / 20, 0.0]
    three[1].weight = 3.0
    assert token_weights(three, "token") == [0.25, 0.75, 0.0]
    assert token_weights(three, "sequence") == pytest.approx([1 / 2, 3 / 6, 0.0])
    assert token_weights(three, "constant", max_tokens=10) == [1 / 20, 3 / 20, 0.0]
    assert token_weights(three, "constant", total=5, max_tokens=10) == [1 / 50, 3 / 50, 0.0]
    assert token_weights(three, "token", total=8) == [0.125, 0.375, 0.0]
    with pytest.raises(ValueError, match="give max_tokens"):
        token_weights(three, "constant")


def test_an_episode_in_two_rows_counts_once() -> None:
    """One of 1 + 3 trained tokens and one of 2: the first counts for a quarter where its longer row is not."""
    short, long = row([1, 2], [False, True]), row([1, 2, 3, 4], [False, True, True, True])
    short.episode_tokens = long.episode_tokens = 4
    three = [short, long, row([1, 2, 3], [False, True, True])]
    assert [denominator(three, aggregation) for aggregation in AGGREGATIONS] == [6.0, 2.0, 2.0]
    assert [denominator(three[::2], aggregation) for aggregation in AGGREGATIONS] == [3.0, 1.25, 1.25]
    assert token_weights(three, "sequence") == [1 / 8, 1 / 8, 1 / 4]
    assert token_weights(three, "constant", max_tokens=10) == [1 / 20] * 3
    assert token_weights(three, "token") == [1 / 6] * 3
    assert token_weights(three[::2], "sequence") == pytest.approx([1 / 5, 2 / 5])


def test_rows_know_how_long_their_episode_is() -> None:
    """Two samples, of 3 and 1 trained tokens: the first token of a sample has nothing that predicts it."""
    columns: dict[str, Any] = {"turn_index": [0] * 4, "policy_versions": [0] * 4, "logprobs": [-1.0] * 4}
    samples = [
        Sample(token_ids=[5, 6, 7, 8], loss_mask=[True, True, True, True], **columns),
        Sample(token_ids=[5, 6, 7, 8], loss_mask=[False, False, False, True], **columns),
    ]
    episode = Trajectory(env="x", task=0, seed=0, episode_id="e", turns=[Turn(observation="", reply="")])
    episode.samples = samples
    made = rows_of(episode, 1.0)
    assert [(r.num_trained, r.episode_tokens, r.share) for r in made] == [(3, 4, 0.75), (1, 4, 0.25)]
    made[0].loss_mask = np.zeros(4, np.bool_)
    assert [(r.episode_tokens, r.share) for r in whole(made)] == [(1, 0.0), (1, 1.0)]
    episode.samples = samples[:1]
    assert [(r.episode_tokens, r.share) for r in rows_of(episode, 1.0)] == [(None, 1.0)]


@given(rows(), st.sampled_from(AGGREGATIONS))
def test_weights_sum_to_one_over_all_trained_tokens(made: list[Row], aggregation: Aggregation) -> None:
    """With "constant" to the mean number of trained tokens over the constant."""
    weights = token_weights(made, aggregation, max_tokens=7)
    total = sum(weight * r.num_trained for weight, r in zip(weights, made, strict=True))
    counts = [r.num_trained for r in made if r.num_trained]
    expected = sum(counts) / len(counts) / 7 if counts and aggregation == "constant" else 1.0
    assert total == pytest.approx(expected if counts else 0.0)


def test_a_microbatch_by_hand() -> None:
    two = [row([1, 2, 3], [False, False, True], 5.0), row([4, 5, 6, 7], [True, True, False, True], 7.0)]
    (batch,) = microbatches(two, [0.5, 0.25], max_tokens=100)
    assert batch.ids_T.tolist() == [4, 5, 6, 1, 2]  # longest first, each up to what predicts its last trained token
    assert batch.positions_T.tolist() == [0, 1, 2, 0, 1]
    assert batch.lengths == [3, 2]
    assert batch.predicts_T.tolist() == [True, False, True, False, True]
    assert batch.targets_N.tolist() == [5, 7, 3]
    assert batch.behavior_logprobs_N.tolist() == [6.0, 4.0, 3.0]
    assert batch.advantages_N.tolist() == pytest.approx([7.1, 7.3, 5.2])
    assert batch.weights_N.tolist() == [0.25, 0.25, 0.5]
    assert batch.rows_N.tolist() == [1, 1, 0]
    assert batch.sequences_N.tolist() == [0, 0, 1]
    assert batch.units_N.tolist() == [0, 0, 1]
    assert batch.demonstrations_N.tolist() == [False] * 3
    assert batch.units_B.tolist() == [-1, -1]
    assert batch.proximal_logprobs_N is batch.values_N is None


@pytest.mark.parametrize(
    ("max_tokens", "lengths"),
    [(9, [[4, 3, 2]]), (8, [[4, 3], [2]]), (7, [[4, 3], [2]]), (6, [[4], [3, 2]]), (3, [[4], [3], [2]])],
)
def test_a_microbatch_is_full_at_its_limit_and_not_before(max_tokens: int, lengths: list[list[int]]) -> None:
    """Rows of which 2, 4 and 3 tokens are needed; the longest is alone where not even it fits."""
    three = [row([1] * (n + 1), [False] * n + [True]) for n in (2, 4, 3)]
    assert [batch.lengths for batch in microbatches(three, [1.0] * 3, max_tokens=max_tokens)] == lengths


def test_a_unit_that_does_not_fit_is_alone_and_whole() -> None:
    """Two rows of 3 and 2 tokens, of one unit, and one of 4 between them."""
    three = [row([1] * (n + 1), [False] * n + [True]) for n in (3, 4, 2)]
    three[0].unit = three[2].unit = 7
    assert [batch.lengths for batch in microbatches(three, [1.0] * 3, max_tokens=4)] == [[3, 2], [4]]
    assert [batch.lengths for batch in microbatches(three, [1.0] * 3, max_tokens=9)] == [[3, 2, 4]]


def test_units_are_numbered_within_a_microbatch() -> None:
    """Rows 1 and 3 are one episode; the others are each their own. The longest unit is first."""
    four = [row([1, 2], [False, True]) for _ in range(4)]
    unite([[four[1], four[3]]])
    (batch,) = microbatches(four, [1.0] * 4, max_tokens=100)
    assert batch.rows_N.tolist() == [1, 3, 0, 2]
    assert batch.units_N.tolist() == [0, 0, 1, 2]
    assert batch.sequences_N.tolist() == [0, 1, 2, 3]
    assert [batch.units_N.tolist() for batch in microbatches(four, [1.0] * 4, max_tokens=2)] == [[0, 0], [0, 1]]


@given(rows(), st.integers(1, 60))
def test_every_trained_token_is_in_exactly_one_microbatch(made: list[Row], max_tokens: int) -> None:
    batches = list(microbatches(made, list(range(len(made))), max_tokens=max_tokens))
    found = sorted(token for batch in batches for token in batch.targets_N.tolist())
    expected = [t for r in made for t, m in list(zip(r.token_ids, r.loss_mask, strict=True))[1:] if m]
    assert found == sorted(expected)
    for batch in batches:
        assert len(batch.ids_T) == sum(batch.lengths) <= max_tokens or len(batch.lengths) == 1
        assert batch.predicts_T.sum() == len(batch.targets_N) > 0


@given(rows(), st.integers(1, 60))
def test_what_stands_beside_a_token_is_its_own(made: list[Row], max_tokens: int) -> None:
    """Ids tell row and position: 100 * row + position."""
    for batch in microbatches(made, [float(i) for i in range(len(made))], max_tokens=max_tokens):
        where, position = batch.targets_N // 100, batch.targets_N % 100
        assert torch.equal(batch.rows_N, where)
        assert torch.equal(batch.weights_N, where.float())
        assert torch.allclose(batch.behavior_logprobs_N, where - position.float())
        assert torch.allclose(batch.advantages_N, where + position / 10)
        before = batch.ids_T[batch.predicts_T]
        assert torch.equal(before, batch.targets_N - 1)


OPTIONAL = ("proximal_logprobs", "reference_logprobs", "values", "returns")
WHOLE = ("ids_T", "positions_T", "targets_N", "rows_N", "sequences_N", "units_N", "units_B")
TRUTHS = ("predicts_T", "demonstrations_N")


def slow_cut(rows: list[Row], max_tokens: int) -> list[list[int]]:
    """Which rows are in which microbatch."""
    needed = [max((t for t in range(1, len(r.token_ids)) if r.loss_mask[t]), default=0) for r in rows]
    units: dict[Any, list[int]] = {}
    for i, r in enumerate(rows):
        if needed[i]:
            units.setdefault(("row", i) if r.unit is None else r.unit, []).append(i)
    chunks: list[list[int]] = []
    for unit in sorted(units.values(), key=lambda unit: -sum(needed[i] for i in unit)):
        if not chunks or sum(needed[i] for i in chunks[-1] + unit) > max_tokens:
            chunks.append([])
        chunks[-1] += unit
    return chunks


def slow_microbatch(rows: list[Row], weights: list[float], chunk: list[int]) -> dict[str, list[Any]]:
    """What the microbatch of the rows ``chunk`` holds, by name: lists, one token at a time."""
    made: dict[str, list[Any]] = {name: [] for name in ("lengths", "units_B")}

    def add(**values: Any) -> None:
        for name, value in values.items():
            made.setdefault(name, []).append(value)

    numbers: dict[Any, int] = {}
    for sequence, i in enumerate(chunk):
        r = rows[i]
        number = numbers.setdefault(("row", i) if r.unit is None else r.unit, len(numbers))
        places = [t for t in range(1, len(r.token_ids)) if r.loss_mask[t]]
        add(lengths=places[-1], units_B=-1 if r.unit is None else r.unit)
        for t in range(places[-1]):
            add(ids_T=r.token_ids[t], positions_T=t, predicts_T=t + 1 in places)
        for t in places:
            add(targets_N=r.token_ids[t], behavior_logprobs_N=r.behavior_logprobs[t], advantages_N=r.advantages[t])
            add(weights_N=weights[i], rows_N=i, sequences_N=sequence, units_N=number)
            add(demonstrations_N=r.demonstrations is not None and r.demonstrations[t])
            add(**{f"{name}_N": getattr(r, name)[t] for name in OPTIONAL if getattr(r, name) is not None})
    return made


_TOLD = ("lengths", "media", "episodes", "highest")
"""What a microbatch has for each sequence as it is in the rows, or for all of them."""


@settings(max_examples=40)
@given(rows(), st.data(), st.integers(1, 60))
def test_against_lists_and_one_token_at_a_time(made: list[Row], data: st.DataObject, max_tokens: int) -> None:
    """Whatever rows bring along, in units and with weights: the same tensors, to the bit."""
    present = data.draw(st.sets(st.sampled_from(OPTIONAL)))
    for r in made:
        num = len(r.token_ids)
        r.unit = data.draw(st.none() | st.integers(0, 2))
        for name in sorted(present):
            column = data.draw(st.lists(st.floats(-9, 9), min_size=num, max_size=num))
            setattr(r, name, np.array(column, np.float64 if name == "returns" else np.float32))
        if data.draw(st.booleans()):
            r.demonstrations = np.array(data.draw(st.lists(st.booleans(), min_size=num, max_size=num)))
    weights = data.draw(st.lists(st.floats(0, 1), min_size=len(made), max_size=len(made)))
    found = list(microbatches(made, weights, max_tokens=max_tokens))
    chunks = slow_cut(made, max_tokens)
    assert len(found) == len(chunks)
    for batch, chunk in zip(found, chunks, strict=True):
        expected = slow_microbatch(made, weights, chunk)
        assert batch.lengths == expected.pop("lengths")
        assert batch.highest == max(max(made[i].token_ids[: made[i].num_needed + 1]) for i in chunk)
        held = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch) if f.name not in _TOLD}
        assert {name for name, value in held.items() if value is not None} == set(expected)
        for name, values in expected.items():
            dtype = torch.int64 if name in WHOLE else torch.bool if name in TRUTHS else torch.float32
            assert torch.equal(
                held[name], torch.tensor([value.item() for value in map(np.asarray, values)], dtype=dtype)
            )
            assert held[name].dtype == dtype


@given(rows())
def test_numbers_of_a_microbatch_go_back_to_their_rows(made: list[Row]) -> None:
    found: dict[int, list[int]] = {}
    for batch in microbatches(made, [1.0] * len(made), max_tokens=20):
        found |= {i: part.tolist() for i, part in batch.per_row(batch.targets_N)}
    assert found == {i: r.token_ids[r.places].tolist() for i, r in enumerate(made) if r.num_trained}


@given(rows())
def test_what_is_written_is_where_it_was_read(made: list[Row]) -> None:
    before = [r.advantages.tolist() for r in made]
    expected = [a for r in made for a, m in list(zip(r.advantages.tolist(), r.loss_mask, strict=True))[1:] if m]
    values_N = trained(made, "advantages")
    assert values_N.tolist() == expected
    write(made, "advantages", 2 * values_N)
    assert trained(made, "advantages").tolist() == [2 * value for value in expected]
    for r, old in zip(made, before, strict=True):
        others = [t for t in range(len(old)) if not t or not r.loss_mask[t]]
        assert r.advantages[others].tolist() == [old[t] for t in others]


def test_nothing_to_train_on_is_no_microbatch() -> None:
    assert list(microbatches([row([1, 2], [False, False])], [0.0], max_tokens=10)) == []
    assert list(microbatches([], [], max_tokens=10)) == []


def test_nothing_behind_the_last_trained_token_is_computed() -> None:
    assert row([1, 2, 3, 4], [True, True, False, False]).num_needed == 1
    assert row([1, 2, 3, 4], [False, False, False, True]).num_needed == 3
    assert row([1, 2, 3, 4], [True, False, False, False]).num_needed == 0
    assert row([1], [True]).num_needed == 0


def test_what_rows_bring_along_goes_with_their_tokens() -> None:
    two = [row([1, 2, 3], [False, True, False]), row([4, 5, 6, 7], [False, False, True, True])]
    for r, start in zip(two, (10.0, 20.0), strict=True):
        r.proximal_logprobs = start + np.arange(len(r.token_ids), dtype=np.float32)
        r.returns = -start - np.arange(len(r.token_ids), dtype=np.float64)
    two[1].demonstrations = np.array([False, True, False, True])
    (batch,) = microbatches(two, [1.0, 1.0], max_tokens=100)
    assert batch.proximal_logprobs_N is not None
    assert batch.proximal_logprobs_N.tolist() == [22.0, 23.0, 11.0]
    assert batch.returns_N is not None
    assert batch.returns_N.tolist() == [-22.0, -23.0, -11.0]
    assert batch.reference_logprobs_N is None
    assert batch.demonstrations_N.tolist() == [False, True, False]
    moved = batch.to(torch.device("meta"))
    assert moved.proximal_logprobs_N is not None
    assert {moved.ids_T.device.type, moved.proximal_logprobs_N.device.type, moved.units_B.device.type} == {"meta"}
    assert (moved.values_N, moved.lengths) == (None, batch.lengths)


def test_rows_that_do_not_agree_on_what_they_bring_are_refused() -> None:
    two = [row([1, 2], [False, True]), row([3, 4], [False, True]), row([5, 6], [False, False])]
    two[0].values = np.array([0.0, 1.0], np.float32)
    with pytest.raises(ValueError, match="1 of 2 rows have values; expected all of them or none"):
        list(microbatches(two, [1.0] * 3, max_tokens=100))


@given(rows(), st.data(), st.integers(1, 40))
def test_units_stay_whole_and_in_order(made: list[Row], data: st.DataObject, max_tokens: int) -> None:
    for r in made:
        r.unit = data.draw(st.one_of(st.none(), st.integers(0, 2)))
    first = list(microbatches(made, [1.0] * len(made), max_tokens=max_tokens))
    place: dict[int, tuple[int, int]] = {}
    for number, batch in enumerate(first):
        order = list(dict.fromkeys(batch.rows_N.tolist()))
        assert batch.units_B.tolist() == [-1 if made[i].unit is None else made[i].unit for i in order]
        assert torch.equal(torch.tensor(order)[batch.sequences_N], batch.rows_N)
        place |= {i: (number, at) for at, i in enumerate(order)}
    for unit in {r.unit for r in made} - {None}:
        members = [place[i] for i, r in enumerate(made) if r.unit == unit and r.num_trained]
        assert len({number for number, _ in members}) <= 1
        assert [at for _, at in members] == list(range(members[0][1], members[0][1] + len(members)) if members else [])
    again = list(microbatches(made, [1.0] * len(made), max_tokens=max_tokens))
    assert [batch.rows_N.tolist() for batch in first] == [batch.rows_N.tolist() for batch in again]
