"""Moves by chance: patterns, the games that they are for, games that are refused, and every game of the package."""

from __future__ import annotations

import importlib
import random
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("textarena", reason="the extra textarena is not installed")

import agentgym
from agentgym.doctor.playing import play_at_random
from agentgym.environments import _quiet
from agentgym.environments.textarena.game import REFUSED, Game
from agentgym.environments.textarena.moves import CANDIDATES, candidates, expanded
from agentgym.errors import ConfigError, UserError
from agentgym.visit import Player


def test_patterns() -> None:
    assert expanded("[<ab>] <1..3>") == ["[a] 1", "[a] 2", "[a] 3", "[b] 1", "[b] 2", "[b] 3"]
    assert expanded("<yes|no>") == ["yes", "no"]
    assert expanded("as it is") == ["as it is"]
    found = candidates("Surround", None, np.random.default_rng(0))
    assert sorted(found) == ["[down]", "[left]", "[right]", "[up]"]
    assert len({tuple(candidates("Surround", None, np.random.default_rng(seed))) for seed in range(9)}) > 3


def test_the_game_takes_a_move_or_not_and_is_left_as_it_is() -> None:
    game = Game("ConnectFour-v0")
    game.reset(0)
    outside = random.getstate()
    assert [game.takes(action) for action in ("[col 0]", "[col 6]", "[col 7]", "column", "[col 0]")] == [
        *(True, True, False, False, True)
    ]
    assert random.getstate() == outside
    assert {cell for row in game.world.state.game_state["board"] for cell in row} == {"."}
    for _ in range(6):
        game.play("[col 3]")
    assert not game.takes("[col 3]"), "the column is full"
    assert {game.drawn_move(np.random.default_rng(seed)) for seed in range(60)} == {
        f"[col {column}]" for column in (0, 1, 2, 4, 5, 6)
    }


def test_of_a_very_long_action_the_end_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for the column in all of a million characters would take hours."""
    game, given = Game("ConnectFour-v0"), []
    game.reset(0)
    step = game.world.step
    monkeypatch.setattr(game.world, "step", lambda action: given.append(action) or step(action))  # type: ignore[func-returns-value]
    assert game.play("a" * 1_000_000 + "[col 3]") is None
    assert game.play("[col 4]" + "a" * 5_000) is not None
    assert [len(action) for action in given] == [5_000, 5_000]
    assert game.world.state.game_state["board"][5] == [".", ".", ".", "X", ".", ".", "."]


def test_who_has_no_move_in_othello_says_something_and_is_skipped() -> None:
    """Black has no white piece beside its own that it could close in."""
    game = Game("Othello-v0-tiny")
    game.reset(0)
    game.world.board[:] = [["B", "", "", ""], ["", "", "", ""], ["", "", "", ""], ["", "", "", "W"]]
    game.world.state.game_state["valid_moves"] = game.world._valid_moves("B")
    assert game.world.state.game_state["valid_moves"] == []
    assert game.drawn_move(np.random.default_rng(0)) == "[pass]"
    assert game.play("[pass]") is None
    assert game.over, "neither has a move"


@pytest.mark.parametrize("id", ["ConnectFour-v0", "LiarsDice-v0-small", "ThreePlayerGOPS-v0", "SecretMafia-v0"])
def test_all_seats_play_by_chance_to_an_end_that_no_refused_move_brought(id: str) -> None:
    game, rng = Game(id), np.random.default_rng(1)
    game.reset(1)
    for _ in range(300):
        if game.over:
            break
        assert game.play(game.drawn_move(rng)) is None
    assert game.over
    assert not any(info.get("invalid_move") for info in game.world.state.game_info.values())


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("Debate-v0", "cannot be played: a model on the web plays in it, so that no seed repeats an episode"),
        ("Klondike-v0", "the package's source of it is no Python"),
        ("Tak-v0", "the package's code fails when somebody wins"),
        ("UsedCar-v0-balanced", "ImportError: .*No module named 'textarena.envs.UsedCar'"),
        ("ScorableGames-v0", "FileNotFoundError: Game configuration directory not found"),
    ],
)
def test_what_cannot_be_played_says_why_when_it_is_made(id: str, words: str) -> None:
    with pytest.raises(UserError, match=f"^{id} cannot be played: .*{words}|{words}"):
        agentgym.make(f"textarena:{id}")


def test_a_wrong_number_of_players_is_told() -> None:
    with pytest.raises(ConfigError, match="TicTacToe-v0 does not begin with 5 players: AssertionError"):
        Game("TicTacToe-v0", 5)


def test_games_that_mix_up_their_messages_are_played() -> None:
    """One tells what was said in another order, one puts a text where the reward belongs."""
    with Player(agentgym.make("textarena:Countdown-v0")) as player:
        player.reset(0, 0)
        assert "nonsense" not in player.step("nonsense").observation
    with Player(agentgym.make("textarena:ThreeCardMonte-v0")) as player:
        player.reset(0, 0)
        player.step("nonsense")
        assert player.step("nonsense").reward == 0.0


def test_no_game_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with Player(agentgym.make("textarena:LogicPuzzle-v0")) as player:
        list(play_at_random(player, 0, 0))
    assert capsys.readouterr().out == ""
    module: Any = sys.modules["textarena.envs.LogicPuzzle.env"]
    module.print("to a file", file=sys.stderr)
    assert capsys.readouterr().err == "to a file\n"


def test_modules_of_other_packages_still_print(capsys: pytest.CaptureFixture[str]) -> None:
    _quiet.hush("textarena")
    print("this")
    assert capsys.readouterr().out == "this\n"
    assert "print" not in vars(sys.modules["agentgym"])


def _games() -> dict[str, str]:
    """The first id of every game."""
    found: dict[str, str] = {}
    for id in importlib.import_module("textarena.envs.registration").ENV_REGISTRY:
        found.setdefault(id.partition("-v")[0], id)
    return found


GAMES = _games()


def _refused(id: str) -> str:
    try:
        agentgym.make(f"textarena:{id}").close()
    except UserError as error:
        return str(error)
    return ""


def test_what_is_known_of_games_is_of_games_that_there_are() -> None:
    assert {*CANDIDATES, *REFUSED} <= set(GAMES)
    assert not set(CANDIDATES) & set(REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize("base", [*GAMES])
def test_every_game_is_played_or_says_why_not(base: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Against chance; and, where moves are known, by chance at every seat until it is over, or for long."""
    id = GAMES[base]
    if why := _refused(id):
        assert why.startswith(id)
        return
    assert base not in REFUSED
    with Player(agentgym.make(f"textarena:{id}")) as player:
        for seed in range(3):
            assert len(list(play_at_random(player, seed, seed, max_turns=10))) > 1
    game, rng = Game(id), np.random.default_rng(0)
    for _ in range(100):
        if game.over or base not in CANDIDATES:
            break
        game.play(game.drawn_move(rng))
    assert capsys.readouterr().out == ""
