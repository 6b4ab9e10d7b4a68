"""Columns: what they are made from and what they refuse, in Python and in JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agentgym.columns import Bools, Doubles, Floats, Ints, Record


class Four(Record):
    """One column of each type."""

    ints: Ints
    bools: Bools
    floats: Floats
    doubles: Doubles | None = None


GIVEN: dict[str, Any] = {"ints": [1, -2], "bools": [True, False], "floats": [0.5, 1], "doubles": [0.1, 1]}


@pytest.mark.parametrize("make", [lambda g: Four(**g), lambda g: Four.model_validate_json(json.dumps(g))])
def test_lists_become_arrays_of_the_declared_types(make: Any) -> None:
    made = make(GIVEN)
    types = [column.dtype for column in (made.ints, made.bools, made.floats, made.doubles)]
    assert types == [np.int32, np.bool_, np.float32, np.float64]
    assert json.loads(made.model_dump_json()) == made.model_dump() == GIVEN
    empty = make({name: [] for name in GIVEN})
    assert [column.dtype for column in (empty.ints, empty.bools, empty.floats, empty.doubles)] == types


def test_an_array_of_the_type_is_taken_as_it_is() -> None:
    ints = np.array([3, 4], np.int32)
    assert Four(**{**GIVEN, "ints": ints}).ints is ints
    assert Four(**{**GIVEN, "ints": ints.astype(np.int64)}).ints.dtype == np.int32


BAD: list[tuple[str, Any]] = [
    ("ints", [2**31]),
    ("ints", [-(2**40)]),
    ("ints", [2**70]),
    ("ints", [1.5]),
    ("ints", [None]),
    ("ints", ["a"]),
    ("ints", [[1]]),
    ("ints", [1, [2]]),
    ("ints", {"a": 1}),
    ("ints", 7),
    ("ints", None),
    ("bools", [2]),
    ("bools", [0.5]),
    ("floats", ["a"]),
    ("floats", [[0.5]]),
    ("doubles", ["a"]),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_is_no_such_column_is_refused(name: str, value: Any) -> None:
    for make in (lambda g: Four(**g), lambda g: Four.model_validate_json(json.dumps(g))):
        with pytest.raises(ValidationError, match=name):
            make({**GIVEN, name: value})


def test_a_refusal_says_what_was_found_and_what_was_expected() -> None:
    with pytest.raises(ValidationError, match="expected a list of int32, found one of float64"):
        Four(**{**GIVEN, "ints": [1.5]})
    with pytest.raises(ValidationError, match="expected a list of bool, found list in 2 dimensions"):
        Four(**{**GIVEN, "bools": [[True]]})
    for make in (lambda g: Four(**g), lambda g: Four.model_validate_json(json.dumps(g))):
        with pytest.raises(ValidationError, match=r"expected numbers that fit int32, found some .*2147483648"):
            make({**GIVEN, "ints": [2**31, 5]})


def test_too_large_for_a_float_is_infinite() -> None:
    assert np.isinf(Four(**{**GIVEN, "floats": [1e300]}).floats).all()
    assert np.isinf(Four.model_validate_json(json.dumps({**GIVEN, "floats": [1e300]})).floats).all()


def test_records_are_equal_where_every_entry_is() -> None:
    one = Four(**GIVEN)
    assert one == Four(**GIVEN)
    for name, other in {"ints": [1, 2], "bools": [True], "floats": [], "doubles": None}.items():
        assert one != Four(**{**GIVEN, name: other})
    assert one != GIVEN
    assert [one] == [Four(**GIVEN)]


@given(st.lists(st.integers(-(2**31), 2**31 - 1)), st.lists(st.floats(width=32, allow_nan=False)))
def test_json_brings_back_the_same(ints: list[int], floats: list[float]) -> None:
    record = Four(ints=ints, bools=[n > 0 for n in ints], floats=floats)
    finite = [number for number in floats if np.isfinite(number)]  # JSON has no infinity
    record.floats = np.array(finite, np.float32)
    assert Four.model_validate_json(record.model_dump_json()) == record
