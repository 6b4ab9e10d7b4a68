"""Columns: fields that hold a one-dimensional numpy array of a declared type.

Such a field is given an array or a list, holds an array, and is dumped as a list, so that its JSON is that of a list.
An array that has the type already is not copied.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["Bools", "Doubles", "Floats", "Ints", "Record"]

_TAKEN = {"i": "iu", "b": "b", "f": "fiu"}
"""Kinds of numbers that a column of each kind is made from, as numpy names them."""


@dataclasses.dataclass(frozen=True)
class _Column:
    """How such a field is read and written."""

    dtype: np.dtype[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number: dict[str, CoreSchema] = {
            "i": core_schema.int_schema(),
            "b": core_schema.bool_schema(),
            "f": core_schema.float_schema(),
        }
        listed = core_schema.list_schema(number[self.dtype.kind])
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(self._from_list, listed),
            python_schema=core_schema.no_info_plain_validator_function(self._from),
            serialization=core_schema.plain_serializer_function_ser_schema(np.ndarray.tolist, return_schema=listed),
        )

    def _from_list(self, numbers: list[Any]) -> NDArray[Any]:
        try:
            with np.errstate(over="ignore"):  # too large for a float is infinite
                return np.fromiter(numbers, self.dtype, len(numbers))
        except OverflowError:
            raise ValueError(
                f"expected numbers that fit {self.dtype}, found some up to {max(numbers, key=abs)}"
            ) from None

    def _from(self, value: Any) -> NDArray[Any]:
        """``value`` as an array. Raises ValueError unless each of its numbers is one of the type's."""
        array = np.asarray(value)
        if array.ndim != 1:
            raise ValueError(
                f"expected a list of {self.dtype}, found {type(value).__name__} in {array.ndim} dimensions"
            )
        if array.dtype == self.dtype:
            return array
        if array.size and array.dtype.kind not in _TAKEN[self.dtype.kind]:
            raise ValueError(f"expected a list of {self.dtype}, found one of {array.dtype}")
        with np.errstate(over="ignore"):
            made = array.astype(self.dtype)
        if self.dtype.kind == "i" and not np.array_equal(made, array):
            raise ValueError(f"expected numbers that fit {self.dtype}, found some from {array.min()} to {array.max()}")
        return made


Ints: TypeAlias = Annotated[NDArray[np.int32], _Column(np.dtype(np.int32))]
"""A column of int32."""
Bools: TypeAlias = Annotated[NDArray[np.bool_], _Column(np.dtype(np.bool_))]
"""A column of booleans."""
Floats: TypeAlias = Annotated[NDArray[np.float32], _Column(np.dtype(np.float32))]
"""A column of float32: what a model said."""
Doubles: TypeAlias = Annotated[NDArray[np.float64], _Column(np.dtype(np.float64))]
"""A column of float64: what is computed of that before it becomes a tensor."""


class Record(BaseModel):
    """A record whose fields may be columns: two are equal where all their fields are, to the last entry."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in type(self).model_fields
        )
