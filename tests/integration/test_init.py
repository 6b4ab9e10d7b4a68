"""What ``agentgym init`` writes does what its own head says."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path

import pytest

from tests.typed import Typed, agentgym

__all__ = ["agentgym"]

SMALL = (
    "--updates 1 --trainer.groups 2 --trainer.group_size 2 --warm_start.max_updates 2 --eval.episodes 2 "
    "--eval.validation_episodes 2 --output run"
)


def head(file: Path) -> list[str]:
    """The commands at the head of a file."""
    lines = (line.removeprefix("# ") for line in file.read_text().splitlines()[:6])
    return [line for line in lines if line.startswith("agentgym ")]


@pytest.mark.parametrize("word", ["env", "tools"])
def test_an_environment_is_played_and_checked_as_it_says(
    word: str, agentgym: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert agentgym("init", word, f"{word}_to_play")[0] == 0
    play, doctor, train = head(Path(f"{word}_to_play.py"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(":auto expert\n:quit\n"))
    code, printed, errors = agentgym(*shlex.split(play)[1:])
    assert code == 0, errors
    assert "success, total reward 1" in printed
    code, printed, _ = agentgym(*shlex.split(doctor)[1:], "--quick")
    assert (code, "FAIL" in printed) == (0, False)
    assert shlex.split(train) == ["agentgym", "train", "--env", f"./{word}_to_play.py"]


@pytest.mark.slow
@pytest.mark.parametrize("word", ["env", "tools", "reward", "curriculum", "trainer"])
def test_it_is_trained_with_as_it_says(word: str, agentgym: Typed) -> None:
    assert agentgym("init", word, f"{word}_of_my_own")[0] == 0
    typed = next(line for line in head(Path(f"{word}_of_my_own.py")) if line.startswith("agentgym train"))
    code, printed, errors = agentgym(*shlex.split(typed)[1:], *SMALL.split())
    assert code == 0, errors
    assert "report: run/report.json" in printed


@pytest.mark.slow
def test_a_recipe_is_trained_as_it_says(agentgym: Typed) -> None:
    assert agentgym("init", "recipe", "of_my_own")[0] == 0
    typed = next(line for line in head(Path("of_my_own.toml")) if "--preset" in line)
    code, printed, errors = agentgym(*shlex.split(typed)[1:], "--output", "run")
    assert code == 0, errors
    assert "report: run/report.json" in printed
