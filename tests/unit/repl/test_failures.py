"""An evaluation that stops at each failure, and opens it where it ended."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agentgym.launch import evaluate
from agentgym.repl import failures
from tests.integration.finished import finished as finished
from tests.typed import Typed, agentgym

__all__ = ["agentgym"]


def stopped(run: Path, *lines: str, **options: Any) -> tuple[Any, list[Any], str]:
    """Score, episodes, and what was shown while these lines were typed."""
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False)
    typed = io.StringIO("\n".join(lines) + "\n")
    score, played = failures.evaluate({}, str(run), stdin=typed, console=console, **options)
    return score, played, out.getvalue()


def test_each_failure_is_opened_at_its_end_and_the_score_is_that_of_eval(finished: Path) -> None:
    asked: dict[str, Any] = {"episodes": 12, "temperature": 1.0, "seed": 3}
    score, played, shown = stopped(finished, **asked)
    plain, episodes = evaluate({}, str(finished), **asked)
    assert [each.turns for each in played] == [each.turns for each in episodes]
    assert (score.success, score.episodes) == (plain.success, 12)
    failed = [each for each in played if not each.success]
    assert 0 < len(failed) < 12
    assert shown.count(":quit plays the next task, :stop ends it all") == len(failed)
    assert "what follows was not played again" not in shown
    for i, each in enumerate(played, 1):
        assert f"{i}/12 task {each.task}: {'success' if each.success else 'failure'}" in shown


def test_a_failure_can_be_taken_back_and_the_evaluation_ended(finished: Path) -> None:
    _, every = evaluate({}, str(finished), episodes=6)
    first = next(i for i, each in enumerate(every) if not each.success)
    score, played, shown = stopped(finished, ":undo", ":history", ":stop", episodes=6)
    assert len(played) == score.episodes == first + 1
    assert f"turn {len(every[first].turns)}> :history" in shown
    _, played, shown = stopped(finished, ":quit", ":stop", episodes=6)
    assert sum(not each.success for each in played) == 2


def test_at_the_command_line(finished: Path, agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, printed, errors = agentgym(
        "eval", "--model", finished, "--episodes", 2, "--interactive", "--json", "score.json"
    )
    assert code == 0, errors
    assert json.loads(printed[printed.rindex("\n{") :]) == json.loads(Path("score.json").read_text())
    for further, told in (
        (["--samples", 2, "--temperature", 1], "--samples has no effect with --interactive"),
        (["--trajectories", "x"], "--trajectories has no effect with --interactive"),
        (["--search", "mcts"], "--search has no effect with --interactive"),
    ):
        code, _, errors = agentgym("eval", "--model", finished, "--interactive", *further)
        assert (code, told in errors) == (2, True)
