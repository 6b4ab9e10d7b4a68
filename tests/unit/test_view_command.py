"""``agentgym view``: what it prints as JSON, what it writes, what it serves, and what goes on from a turn on record."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from agentgym.viewer import answer
from agentgym.viewer.views import VIEWS
from tests.kit import ROOT
from tests.typed import Typed, agentgym
from tests.unit.viewer.kit import made, opened, plain

__all__ = ["agentgym"]


def test_json_is_what_the_page_is_told(tmp_path: Path, agentgym: Typed) -> None:
    run = made(tmp_path)
    code, printed, _ = agentgym("view", run, "--json", "episodes?success=true&limit=1")
    with opened(run) as sources:
        expected = answer(sources, "episodes", {"success": "true", "limit": "1"})
    assert (code, json.loads(printed)) == (0, plain(expected))


def test_every_view_is_named_in_the_help(agentgym: Typed) -> None:
    _, printed, _ = agentgym("view", "--help")
    words = set(re.findall(r"\w+", printed))
    assert words.issuperset(VIEWS.keys() - {"pulse"})


def test_the_page_is_written_as_a_file(tmp_path: Path, agentgym: Typed) -> None:
    code, printed, _ = agentgym("view", made(tmp_path), "--export", "page.html", "--episodes", 2)
    assert (code, printed) == (0, "page.html is written: open it in a browser, it needs nothing beside it\n")
    page = Path("page.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert len(json.loads(data)["episodes"][0]) == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--json", "runs", "--export", "p.html"], "--json prints, --export writes a page; leave one of them out"),
        (["--episodes", "3"], "--episodes has no effect without --export FILE"),
        (["--json", "rums"], 'there is no view "rums". Did you mean "runs"?'),
        (["--export", "/nowhere/p.html"], "cannot write /nowhere/p.html: No such file or directory"),
    ],
)
def test_what_cannot_be_is_told(flags: list[str], said: str, tmp_path: Path, agentgym: Typed) -> None:
    code, _, errors = agentgym("view", made(tmp_path), *flags)
    assert code == 2
    assert said in " ".join(errors.split())


def test_what_is_no_run_is_told(tmp_path: Path, agentgym: Typed) -> None:
    code, _, errors = agentgym("view", tmp_path / "nothing", "--json", "runs")
    assert (code, "there is no" in errors) == (2, True)


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agentgym.cli", "view", str(made(tmp_path)), "--no-open"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        with urllib.request.urlopen(f"{url}api/pulse", timeout=30) as reply:
            assert json.load(reply)[0][1] == 6
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130


# -- play from a turn on record --------------------------------------------------------------------------


def test_play_begins_before_a_turn_on_record(tmp_path: Path, agentgym: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentgym import repl

    begun: list[dict[str, Any]] = []
    monkeypatch.setattr(repl, "play", lambda settings, **how: begun.append({"settings": settings, **how}))
    run = made(tmp_path)
    assert agentgym("play", "toy", "--from", run, 3, 1)[0] == 0
    (how,) = begun
    assert (how["settings"]["env"]["id"], how["turn"], how["episode"].episode_id) == ("toy", 1, "1-1-0")
    code, _, errors = agentgym("play", "blocksworld", "--from", run, 3, 1)
    assert (code, f'{run} is of "toy", and env is "blocksworld"; type that one' in errors) == (2, True)
    code, _, errors = agentgym("play", "toy", "--from", run, 3, 1, "--seed", 4)
    assert (code, "--from says task and seed; leave --task, --split and --seed out" in errors) == (2, True)
    assert len(begun) == 1
