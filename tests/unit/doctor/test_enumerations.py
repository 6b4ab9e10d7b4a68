"""Answers that list everything: where they win it is told, and where only a guess does, or nonsense too, it is not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agentgym import doctor
from agentgym.tools.answers import said
from agentgym.types import Observation
from tests.unit.doctor.kit import Alone, Result, Start

NOTHING = "listing everything wins none of 12 test tasks"


class Asks(Alone):
    """Tells a word, wants ``secret`` in one answer, and judges it by ``is_right``."""

    max_turns = 1
    secret = "42"
    opening = "the word is blue-green. say it."
    admissible: tuple[str, ...] | None = None
    pays, tells = 1.0, True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.said: list[str] = []
        self.heard = getattr(self, "heard", [])
        return Observation(self.opening, admissible=self.admissible), {}

    def step(self, action: str) -> Result:
        self.heard.append(action)
        self.said.append(action)
        over = len(self.said) == self.max_turns
        won = over and self.is_right(action)
        return "", self.pays * won, over, False, {"success": won} if self.tells else {}

    def is_right(self, answer: str) -> bool:
        return self.secret in answer.split()


def asks(**attributes: Any) -> type[Asks]:
    return type("Asks", (Asks,), attributes)


@pytest.mark.parametrize(
    ("env", "what"),
    [
        (asks(), "0 to 199"),
        (asks(secret="Q"), "the alphabet"),
        (asks(secret="false"), "yes, no, true, false"),
        (asks(secret="blue-green"), "all words that are seen"),
        (asks(is_right=lambda self, answer: "41, 42, 43" in answer or "43, 42, 41" in answer), "0 to 199"),
        (
            asks(
                admissible=("wait", "say[<n>]"),
                is_right=lambda self, answer: "7" in (re.fullmatch(r"say\[(.*)\]", answer) or ["", ""])[1].split(" "),
            ),
            "0 to 199",
        ),
        (asks(tells=False, pays=0.5), "0 to 199"),
    ],
)
def test_a_list_that_wins_is_told_with_what_it_lists(env: type[Asks], what: str) -> None:
    found = doctor.refuses_enumerations(env, 600.0)
    assert isinstance(found, doctor.Remark)
    assert found == (
        f"listing {what} wins 12 of 12 test tasks: the reward is had without knowing the answer; compare answers as a "
        "whole (agentgym.tools.answers.said), or judge by what was done"
    )


@pytest.mark.parametrize(
    "env",
    [
        asks(is_right=lambda self, answer: said("42", answer)),
        asks(is_right=lambda self, answer: said("blue-green", answer)),
        asks(is_right=lambda self, answer: answer.endswith("199")),
        asks(is_right=lambda self, answer: answer.startswith("0 1")),
        asks(is_right=lambda self, answer: True),
        asks(tells=False, pays=0.25),
        asks(secret="200"),
    ],
)
def test_a_guess_a_small_reward_and_what_nonsense_wins_too_are_no_enumeration(env: type[Asks]) -> None:
    found = doctor.refuses_enumerations(env, 600.0)
    assert found == NOTHING
    assert not isinstance(found, doctor.Remark)


def test_every_second_task_hears_the_list_after_a_random_turn() -> None:
    late = doctor.refuses_enumerations(asks(max_turns=2), 600.0)
    assert late.startswith("listing 0 to 199 wins 6 of 12 test tasks: ")


def test_a_slow_environment_hears_every_list_once() -> None:
    heard: list[str] = []
    env = asks(heard=heard, secret="200", admissible=("say <x> <y>", "b <x>", "c <x>"))
    assert doctor.refuses_enumerations(env, -1.0) == "listing everything wins none of 1 test tasks"
    assert (
        len(heard) == 4 * 4
    )  # four lists in four ways; none in reverse, and no nonsense where no list brings anything
    assert heard[2][:17] == "say 0 1 2 3 4 5 6"
    assert heard[3].endswith("197 198 199")
    assert heard[4:6] == [
        "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
        ", ".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ]
    assert heard[-4] == "the word is blue-green say it"


def test_the_words_of_the_instructions_are_seen_and_the_last_ones_are_kept() -> None:
    assert isinstance(doctor.refuses_enumerations(asks(secret="red", instructions="not red."), 600.0), doctor.Remark)
    long = " ".join(f"w{number}" for number in range(401))
    assert isinstance(doctor.refuses_enumerations(asks(secret="w1", opening=long), 600.0), doctor.Remark)
    assert doctor.refuses_enumerations(asks(secret="w0", opening=long), 600.0) == NOTHING
