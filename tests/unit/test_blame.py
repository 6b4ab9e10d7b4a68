"""Whose line an error comes from, wherever somebody's own code is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import agentgym as package
from agentgym.blame import blamed, own_frames, place
from agentgym.corpus import corpus
from agentgym.listing import environments
from agentgym.loops import run
from agentgym.registry import KINDS, make, plugins
from tests.typed import Typed, agentgym

__all__ = ["agentgym"]


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """What is registered here is nothing to other tests."""
    yield
    for kind in KINDS:
        known = plugins(kind)._plugins
        for id in [id for id in known if id.startswith("odd_")]:
            del known[id]


def raised(code: str, file: Path) -> Exception:
    """What ``code`` raises, as if it stood in ``file``."""
    file.write_text(code)
    try:
        exec(compile(code, str(file), "exec"), {})
    except Exception as error:
        # Without the frames of this test, which is somebody's own file too.
        return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    raise AssertionError("it did not raise")


def test_the_last_line_of_somebodys_own_is_blamed_however_deep_a_library_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = raised("import json\n\n\ndef load():\n    return json.loads('{')\n\n\nload()\n", tmp_path / "mine.py")
    assert place(error) == "mine.py:5"
    assert blamed(error) == (
        "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\n"
        "  mine.py:8, in <module>: load()\n"
        "  mine.py:5, in load: return json.loads('{')"
    )
    assert place(ExceptionGroup("tasks", [error])) == "mine.py:5"
    monkeypatch.chdir("/")
    assert place(error) == f"{str(tmp_path)[1:]}/mine.py:5"


def test_a_line_that_is_no_python_is_blamed(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(package.UserError) as found:
        plugins("trainers").get(str(tmp_path / "odd.py"))
    assert isinstance(error := found.value.__cause__, SyntaxError)
    assert (
        blamed(error.with_traceback(None))
        == f"SyntaxError: invalid syntax\n  {tmp_path}/odd.py:2, in <module>: def f(:"
    )


def test_an_error_of_ours_or_a_librarys_is_nobodys_own(tmp_path: Path) -> None:
    for file in (package.__file__, json.__file__, "<string>"):
        try:
            exec(compile("1 / 0", file, "exec"), {})
        except ZeroDivisionError as error:
            theirs = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
        assert (own_frames(theirs), blamed(theirs)) == ([], "")
        assert place(theirs).endswith(f"{Path(file).name}:1")
    assert place(ValueError("never raised")) == ""


ENV = """import agentgym


@agentgym.register
class Odd(agentgym.Env):
    def __init__(self, what="reset"):
        self.what = what
        self.at("init")

    def at(self, what):
        if what == self.what:
            raise LookupError("no shelf")

    def tasks(self, split):
        self.at("tasks")
        return range(3)

    def reset(self, *, seed=None, options=None):
        self.at("reset")
        return "seen", {}

    def step(self, action):
        self.at("step")
        return "seen", 0.0, True, False, {}

    def expert(self):
        self.at("expert")
        return lambda seen: self.at("said") or "go"
"""


@pytest.mark.parametrize("what", ["init", "tasks", "reset", "step", "expert", "said"])
def test_an_environments_own_error_is_told_with_its_line_before_a_run(
    what: str, tmp_path: Path, agentgym: Typed
) -> None:
    file = tmp_path / f"odd_{what}.py"
    file.write_text(ENV)
    code, _, errors = agentgym("train", "--env", str(file), "--env.what", what, "--output", str(tmp_path / "run"))
    assert code == 2
    assert "LookupError: no shelf" in errors
    assert f"{file.name}:12" in errors
    assert not (tmp_path / "run").exists()


def test_an_environments_own_error_is_told_with_its_line_when_it_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "odd_listed.py"
    file.write_text(ENV.replace('what="reset"', 'what="tasks"'))
    env = make(str(file), what="step")
    (listed,) = environments(["odd_listed"])
    assert listed.problem.startswith("LookupError: no shelf (")
    assert listed.problem.endswith("odd_listed.py:12)")
    with pytest.raises(package.UserError, match=r"breaks in its first episodes: LookupError: no shelf \(.*:12\)$"):
        run(corpus(env))


CURRICULUM = """import agentgym
from agentgym.curriculum import Curriculum


@agentgym.register
class Odd(Curriculum):
    def draw(self, ordinal):
        raise LookupError("no task")
"""
TRAINER = """import agentgym
from agentgym.trainers.grpo import GRPO


@agentgym.register
class Odd(GRPO):
    def specs(self, update, draws):
        raise LookupError("no specs")
"""
PROTOCOL = """import agentgym
from agentgym.protocols.plain import Plain


@agentgym.register
class Odd(Plain):
    def parse(self, reply):
        raise LookupError("no word")
"""


@pytest.mark.parametrize(
    ("kind", "code", "line"),
    [
        ("curriculum", CURRICULUM, 8),
        ("trainer", TRAINER, 8),
        ("protocol", PROTOCOL, 8),
        ("trainer", "import agentgym\n\n\nimport no_such_package\n", 4),
        ("curriculum", "import agentgym\ndef f(:\n", 2),
    ],
)
def test_an_error_in_any_file_of_ones_own_is_told_with_its_line(
    kind: str, code: str, line: int, tmp_path: Path, agentgym: Typed, request: Any
) -> None:
    file = tmp_path / f"odd_{kind}_{line}.py"
    file.write_text(code)
    bell = Path(__file__).parents[2] / "examples" / "new_environment.py"
    small = ["--model.width", "16", "--model.feed_forward", "8", "--trainer.groups", "1"]
    small = small if kind != "trainer" else small[:4]
    output = str(tmp_path / "run")
    typed = ["--warm_start.enabled", "false", "--eval.episodes", "1", "--eval.validation_episodes", "1", *small]
    ended, _, errors = agentgym("train", "--env", str(bell), f"--{kind}", str(file), *typed, "--output", output)
    assert ended == 2
    assert f"{file.name}:{line}" in errors
    assert "Traceback" not in errors
