"""Game files: what is taken from them, and that nothing of them is evaluated unless it is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.environments.alfworld.game import UNKNOWN, installed_grammar, read_game
from agentgym.environments.alfworld.levels import TYPES
from agentgym.environments.alfworld.official import Official
from agentgym.environments.alfworld.world import World
from agentgym.errors import DataError
from tests.unit.environments.alfworld_kit import kitchen, needs_data, needs_extra, write_game

pytestmark = needs_extra
PLACE = "pick_and_place_simple-Mug-None-Desk-301"


def test_an_unknown_grammar_is_replaced_and_its_sentence_kept(tmp_path: Path) -> None:
    """Expressions of a grammar are evaluated, so only grammars that are known may have any."""
    home = kitchen("place", "Mug", "CounterTop")
    evil = '{"intro": [{"rhs": "{__import__(\'os\').getpid()}"}], "task": [{"rhs": "Your task is to: put a mug."}]}'
    file = write_game(tmp_path, "train", PLACE, pddl_domain=home.domain, pddl_problem=home.problem, grammar=evil)
    game = read_game(file)
    assert game.grammar == installed_grammar()
    assert UNKNOWN in game.grammar
    assert World(game).intro.endswith("Your task is to: put a mug.")


@pytest.mark.parametrize("sentence", ["put {1 + 1} mugs.", "put #look.feedback#.", "[x]", "", "a\\nb"])
def test_a_sentence_is_plain_words(tmp_path: Path, sentence: str) -> None:
    file = write_game(tmp_path, "train", PLACE, grammar=f'"Your task is to: {sentence}"')
    with pytest.raises(DataError, match="does not tell its task in plain words") as error:
        read_game(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no readable game"),
        ('{"pddl_domain": "d", "gram', "is no readable game"),
        ("[]", 'has no text under "pddl_domain"'),
        ('{"pddl_domain": "d"}', 'has no text under "pddl_problem"'),
        ('{"pddl_domain": "d", "pddl_problem": 3}', 'has no text under "pddl_problem"'),
        (json.dumps({"pddl_domain": "d", "pddl_problem": "p", "grammar": "no"}), "does not tell its task"),
    ],
)
def test_a_corrupt_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    file = write_game(tmp_path, "train", PLACE)
    file.write_text(text + '"solvable": true'[: 0 if text else None])
    with pytest.raises(DataError, match=problem) as error:
        read_game(file)
    assert str(file) in str(error.value)
    assert "alfworld-download" in str(error.value)


@pytest.mark.parametrize(
    "problem", ["", "(define (problem x)", "(define (problem x) (:domain alfred) (:init) (:goal (and)))"]
)
def test_a_problem_that_cannot_be_translated_names_its_file(tmp_path: Path, problem: str) -> None:
    game = kitchen("place", "Mug", "CounterTop")
    file = write_game(
        tmp_path, "train", PLACE, pddl_domain=game.domain, pddl_problem=problem, grammar='"Your task is to: look."'
    )
    with pytest.raises(DataError, match=r"cannot be played|is won before it begins") as error:
        Official(tmp_path, TYPES).open(f"train/{PLACE}/trial_1")
    assert str(file) in str(error.value)


@needs_data
def test_the_release_keeps_its_grammar() -> None:
    """Its games say "put"."""
    import os

    games = Official(os.environ["ALFWORLD_DATA"], TYPES)
    assert "put {o} in/on {r}" in read_game(games.root / games.tasks("test")[0] / "game.tw-pddl").grammar
