"""Findings for people and for machines."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from agentgym.doctor import Finding, as_json, findings_table

PASS = Finding(name="repeats_by_seed", status="pass", detail="4 episodes", seconds=1.26)
INFO = Finding(name="wins_as_expert", status="info", detail="left [out]: no expert", seconds=0.04)
FAIL = Finding(name="leaves_nothing_behind", status="FAIL", detail="left 2 threads")


def test_what_is_to_know_passes_and_what_is_broken_does_not() -> None:
    assert [finding.passed for finding in (PASS, INFO, FAIL)] == [True, True, False]


@pytest.mark.parametrize(("findings", "passed"), [([PASS, INFO], True), ([FAIL, PASS], False), ([], True)])
def test_findings_for_machines(findings: list[Finding], passed: bool) -> None:
    said = json.loads(as_json("deck", {"level": "n1"}, findings))
    assert (said["env"], said["options"], said["passed"]) == ("deck", {"level": "n1"}, passed)
    assert len(said["findings"]) == len(findings)


def test_a_finding_for_machines_has_all_of_it() -> None:
    (said,) = json.loads(as_json("deck", {}, [PASS]))["findings"]
    assert said == {"name": "repeats_by_seed", "status": "pass", "detail": "4 episodes", "seconds": 1.26}


def shown(*, color: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=color, color_system="standard" if color else None)
    console.print(findings_table([PASS, INFO, FAIL]))
    return out.getvalue()


def test_findings_for_people_are_a_row_each_word_for_word() -> None:
    assert [line.split() for line in shown().splitlines()] == [
        ["check", "s", "what", "was", "seen"],
        ["pass", "repeats", "by", "seed", "1.3", "4", "episodes"],
        ["info", "wins", "as", "expert", "0.0", "left", "[out]:", "no", "expert"],
        ["FAIL", "leaves", "nothing", "behind", "0.0", "left", "2", "threads"],
    ]


def test_each_status_has_its_color() -> None:
    _, *rows = shown(color=True).splitlines()
    assert [row.partition("m")[0] for row in rows] == ["\x1b[32", "\x1b[36", "\x1b[1;31"]
