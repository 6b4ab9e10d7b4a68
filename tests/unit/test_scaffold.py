from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import agentgym
from agentgym.curricula.uniform import Uniform
from agentgym.doctor import diagnose
from agentgym.errors import UserError
from agentgym.launch.resolving import resolve
from agentgym.scaffold import write_env, write_plugin
from tests.kit import BELL, episode


def test_what_is_written_keeps_the_contract(tmp_path: Path) -> None:
    file = write_env("bell_ringer", tmp_path)
    assert len(file.read_text().splitlines()) <= 40
    found = diagnose(lambda: agentgym.make(str(file)))
    assert [finding for finding in found if not finding.passed] == []
    check_env(gymnasium.make("agentgym/bell_ringer-v0").unwrapped, skip_render_check=True)
    assert type(agentgym.make(f"{file}:BellRinger")).__name__ == "BellRinger"


def test_a_reward_that_is_written_can_be_asked_for_by_its_path(tmp_path: Path) -> None:
    file = write_plugin("rewards", "short_answers", tmp_path)
    shaper = agentgym.plugins("rewards").build(str(file), {"words": 4})
    assert type(shaper).__name__ == "ShortAnswers"
    assert shaper(episode(0.0, 1.0)) == [0.05, 0.05]  # two words of the four that are worth nothing
    assert agentgym.plugins("rewards").build(str(file), {"words": 1})(episode(0.0)) == [0.0]


def test_a_trainer_that_is_written_has_what_the_small_policy_wants(tmp_path: Path) -> None:
    file = write_plugin("trainers", "better_half", tmp_path)
    settings = resolve({"env": str(BELL), "trainer": {"id": str(file), "margin": 0.5}})
    assert settings.trainer.options == {"learning_rate": 1e-3, "warmup_updates": 5, "margin": 0.5}
    trainer = agentgym.plugins("trainers").build(str(file), settings.trainer.options)
    assert (trainer.settings.group_size, trainer.settings.learning_rate) == (8, 1e-3)
    specs = trainer.specs(0, Uniform(range(100), seed=0))
    assert len(specs) == 16 * 8


@pytest.mark.parametrize("kind", ["environments", "rewards", "trainers"])
def test_what_is_written_passes_the_linter(kind: str, tmp_path: Path) -> None:
    file = write_plugin(kind, "neat", tmp_path)
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", file], check=True, capture_output=True)
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=120", "--check", file], check=True
    )


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("my-env", "my_env"),
        ("Maze", "maze"),
        ("2048", "env_2048"),
        ("maze_", "maze"),
        ("_maze", "maze"),
        ("Ma  ze!", "ma_ze"),
        ("_", "env"),
        ("import", "env_import"),
        ("thought_graph", "my_thought_graph"),
        ("class", "env_class"),
        ("maze.py", "maze"),
        ("../maze", "maze"),
        ("", "env"),
        ("json", "my_json"),
        ("webshop", "my_webshop"),
        ("agentgym", "my_agentgym"),
    ],
)
def test_a_bad_name_is_refused_with_one_that_works(name: str, typed: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"agentgym init env {typed}") + "$"):
        write_env(name, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert write_env(typed, tmp_path).is_file()


@pytest.mark.parametrize(
    ("name", "title"), [("z", "Z"), ("q7", "Q7"), ("two_words", "TwoWords"), ("a__b", "AB"), ("x_2d_maze", "X2dMaze")]
)
def test_a_name_becomes_the_file_and_in_capitals_the_class(name: str, title: str, tmp_path: Path) -> None:
    file = write_env(name, str(tmp_path))
    assert file == tmp_path / f"{name}.py"
    text = file.read_text()
    assert f"class {title}(agentgym.Env):" in text
    assert [line for line in text.splitlines() if f"{name}.py" in line] == [
        f"agentgym play ./{name}.py",
        f"agentgym doctor ./{name}.py",
        f"agentgym train --env ./{name}.py",
    ]


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (
            "rewards",
            "turn_cost",
            '"turn_cost" is already a reward. Choose another name, for instance: agentgym init rew',
        ),
        ("rewards", "2x", '"2x" is no name for a reward: it becomes a file and an id, so it is lower-case letters, di'),
        ("trainers", "grpo", "agentgym init trainer my_grpo"),
        ("trainers", "My-Own", "agentgym init trainer my_own"),
        ("environments", "X", '"X" is no name for an environment'),
    ],
)
def test_a_name_is_told_in_the_words_of_its_kind(kind: str, name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        write_plugin(kind, name, tmp_path)
    assert told in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("dear to me")
    with pytest.raises(UserError, match="exists already and is left as it is; choose another name"):
        write_env("mine", tmp_path)
    (tmp_path / "json.py").write_text("dear to me")
    with pytest.raises(UserError, match="exists already"):  # and not that it is taken
        write_env("json", tmp_path)
    assert (tmp_path / "mine.py").read_text() == "dear to me"


def test_a_file_that_was_loaded_by_its_path_takes_no_name_from_another_folder(tmp_path: Path) -> None:
    (there := tmp_path / "there").mkdir()
    (here := tmp_path / "here").mkdir()
    agentgym.make(str(write_env("loaded_by_path", there)))
    assert "loaded_by_path" in sys.modules
    assert write_env("loaded_by_path", here).is_file()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory"):
        write_env("mine", tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Not a directory"):
        write_env("mine", tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        write_env("mine", tmp_path)
