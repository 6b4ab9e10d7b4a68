"""An episode as bytes, and back, equal.

A line of JSON says how the columns lie, a second one is the episode without its samples, and then come the columns,
all of it compressed as one: what turns repeat of each other costs next to nothing. Of ids, in the smallest type that
holds them, and log-probabilities the first bytes come first, then the second ones: the high bytes of ids and the
exponents of numbers compress, among the low ones they would not. What changes with the turns only (mask, turn,
version) is kept as runs. A sample that begins as the one before it, where a stream forked, has only its own rest.

zlib, for it comes with Python: zstandard takes the same room (an episode of 4,000 tokens 18 kB) and a fifth of the
time, which is 0.4 ms in a thread. Level 6 would save 2 % of the room in twice the time.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from agentgym.errors import DataError
from agentgym.types import Sample, Trajectory

__all__ = ["pack", "record_in", "samples_in", "unpack"]

_LEVEL = 1
_INTEGERS = ("|u1", "<u2", "<i4")
_TYPES = frozenset({*_INTEGERS, "<f4"})
_COLUMNS = {"token_ids", "loss_mask", "logprobs", "turn_index", "policy_versions"}

Array: TypeAlias = npt.NDArray[Any]
Columns: TypeAlias = dict[str, Array]
"""The fields of a sample, [T] each."""


def pack(episode: Trajectory) -> bytes:
    """``episode`` as bytes."""
    shared: list[int] = []
    arrays: list[Array] = []
    before: Columns = {}
    for sample in episode.samples:
        columns = _columns(sample)
        num = _common(columns, before) if before else 0
        shared.append(num)
        arrays += _arrays({name: column[num:] for name, column in columns.items()})
        before = columns
    layout = {
        "shared": shared,
        "arrays": [(array.dtype.str, len(array)) for array in arrays],
        "more": [sample.model_dump(mode="json", exclude=_COLUMNS) for sample in episode.samples],
    }
    head = f"{json.dumps(layout)}\n{episode.model_dump_json(exclude={'samples'})}\n"
    return zlib.compress(b"".join([head.encode(), *map(_planes, arrays)]), _LEVEL)


def unpack(packed: bytes) -> Trajectory:
    """The episode that was packed. Raises DataError for bytes that are none."""
    try:
        layout, episode, body = zlib.decompress(packed).split(b"\n", 2)
        whole = Trajectory.model_validate_json(episode)
        whole.samples = samples_in(json.loads(layout), body)
    except (zlib.error, ValidationError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"not a packed episode: {error}") from None
    return whole


def record_in(packed: bytes) -> dict[str, Any]:
    """The episode that was packed as JSON has it, without its samples. Raises DataError for bytes that are none."""
    try:
        return dict(json.loads(zlib.decompress(packed).split(b"\n", 2)[1]))
    except (zlib.error, ValueError, LookupError, TypeError) as error:
        raise DataError(f"not a packed episode: {error}") from None


def samples_in(layout: Any, body: bytes) -> list[Sample]:
    """The samples of an episode. Raises ValueError, LookupError or TypeError for what is not ``layout`` and columns."""
    take = _reader(body, layout["arrays"])
    samples: list[Columns] = []
    for num in layout["shared"]:
        rest = _taken(take)
        samples.append({name: np.concatenate([samples[-1][name][:num], rest[name]]) for name in rest} if num else rest)
    return [Sample(**columns, **more) for columns, more in zip(samples, layout["more"], strict=True)]


# -- a sample's columns ----------------------------------------------------------------------------------


def _columns(sample: Sample) -> Columns:
    return {name: getattr(sample, name) for name in _COLUMNS}


def _common(columns: Columns, before: Columns) -> int:
    """How many first tokens are the same in all columns."""
    num = min(len(columns["token_ids"]), len(before["token_ids"]))
    differs = np.zeros(num, np.bool_)
    for name, column in columns.items():
        differs |= column[:num] != before[name][:num]
    return int(differs.argmax()) if differs.any() else num


def _arrays(columns: Columns) -> Iterator[Array]:
    """What is written of a sample; ``_taken`` takes it in the same order."""
    mask, logprobs = columns["loss_mask"], columns["logprobs"]
    yield _narrow(columns["token_ids"])
    yield from _runs(mask.astype(np.int32))
    yield from _runs(columns["turn_index"])
    yield from _runs(columns["policy_versions"])
    yield (logprobs if logprobs[~mask].any() else logprobs[mask]).astype("<f4")


def _taken(take: Callable[[], Array]) -> Columns:
    token_ids = take().astype(np.int32)
    mask, turns, versions = (_spread(take(), take()) for _ in range(3))
    mask, logprobs = mask.astype(np.bool_), take().astype(np.float32)
    if len(logprobs) < len(token_ids):
        spread = np.zeros(len(token_ids), np.float32)
        spread[mask] = logprobs
        logprobs = spread
    return {
        "token_ids": token_ids,
        "loss_mask": mask,
        "logprobs": logprobs,
        "turn_index": turns,
        "policy_versions": versions,
    }


def _narrow(values: Array) -> Array:
    """The same whole numbers in the smallest type that holds them."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    bounds = ((name, np.iinfo(name)) for name in _INTEGERS)
    return values.astype(next(name for name, bound in bounds if bound.min <= low and high <= bound.max))


def _runs(values: Array) -> tuple[Array, Array]:
    """Lengths and values of the runs of equal values."""
    starts = np.flatnonzero(np.diff(values, prepend=values[:1] - 1))
    return _narrow(np.diff(starts, append=len(values))), _narrow(values[starts])


def _spread(lengths: Array, values: Array) -> Array:
    return np.repeat(values.astype(np.int32), lengths)


# -- arrays as bytes -------------------------------------------------------------------------------------


def _planes(array: Array) -> bytes:
    """The first bytes of all numbers, then the second ones, and so on."""
    return array.view(np.uint8).reshape(-1, array.itemsize).T.tobytes()


def _reader(body: bytes, arrays: Sequence[tuple[str, int]]) -> Callable[[], Array]:
    """Gives one array after the other. Raises ValueError where ``body`` is not as long as they are."""
    num_bytes = sum(num * np.dtype(name).itemsize for name, num in arrays if name in _TYPES)
    if num_bytes != len(body):
        raise ValueError(f"{num_bytes} bytes of columns expected, {len(body)} found")
    rest, place = iter(arrays), 0

    def take() -> Array:
        nonlocal place
        name, num = next(rest)
        size = np.dtype(name).itemsize
        planes = np.frombuffer(body, np.uint8, num * size, place)
        place += num * size
        return np.ascontiguousarray(planes.reshape(size, -1).T).view(name).reshape(-1)

    return take
