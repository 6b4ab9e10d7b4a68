"""How the calls that were made are to those that would have been right: by what they are, or to the letter.

Two calls match as in BFCL's check of syntax trees when the tool's name and the names of the arguments are the same,
and the values are equal once what hardly ever matters is taken off: 1 is 1.0, and of text case, blanks and the marks
``, . / - _ * ^`` do not count, nor which kind of quotes stands in it. Departs from that check in that there is one
right value, not a list of them, and that what a schema makes of a value is the caller's.
"""

from __future__ import annotations

import collections
import json
from collections.abc import Hashable, Sequence
from typing import Any

from agentgym.types import ToolCall

__all__ = ["compared"]

_UNIMPORTANT = str.maketrans({**dict.fromkeys(" \t\n\r,./-_*^", ""), "'": '"'})


def compared(made: Sequence[ToolCall], expected: Sequence[ToolCall]) -> dict[str, float]:
    """Channels that say how ``made`` are to ``expected``: how many there are of both, and how many are the same.

    ``matched_calls`` match in any order, each at most once; ``exact_calls`` are those up to the first that differs, in
    its place, its name, or any value or type.

    >>> made = ToolCall(name="cd", arguments={"to": "My Files"}), ToolCall(name="ls", arguments={})
    >>> compared(made, [ToolCall(name="ls", arguments={}), ToolCall(name="cd", arguments={"to": "my_files"})])
    {'made_calls': 2.0, 'expected_calls': 2.0, 'matched_calls': 2.0, 'exact_calls': 0.0}
    """
    matched = collections.Counter(map(_normal_call, made)) & collections.Counter(map(_normal_call, expected))
    exact = 0
    for one, other in zip(made, expected, strict=False):
        if _letters(one) != _letters(other):
            break
        exact += 1
    return {
        "made_calls": float(len(made)),
        "expected_calls": float(len(expected)),
        "matched_calls": float(matched.total()),
        "exact_calls": float(exact),
    }


def _normal_call(call: ToolCall) -> Hashable:
    return call.name, frozenset((name, _normal(value)) for name, value in call.arguments.items())


def _normal(value: Any) -> Hashable:
    """Equal for values that are the same to a check that does not mind how they are written."""
    match value:
        case str():
            return value.translate(_UNIMPORTANT).lower()
        case bool() | None:
            return "constant", value  # True is not 1
        case dict():
            return "object", frozenset((name, _normal(item)) for name, item in value.items())
        case list() | tuple():
            return "list", tuple(map(_normal, value))
        case _:
            number: Hashable = value
            return number


def _letters(call: ToolCall) -> str:
    return json.dumps([call.name, call.arguments], sort_keys=True)
