"""Every example runs as a newcomer would run it, and says what it promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym.launch import train

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str | Path) -> str:
    """What the example prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_examples_are_short_and_each_is_run_here() -> None:
    files = {file.name: file.read_text() for file in EXAMPLES.glob("*.py")}
    assert set(files) == {
        "new_environment.py",
        "new_trainer.py",
        "plain_gymnasium.py",
        "tools.py",
        "train_on_it.py",
        "evaluate.py",
    }
    assert {name: len(text.splitlines()) for name, text in files.items() if len(text.splitlines()) > 50} == {}


def test_new_environment() -> None:
    assert re.fullmatch(r"A bell rings in the \w+\.\n\('.*', [\d.]+\)\n", run("new_environment.py"))


@pytest.mark.slow
def test_new_trainer(tmp_path: Path) -> None:
    run = train(
        {
            "env": str(EXAMPLES / "new_environment.py"),
            "trainer": {"id": str(EXAMPLES / "new_trainer.py"), "groups": 8, "learning_rate": 1e-3},
            "warm_start": {"max_updates": 20, "check_every": 20, "batch_size": 4},
            "rollout": {"max_reply_tokens": 4},
            "eval": {"episodes": 40, "validation_episodes": 40, "every": 5},
            "updates": 10,
            "output": tmp_path / "run",
        }
    )
    report = json.loads((run / "report.json").read_text())
    assert report["eval"]["after"]["reward"] > report["eval"]["before"]["reward"] + 0.1
    assert report["ledger"]["trained"] > 40


def test_tools() -> None:
    assert run("tools.py").endswith("You took a book.\n")


def test_plain_gymnasium() -> None:
    printed = run("plain_gymnasium.py")
    rewards = dict(re.findall(r"(.*): mean reward ([\d.]+)", printed))
    assert float(rewards["the expert"]) > 0.9 > float(rewards["at random"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("examples") / "run"
    return directory, run("train_on_it.py", directory)


@pytest.mark.slow
def test_train_on_it(trained: tuple[Path, str]) -> None:
    success = dict(re.findall(r"(before|after) training: success ([\d.]+)", trained[1]))
    assert float(success["after"]) >= max(0.8, float(success["before"]))


@pytest.mark.slow
def test_evaluate(trained: tuple[Path, str]) -> None:
    printed = run("evaluate.py", trained[0])
    greedy = re.search(r"temperature 0.0: success ([\d.]+)", printed)
    assert greedy is not None
    assert float(greedy[1]) > 0.5
    assert "  > " in printed
