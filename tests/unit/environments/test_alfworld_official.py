"""The official layout: which games are tasks of which split, and what is said of a folder that holds something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import agentgym
from agentgym.environments.alfworld import AlfWorld
from agentgym.environments.alfworld.levels import LEVELS, TYPES, types_named
from agentgym.environments.alfworld.official import Official, listing
from agentgym.errors import ConfigError, DataError, UserError
from tests.unit.environments.alfworld_kit import needs_data, needs_extra, win, write_game

PLACE, HEAT = "pick_and_place_simple-Mug-None-Desk-301", "pick_heat_then_place_in_recep-Egg-None-Fridge-7"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_game(tmp_path, "train", PLACE)
    write_game(tmp_path, "train", HEAT)
    write_game(tmp_path, "valid_seen", HEAT)
    write_game(tmp_path, "valid_unseen", PLACE)
    write_game(tmp_path, "valid_unseen", HEAT, solvable=False)
    write_game(tmp_path, "valid_unseen", "pick_cool_then_place_in_recep-Egg-None-Fridge-7", solvable=None)
    write_game(tmp_path, "valid_unseen", "pick_and_place_with_movable_recep-Egg-Pan-Fridge-7")
    write_game(tmp_path, "valid_unseen", "pick_and_place_simple-AppleSliced-None-Fridge-7")
    return tmp_path


def test_splits_are_folders_and_what_cannot_be_played_is_left_out_and_counted(data: Path) -> None:
    games = Official(data, TYPES)
    assert games.tasks("train") == (f"train/{PLACE}/trial_1", f"train/{HEAT}/trial_1")
    assert games.tasks("validation") == (f"valid_seen/{HEAT}/trial_1",)
    assert games.tasks("test") == (f"valid_unseen/{PLACE}/trial_1",)
    assert listing(data)["valid_unseen"].skipped == {"Sliced": 1, "movable": 1, "not solvable": 2}
    assert Official(data / "json_2.1.1", TYPES).tasks("test") == games.tasks("test")


def test_types_are_chosen(data: Path) -> None:
    assert Official(data, ["heat", "two"]).tasks("train") == (f"train/{HEAT}/trial_1",)
    with pytest.raises(DataError, match=r'no "train" games of pick_two.*it has \{\'pick_and_place_simple\': 1'):
        Official(data, ["two"]).tasks("train")


def test_without_validation_games_every_tenth_train_game_is_one(tmp_path: Path) -> None:
    for scene in range(23):
        write_game(tmp_path, "valid_train", f"{PLACE[:-3]}{scene:03d}")
    games = Official(tmp_path, TYPES)
    train, validation = games.tasks("train"), games.tasks("validation")
    assert [task[-11:-8] for task in validation] == ["000", "010", "020"]
    assert len(train) == 20
    assert not set(train) & set(validation)
    with pytest.raises(DataError, match=r'no "test" games: there is no folder valid_unseen; type: alfworld-download'):
        games.tasks("test")


def test_a_folder_with_something_else(tmp_path: Path) -> None:
    def told(folder: Path) -> str:
        with pytest.raises(DataError) as error:
            Official(folder, TYPES)
        assert "alfworld-download" in str(error.value)
        assert "--env.data generated" in str(error.value)
        return str(error.value)

    assert "it is empty" in told(tmp_path)
    assert "it does not exist" in told(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "json_2.0.0").mkdir()
    assert "expected json_2.1.1/" in told(tmp_path)
    assert "it has json_2.0.0" in told(tmp_path)
    (tmp_path / "json_2.1.1" / "tests").mkdir(parents=True)
    assert "it has tests" in told(tmp_path)


def test_unknown_split_and_task(data: Path) -> None:
    games = Official(data, TYPES)
    with pytest.raises(UserError, match=r'unknown split "tests"\. Did you mean "test"'):
        games.tasks("tests")
    for task in (7, "../x", f"train/{PLACE}/trial_2"):
        with pytest.raises(UserError, match=r"does not exist.*Tasks look like train/pick"):
            games.open(task)


def test_levels_and_types() -> None:
    mixed = LEVELS["mixed"]
    assert types_named("heat, pick_cool_then_place_in_recep", mixed) == ("heat", "cool")
    assert types_named(["look"], mixed) == ("look",)
    assert types_named(None, LEVELS["two"]) == ("two",)
    with pytest.raises(ConfigError, match=r'types has "heet"\. Did you mean "heat"'):
        types_named("heet", mixed)
    with pytest.raises(ConfigError, match="of which the level has none; it has place, look"):
        types_named("heat", LEVELS["place"])
    with pytest.raises(ConfigError, match=r'level is "mixd"\. Did you mean "mixed"'):
        agentgym.make("alfworld", level="mixd")


@needs_extra
def test_the_folder_may_be_named_by_the_environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALFWORLD_DATA", str(data))
    assert len(AlfWorld().tasks("train")) == 2
    assert AlfWorld().max_turns == 50
    assert len(AlfWorld(data="generated").tasks("train")) == 3600
    monkeypatch.setenv("ALFWORLD_DATA", str(data / "nowhere"))
    with pytest.raises(DataError, match="it does not exist"):
        AlfWorld()
    monkeypatch.delenv("ALFWORLD_DATA")
    AlfWorld()
    assert "ALFWORLD_DATA" not in os.environ


@needs_extra
@needs_data
def test_the_official_test_games() -> None:
    env = AlfWorld()
    tasks = env.tasks("test")
    assert len(tasks) == 134
    assert listing(os.environ["ALFWORLD_DATA"])["valid_unseen"].skipped["not solvable"] > 0
    for type in TYPES.values():
        task = next(task for task in tasks if f"/{type}-" in str(task))
        observation, _ = env.reset(options={"task": task})
        assert observation.startswith("You are in the middle of a room.")
        assert 3 <= win(env, observation) <= 12  # type: ignore[arg-type]
