"""Which errors are whose, and what is suggested for a name that nothing has."""

from __future__ import annotations

import inspect

import pytest

from agentgym import errors

KINDS = {
    "AgentGymError": "Exception",
    "UserError": "AgentGymError",
    "UnknownIdError": "UserError LookupError",
    "ConfigError": "UserError ValueError",
    "DataError": "UserError ValueError",
    "MissingExtraError": "UserError",
    "ParseError": "AgentGymError",
    "EnvError": "AgentGymError",
    "SnapshotError": "EnvError",
    "JudgeError": "AgentGymError",
    "EngineError": "AgentGymError",
    "NonFiniteError": "AgentGymError",
    "RankError": "AgentGymError",
}
"""Only what a person can mend is a ``UserError``: the command line tells it without a traceback."""


def test_every_error_has_its_place() -> None:
    classes = [
        (name, each) for name, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)
    ]
    assert {name: " ".join(base.__name__ for base in each.__bases__) for name, each in classes} == KINDS


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("webshp", ["webshop", "textworld"], ' Did you mean "webshop"?'),
        ("webshp", [], ""),
        ("abcd", ["abxy"], ' Did you mean "abxy"?'),  # half of it
        ("abcde", ["abxyz"], ""),
        ("aaab", ["aabb", "aaabb", "b"], ' Did you mean "aaabb"?'),  # the nearest
    ],
)
def test_the_nearest_name_is_suggested_where_one_is_near(name: str, known: list[str], told: str) -> None:
    assert errors.did_you_mean(name, known) == told
    assert errors.did_you_mean(name, iter(known)) == told
