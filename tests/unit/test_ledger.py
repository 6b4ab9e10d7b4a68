"""Each ordinal once: what the audit counts and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import DataError
from agentgym.ledger import Entry, audit


def entry(ordinal: int, reason: str = "", update: int = 1) -> Entry:
    return Entry(ordinal=ordinal, task=ordinal, update=update, fate="rejected" if reason else "trained", reason=reason)


def test_an_entry_records_the_draw_and_an_older_line_had_none() -> None:
    whole = Entry(ordinal=0, task="a", options={"rung": 2}, level=2.0, strength=0.5, update=1, fate="trained")
    assert Entry.model_validate_json(whole.model_dump_json()) == whole
    older = Entry.model_validate_json('{"ordinal":0,"task":"a","update":1,"fate":"trained","reason":""}')
    assert (older.options, older.level, older.strength) == ({}, None, 0.0)


def test_fates_and_reasons_are_counted() -> None:
    entries = [entry(0), entry(2), entry(1, "void"), entry(3, "equal rewards"), entry(4, "void")]
    assert audit(entries) == {"trained": 2, "rejected: void": 2, "rejected: equal rewards": 1}
    assert audit(entries, until=5) == audit(entries)
    assert audit([]) == {}


def test_an_ordinal_that_is_there_twice_is_named() -> None:
    with pytest.raises(DataError, match="task ordinal 1 is in the ledger twice, in updates 1 and 7"):
        audit([entry(0), entry(1), entry(1, update=7)])


def test_an_ordinal_that_is_left_out_is_named() -> None:
    with pytest.raises(DataError, match="task ordinal 1 is not in the ledger: 2 of 4 are missing"):
        audit([entry(0), entry(3)])


def test_the_end_must_be_there_too() -> None:
    with pytest.raises(DataError, match="task ordinal 2 is not in the ledger: 3 of 5 are missing"):
        audit([entry(0), entry(1)], until=5)
    with pytest.raises(DataError, match="task ordinal 2 is in the ledger, there should be 2"):
        audit([entry(0), entry(1), entry(2)], until=2)


@given(st.permutations(range(8)), st.integers(0, 7), st.booleans())
def test_any_one_too_few_or_too_many_is_found(order: list[int], at: int, doubled: bool) -> None:
    entries = [entry(n) for n in order]
    assert audit(entries, until=8) == {"trained": 8}
    with pytest.raises(DataError, match=f"task ordinal {order[at]} "):
        audit([*entries, entries[at]] if doubled else entries[:at] + entries[at + 1 :], until=8)


def test_what_is_still_to_be_trained_is_not_missing_and_not_in_the_ledger() -> None:
    entries = [entry(0), entry(2)]
    assert audit(entries, until=4, pending=[1, 3]) == {"trained": 2}
    with pytest.raises(DataError, match="task ordinal 3 is not in the ledger"):
        audit(entries, until=4, pending=[1])
    with pytest.raises(DataError, match="task ordinal 2 is in the ledger, though it is still to be trained"):
        audit(entries, until=4, pending=[1, 2, 3])


@pytest.mark.parametrize(("ordinals", "until"), [((0, 10**15), None), ((0,), 10**15), ((0, 10**15), 10**15 + 1)])
def test_a_number_of_any_size_is_not_counted_to(ordinals: tuple[int, ...], until: int | None) -> None:
    """A damaged line, or a damaged state, may say any: a list of all before it would not fit the memory."""
    with pytest.raises(
        DataError, match=r"task ordinal 1 is not in the ledger: 99999999999999\d of 100000000000000\d are"
    ):
        audit([entry(ordinal) for ordinal in ordinals], until=until)
