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
from agentgym.config import read_toml
from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Outcome
from agentgym.doctor import diagnose
from agentgym.draw import Draw
from agentgym.errors import UserError
from agentgym.launch.resolving import resolve
from agentgym.scaffold import TEMPLATES, write
from tests.kit import BELL, episode


def test_what_is_written_keeps_the_contract(tmp_path: Path) -> None:
    file = write("env", "bell_ringer", tmp_path)
    assert len(file.read_text().splitlines()) <= 40
    found = diagnose(lambda: agentgym.make(str(file)))
    assert [finding for finding in found if not finding.passed] == []
    check_env(gymnasium.make("agentgym/bell_ringer-v0").unwrapped, skip_render_check=True)
    assert type(agentgym.make(f"{file}:BellRinger")).__name__ == "BellRinger"


def test_a_reward_that_is_written_can_be_asked_for_by_its_path(tmp_path: Path) -> None:
    file = write("reward", "short_answers", tmp_path)
    shaper = agentgym.plugins("rewards").build(str(file), {"words": 4})
    assert type(shaper).__name__ == "ShortAnswers"
    assert shaper(episode(0.0, 1.0)) == [0.05, 0.05]  # two words of the four that are worth nothing
    assert agentgym.plugins("rewards").build(str(file), {"words": 1})(episode(0.0)) == [0.0]


def test_a_trainer_that_is_written_has_what_the_small_policy_wants(tmp_path: Path) -> None:
    file = write("trainer", "better_half", tmp_path)
    settings = resolve({"env": str(BELL), "trainer": {"id": str(file), "margin": 0.5}})
    assert settings.trainer.options == {"learning_rate": 1e-3, "warmup_updates": 5, "margin": 0.5}
    trainer = agentgym.plugins("trainers").build(str(file), settings.trainer.options)
    assert (trainer.settings.group_size, trainer.settings.learning_rate) == (8, 1e-3)
    specs = trainer.specs(0, Uniform(range(100), seed=0))
    assert len(specs) == 16 * 8


def test_tools_that_are_written_keep_the_contract(tmp_path: Path) -> None:
    file = write("tools", "ticket_office", tmp_path)
    found = diagnose(lambda: agentgym.make(str(file)), seconds=0.5)
    assert [finding for finding in found if not finding.passed] == []
    env = agentgym.make(str(file))
    seen, _ = env.reset(seed=1)
    assert [tool["function"]["name"] for tool in seen.tools] == ["look_up", "buy"]
    city = str(seen).removeprefix("A ticket to ").partition(",")[0]
    told = env.step(f'{{"name": "look_up", "arguments": {{"city": "{city}"}}}}')[0]
    line = str(told).split()[1]
    assert env.step(f"buy(line={line})")[1:3] == (1.0, True)
    env.reset(seed=1)
    other = {"red": "blue", "blue": "red"}[line]
    assert env.step(f"buy(line={other})")[1:3] == (0.0, True)


def test_a_curriculum_that_is_written_brings_failed_tasks_back(tmp_path: Path) -> None:
    file = write("curriculum", "second_look", tmp_path)
    build = agentgym.plugins("curricula").build
    curriculum = build(str(file), {"every": 2}, range(100), seed=0)
    before = [curriculum.draw(ordinal).task for ordinal in range(4)]
    assert before == [Uniform(range(100), seed=0).draw(ordinal).task for ordinal in range(4)]
    won = [True, False, True, True]
    curriculum.learn(
        [Outcome(ordinal=i, draw=Draw(task=before[i]), successes=[won[i], won[i]]) for i in range(len(before))]
    )
    assert [curriculum.draw(ordinal).task for ordinal in (4, 6)] == [before[1]] * 2
    assert curriculum.draw(5).task not in before
    other = build(str(file), {"every": 2}, range(100), seed=0)
    other.load_state(curriculum.state())
    assert other.draw(4).task == before[1]
    curriculum.learn([Outcome(ordinal=4, draw=Draw(task=before[1]), successes=[True])])
    assert curriculum.state() == {"failed": []}


