"""Columns: fields that hold a one-dimensional numpy array of a declared type.

Such a field is given an array or a list, holds an array, and is dumped as a list, so that its JSON is that of a list.
An array that has the type already is not copied.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

__all__ = ["Bools", "Doubles", "Floats", "Ints", "Record"]

_TAKEN = {"i": "iu", "b": "b", "f": "fiu"}
"""Kinds of numbers that a column of each kind is made from, as numpy names them."""


def _column(value: Any, dtype: type[np.generic]) -> NDArray[Any]:
    """``value`` as an array of ``dtype``. Raises ValueError unless each of its numbers is one of that type's."""
    array, wanted = np.asarray(value), np.dtype(dtype)
    if array.ndim != 1:
        raise ValueError(f"expected a list of {wanted}, found {type(value).__name__} of {array.ndim} dimensions")
    if array.dtype == wanted:
        return array
    if array.size and array.dtype.kind not in _TAKEN[wanted.kind]:
        raise ValueError(f"expected a list of {wanted}, found one of {array.dtype}")
    with np.errstate(over="ignore"):  # too large for a float is infinite
        made = array.astype(wanted)
    if wanted.kind == "i" and not np.array_equal(made, array):
        raise ValueError(f"expected numbers that fit {wanted}, found some from {array.min()} to {array.max()}")
    return made


def _listed(column: NDArray[Any]) -> list[Any]:
    listed: list[Any] = column.tolist()
    return listed


_INTEGERS = {"type": "array", "items": {"type": "integer"}}
_NUMBERS = {"type": "array", "items": {"type": "number"}}
_TRUTHS = {"type": "array", "items": {"type": "boolean"}}

Ints: TypeAlias = Annotated[
    NDArray[np.int32],
    PlainValidator(partial(_column, dtype=np.int32)),
    PlainSerializer(_listed, return_type=list[int]),
    WithJsonSchema(_INTEGERS),
]
"""A column of int32."""
Bools: TypeAlias = Annotated[
    NDArray[np.bool_],
    PlainValidator(partial(_column, dtype=np.bool_)),
    PlainSerializer(_listed, return_type=list[bool]),
    WithJsonSchema(_TRUTHS),
]
"""A column of booleans."""
Floats: TypeAlias = Annotated[
    NDArray[np.float32],
    PlainValidator(partial(_column, dtype=np.float32)),
    PlainSerializer(_listed, return_type=list[float]),
    WithJsonSchema(_NUMBERS),
]
"""A column of float32: what a model said."""
Doubles: TypeAlias = Annotated[
    NDArray[np.float64],
    PlainValidator(partial(_column, dtype=np.float64)),
    PlainSerializer(_listed, return_type=list[float]),
    WithJsonSchema(_NUMBERS),
]
"""A column of float64: what is computed from it before it becomes a tensor."""


class Record(BaseModel):
    """A record whose fields may be columns: two are equal where all their fields are, to the last entry."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in type(self).model_fields
        )
