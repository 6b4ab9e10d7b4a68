"""Whatever way an environment has to ``os._exit``, the run goes on; nobody else is held up."""

from __future__ import annotations

import os
import posix
from pathlib import Path
from typing import Any, NoReturn

import pytest

from agentgym.errors import UserError
from agentgym.exits import contained, own
from agentgym.registry import plugins


class Left(BaseException):
    """In place of the end of this process."""


@pytest.fixture(autouse=True)
def nobody_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(status: int) -> NoReturn:
        raise Left(status)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(posix, "_exit", leave)


LEAVES = """
import threading
from os import _exit
import agentgym

class Leaves(agentgym.Env):
    def leave(self):
        try:
            _exit(0)
        except BaseException as error:
            self.raised = error

    def begin(self):
        thread = threading.Thread(target=self.leave)
        thread.start()
        thread.join()
        return self.raised
"""


def loaded(file: Path, text: str) -> Any:
    file.write_text(text)
    return plugins("environments").get(f"{file}:Leaves")


def test_a_name_that_was_taken_when_the_file_was_imported_does_not_end_the_run_in_a_thread_either(
    tmp_path: Path,
) -> None:
    env = loaded(tmp_path / "leaves_in_a_thread.py", LEAVES)()
    assert (type(env.begin()), str(env.raised)) == (SystemExit, "os._exit(0)")


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("import os\nos._exit(3)", r"os\._exit\(3\)"),
        ("from os import _exit\n_exit(0)", r"os\._exit\(0\)"),
        ("import posix\nposix._exit(0)", r"os\._exit\(0\)"),
        ("import sys\nsys.exit('bye')", r"sys\.exit\('bye'\)"),
    ],
)
def test_a_file_that_leaves_when_it_is_imported_is_told(text: str, call: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf'leaves.py:Leaves" calls {call} when it is imported; what its file does'):
        loaded(tmp_path / "leaves.py", text)


def test_whoever_else_leaves_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(tmp_path / "leaves_alone.py", LEAVES)
    with pytest.raises(Left):
        os._exit(1)
    own(__file__)
    with pytest.raises(SystemExit):
        os._exit(1)
    with contained(), pytest.raises(SystemExit):
        os._exit(1)
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in a process that was forked from this one
    with pytest.raises(Left):
        os._exit(1)
