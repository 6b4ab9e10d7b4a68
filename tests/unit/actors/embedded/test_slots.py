"""The memory of keys and values: how it grows, and what is in it where."""

from __future__ import annotations

import pytest
import torch

from agentgym.actors.embedded.slots import SlotCache


def begun(cache: SlotCache, *places: int, rows: slice | None = None) -> None:
    """The next token of each row, from slot 0 on, stands at its place."""
    positions_RQ = torch.tensor(places)[:, None]
    cache.begin(slice(0, len(places)) if rows is None else rows, positions_RQ, max(places) + 1)


def stored(cache: SlotCache, *values: float) -> torch.Tensor:
    """Keys of one head and one number, the values twice them; returns the visible keys [R, L]."""
    keys_RHQD = torch.tensor(values)[:, None, None, None]
    keys, doubled = cache.update(keys_RHQD, 2 * keys_RHQD, 0)
    assert torch.equal(doubled, 2 * keys)
    return keys[:, 0, :, 0]


@pytest.mark.parametrize(
    ("max_length", "places", "lengths"),
    [(1000, [0, 127, 128, 255, 900], [128, 128, 256, 256, 901]), (200, [0, 128, 199], [128, 200, 200]), (7, [6], [7])],
)
def test_it_doubles_as_it_is_needed_and_stays_within_the_context(
    max_length: int, places: list[int], lengths: list[int]
) -> None:
    cache, found = SlotCache(2, max_length), []
    for place in places:
        begun(cache, place)
        found.append(cache.length)
    assert found == lengths


def test_there_is_memory_for_as_many_slots_as_were_needed_and_not_for_all_that_there_may_be() -> None:
    cache, found = SlotCache(11, 10), []
    for rows in (slice(0, 3), slice(0, 2), slice(3, 4), torch.tensor([6, 2]), slice(0, 11)):
        num = len(rows) if isinstance(rows, torch.Tensor) else rows.stop - (rows.start or 0)
        cache.begin(rows, torch.zeros(num, 1, dtype=torch.long), 1)
        stored(cache, *[1.0] * num)
        found.append(cache.keys_SHLD[0].shape[0])
    assert found == [3, 3, 6, 11, 11]
    copied = SlotCache(4, 10)
    begun(copied, 0)
    stored(copied, 5.0)
    copied.copy(0, 3, 1)
    assert copied.keys_SHLD[0][3, 0, 0, 0] == 5.0


def test_there_is_room_for_who_writes_beyond_what_is_read() -> None:
    cache = SlotCache(2, 1000)
    cache.begin(slice(0, 2), torch.tensor([[200], [3]]), 4)
    assert cache.length == 201
    assert stored(cache, 1.0, 2.0).shape == (2, 4)


def test_what_was_stored_is_there_after_it_grew() -> None:
    cache = SlotCache(2, 1000)
    begun(cache, 0, 0)
    assert stored(cache, 1.0, 2.0).tolist() == [[1.0], [2.0]]
    begun(cache, 128, 1)
    found = stored(cache, 3.0, 4.0)
    assert found[:, [0, 1, 128]].tolist() == [[1.0, 0.0, 3.0], [2.0, 4.0, 0.0]]


def test_scattered_slots_are_read_in_the_order_that_was_asked() -> None:
    cache = SlotCache(3, 10)
    begun(cache, 0, 0, 0)
    stored(cache, 1.0, 2.0, 3.0)
    cache.begin(torch.tensor([2, 0]), torch.tensor([[1], [1]]), 2)
    assert stored(cache, 5.0, 6.0).tolist() == [[3.0, 5.0], [1.0, 6.0]]
    begun(cache, 1, rows=slice(1, 2))
    assert stored(cache, 7.0).tolist() == [[2.0, 7.0]]
    assert cache.keys_SHLD[0][:, 0, 1, 0].tolist() == [6.0, 7.0, 5.0]


def test_a_copy_has_the_first_tokens_and_no_more() -> None:
    cache = SlotCache(2, 10)
    for place, (one, other) in enumerate([(1.0, 7.0), (2.0, 8.0), (3.0, 9.0)]):
        begun(cache, place, place)
        stored(cache, one, other)
    cache.copy(0, 1, 2)
    begun(cache, 3, 3)
    assert stored(cache, 4.0, 5.0).tolist() == [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 9.0, 5.0]]
