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
from agentgym.doctor import diagnose
from agentgym.errors import UserError
from agentgym.scaffold import write_env


def test_what_is_written_keeps_the_contract(tmp_path: Path) -> None:
    file = write_env("bell_ringer", tmp_path)
    assert len(file.read_text().splitlines()) <= 40
    found = diagnose(lambda: agentgym.make(str(file)))
    assert [finding for finding in found if not finding.passed] == []
    check_env(gymnasium.make("agentgym/bell_ringer-v0").unwrapped, skip_render_check=True)
    assert type(agentgym.make(f"{file}:BellRinger")).__name__ == "BellRinger"


def test_what_is_written_passes_the_linter(tmp_path: Path) -> None:
    file = write_env("neat", tmp_path)
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


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("dear to me")
    with pytest.raises(UserError, match="exists already"):
        write_env("mine", tmp_path)
    assert (tmp_path / "mine.py").read_text() == "dear to me"


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
