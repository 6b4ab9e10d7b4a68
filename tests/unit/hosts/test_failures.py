"""What an error says of what an environment raised."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import DataError, EnvError, UserError
from agentgym.hosts.failures import Failure, Situation, bounded
from agentgym.snapshot import Mark
from tests.unit.hosts.odd import RAISED, Raise

SITUATION = Situation("shop", 5, "mug", "look")


def failure(what: str) -> Failure:
    try:
        Raise(what=what)
    except BaseException as error:
        return Failure.of(error)
    raise AssertionError("it did not raise")


def test_type_message_place_and_last_frames_are_told() -> None:
    error = failure("KeyError").error(SITUATION)
    assert type(error) is EnvError
    assert str(error).startswith("shop raised KeyError: 'shelf' (task 'mug', seed 5, last action 'look')\n  ")
    assert "odd.py" in str(error)
    assert "raise RAISED[self.what]()" in str(error)


@pytest.mark.parametrize("what", RAISED)
def test_every_failure_is_short_and_utf8(what: str) -> None:
    text = str(failure(what).error(SITUATION))
    assert len(text) < 5000
    assert text.encode().decode() == text


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("SystemExit", "raised SystemExit: 3"),
        ("Private", "raised Private: [its message cannot be shown: __str__ raised ZeroDivisionError]"),
        ("lone", "raised ValueError: \\ud800\x00"),
        ("group", "raised KeyError: 'inner'"),
    ],
)
def test_strange_exceptions(what: str, said: str) -> None:
    assert failure(what).message == said


def test_a_long_message_keeps_both_ends() -> None:
    message = failure("long").message
    assert message.startswith("raised ValueError: beginxxx")
    assert message.endswith("xxxend")
    assert "[... 9997008 characters left out ...]" in message  # 5 + 10,000,000 + 3, less 2,000 and 1,000


@pytest.mark.parametrize("what", ["UserError", "ConfigError", "MissingExtraError"])
def test_errors_for_people_stay_what_they_are(what: str) -> None:
    error = failure(what).error(SITUATION)
    assert type(error).__name__ == what
    assert str(error) == str(RAISED[what]())


def test_an_authors_own_error_for_people_is_its_nearest_known_kind() -> None:
    error = failure("Mistaken").error(SITUATION)
    assert type(error) is DataError
    assert isinstance(error, UserError)


def test_where_an_episode_is() -> None:
    situation = Situation("shop")
    assert str(situation) == "before its first episode"
    situation.begin(3, None)
    assert str(situation) == "seed 3"
    situation.action = "x" * 1000
    assert str(situation).startswith("seed 3, last action 'xxx")
    assert len(str(situation)) < 300
    situation.begin(4, {"task": 0})
    assert str(situation) == "task 0, seed 4"
    mark = Mark(id="m", rung="native", seed=8, options={"task": 2}, actions=("a", "b"), digests=("0", "1", "2"))
    situation.return_to(mark)
    assert str(situation) == "task 2, seed 8, last action 'b'"
    situation.return_to(dataclasses.replace(mark, actions=(), digests=("0",)))
    assert str(situation) == "task 2, seed 8"


@given(text=st.text(st.characters(exclude_categories=[]), max_size=60))
def test_bounded_text_is_utf8_and_as_it_was_where_it_can_be(text: str) -> None:
    short = bounded(text, 10, 5)
    assert short.encode().decode() == short
    if len(text) <= 15 and not any("\ud800" <= c <= "\udfff" for c in text):
        assert short == text
    assert len(short) <= 15 * 6 + 40