def test_a_recipe_that_is_written_has_settings_that_fit_together(tmp_path: Path) -> None:
    file = write("recipe", "mine", tmp_path)
    assert file == tmp_path / "mine.toml"
    settings = resolve(read_toml(file))
    assert (settings.env.id, settings.updates, settings.rewards["turn-cost"].weight) == ("webshop", 60, 0.5)
    quick = resolve(read_toml(file, preset="quick"))
    assert (quick.updates, quick.trainer.options["group_size"], quick.eval.episodes) == (2, 2, 4)
    assert write("recipe", "webshop", tmp_path).is_file()  # a recipe hides nothing
    with pytest.raises(UserError, match=r"agentgym init recipe my_own$"):
        write("recipe", "My-own.toml", tmp_path)


def test_every_file_names_itself_in_commands_at_its_head(tmp_path: Path) -> None:
    for word, template in TEMPLATES.items():
        file = write(word, f"a_{word}", tmp_path)
        head = [line.removeprefix("# ") for line in file.read_text().splitlines()[:6]]
        commands = [line for line in head if line.startswith("agentgym ")]
        assert len(commands) >= 2
        assert all(f"a_{word}{template.ending}" in line for line in commands)


@pytest.mark.parametrize("word", [word for word, template in TEMPLATES.items() if template.ending == ".py"])
def test_what_is_written_passes_the_linter(word: str, tmp_path: Path) -> None:
    file = write(word, "neat", tmp_path)
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
        write("env", name, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert write("env", typed, tmp_path).is_file()


@pytest.mark.parametrize(
    ("name", "title"), [("z", "Z"), ("q7", "Q7"), ("two_words", "TwoWords"), ("a__b", "AB"), ("x_2d_maze", "X2dMaze")]
)
def test_a_name_becomes_the_file_and_in_capitals_the_class(name: str, title: str, tmp_path: Path) -> None:
    file = write("env", name, str(tmp_path))
    assert file == tmp_path / f"{name}.py"
    text = file.read_text()
    assert f"class {title}(agentgym.Env):" in text
    assert [line for line in text.splitlines() if f"{name}.py" in line] == [
        f"agentgym play ./{name}.py",
        f"agentgym doctor ./{name}.py",
        f"agentgym train --env ./{name}.py",
    ]


@pytest.mark.parametrize(
    ("word", "name", "told"),
    [
        (
            "reward",
            "turn_cost",
            '"turn_cost" is already a reward. Choose another name, for instance: agentgym init rew',
        ),
        ("reward", "2x", '"2x" is no name for a reward: it becomes a file and an id, so it is lower-case letters, di'),
        ("trainer", "grpo", "agentgym init trainer my_grpo"),
        ("trainer", "My-Own", "agentgym init trainer my_own"),
        ("env", "X", '"X" is no name for an environment'),
    ],
)
def test_a_name_is_told_in_the_words_of_its_kind(word: str, name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        write(word, name, tmp_path)
    assert told in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("dear to me")
    with pytest.raises(UserError, match="exists already and is left as it is; choose another name"):
        write("env", "mine", tmp_path)
    (tmp_path / "json.py").write_text("dear to me")
    with pytest.raises(UserError, match="exists already"):  # and not that it is taken
        write("env", "json", tmp_path)
    assert (tmp_path / "mine.py").read_text() == "dear to me"


def test_a_file_that_was_loaded_by_its_path_takes_no_name_from_another_folder(tmp_path: Path) -> None:
    (there := tmp_path / "there").mkdir()
    (here := tmp_path / "here").mkdir()
    agentgym.make(str(write("env", "loaded_by_path", there)))
    assert "loaded_by_path" in sys.modules
    assert write("env", "loaded_by_path", here).is_file()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory"):
        write("env", "mine", tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Not a directory"):
        write("env", "mine", tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        write("env", "mine", tmp_path)
