"""Whose a container is, and when its owner is dead: only what is known is said."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agentgym.sandbox.owner import LABEL, is_dead, labels


def named(**changes: Any) -> dict[str, str]:
    return {LABEL: json.dumps({**json.loads(labels()[LABEL]), **changes})}


def begun(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_who_runs_is_alive() -> None:
    assert not is_dead(labels())


def test_who_has_ended_is_dead() -> None:
    process = subprocess.Popen(["sleep", "100"])
    start = begun(process.pid)
    assert not is_dead(named(pid=process.pid, start=start))
    process.kill()
    process.wait()
    assert is_dead(named(pid=process.pid, start=start))


def test_a_number_that_is_used_again_is_not_its_owner() -> None:
    assert is_dead(named(start=1))


@pytest.mark.parametrize("changes", [{"boot": "x"}, {"namespace": "pid:[1]"}, {"pid": None}, {"pid": "x"}])
def test_who_cannot_be_looked_at_is_not_dead(changes: dict[str, Any]) -> None:
    assert not is_dead(named(start=1, **changes) if "pid" not in changes else named(**changes))


@pytest.mark.parametrize("found", [{}, {LABEL: ""}, {LABEL: "[]"}, {LABEL: "{}"}, {LABEL: "7"}])
def test_what_is_no_label_of_ours_is_nobody_s(found: dict[str, str]) -> None:
    assert not is_dead(found)


def test_a_name_with_parentheses_is_read(tmp_path: Path) -> None:
    program = tmp_path / "a) 1 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "100"])
    try:
        start = begun(process.pid)
        assert not is_dead(named(pid=process.pid, start=start))
    finally:
        process.kill()
        process.wait()
    assert os.getpid() == json.loads(labels()[LABEL])["pid"]
