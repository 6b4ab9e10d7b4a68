"""How a long command gets on, where nobody watches a terminal."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from agentgym.progress import _Lines, _Reporter


def test_in_a_pipe_a_stage_is_told_by_tenths_by_minutes_and_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now, stream = [0.0], io.StringIO()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    reporter = _Lines(Console(file=stream, width=20))
    reporter.begin("test tasks", 40, "episodes")
    for done, at in ((3, 2.0), (4, 2.0), (8, 2.5), (9, 3.0), (10, 63.0), (11, 63.5), (39, 63.5), (40, 64.0)):
        now[0] = at
        reporter.advance(done, {"success": 0.25, "turns": 2.0} if done == 10 else {})
    assert stream.getvalue().splitlines() == [
        "test tasks: 40 episodes",
        "test tasks: 4/40 episodes, 2 s, 18 s left",
        "test tasks: 9/40 episodes, 3 s, 10 s left",
        "test tasks: 10/40 episodes, 63 s, 189 s left  success 0.250",
        "test tasks: 40/40 episodes, 64 s",
    ]


def test_what_is_told_is_no_markup_and_each_stage_counts_for_itself() -> None:
    stream = io.StringIO()
    reporter = _Lines(Console(file=stream, width=20))
    reporter.begin("training", 2, "updates")
    reporter.advance(2, {"loss": 0.5})
    reporter.begin("test", 4, "episodes")
    reporter.advance(1, {})
    reporter.note("said: [/SEP] [bold]a word that is longer than a line[/bold]")
    assert stream.getvalue().splitlines() == [
        "training: 2 updates",
        "training: 2/2 updates, 0 s  loss 0.500",
        "test: 4 episodes",
        "said: [/SEP] [bold]a word that is longer than a line[/bold]",
    ]


def test_at_a_terminal_notes_are_no_markup_either() -> None:
    stream = io.StringIO()
    _Reporter(Console(file=stream, width=80), None).note("see [bold]tasks[/bold] [link]")
    assert stream.getvalue() == "see [bold]tasks[/bold] [link]\n"
