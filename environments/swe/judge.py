"""The judgement of an artifact, in a sandbox that no agent has been in.

Only what goes into the cases enters it; answers stay here (see ``grading``). What the code under test does there to its
process, to its files or to the program that calls it can at most keep values from coming.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from agentgym.environments.swe import driver
from agentgym.environments.swe.artifact import checkout
from agentgym.environments.swe.cases import cases_of
from agentgym.environments.swe.grading import failed_in, gain
from agentgym.environments.swe.tasks import Task, Trial
from agentgym.sandbox import Files, Sandbox

__all__ = ["ROOT", "Verdict", "judged", "unchanged"]

ROOT = "/repo"
_PLACE = "/tmp"
_SECONDS = 5.0
"""That a case may take."""

MakeSandbox: TypeAlias = Callable[[], Sandbox]


class Verdict(NamedTuple):
    """How many tests failed before, fail now, and are there."""

    before: int
    after: int
    tests: int

    @property
    def passed(self) -> float:
        """The share of the tests that pass."""
        return 1 - self.after / self.tests

    @property
    def gain(self) -> float:
        """The share of the failing tests that was won; 1 where all tests pass."""
        return gain(self.before, self.after)


def unchanged(task: Task) -> Verdict:
    """Of the repository as it was given."""
    return Verdict(task.num_failing, task.num_failing, _num_tests(task))


def judged(task: Task, artifact: Mapping[str, bytes], make: MakeSandbox) -> Verdict:
    """Run the tests of ``task`` on the artifact in a sandbox of its own."""
    with make() as sandbox:
        tree = checkout(task.files, task.source, artifact)
        placed = {f"{ROOT}/{path}": data for path, data in tree.items()}
        sandbox.restore(Files.of({**placed, f"{_PLACE}/driver.py": _text_of_driver()}))
        after = sum(_failed(sandbox, task, trial) for trial in _concerned(task, artifact))
    return Verdict(task.num_failing, after, _num_tests(task))


def _failed(sandbox: Sandbox, task: Task, trial: Trial) -> int:
    cases = [cases_of(trial.module)[number].calls for number in trial.numbers]
    module = f"{task.package}.{trial.module}"
    request = json.dumps({"root": f"..{ROOT}", "module": module, "cases": cases, "seconds": _SECONDS})
    command = ["python3", "-I", "-S", "driver.py"]
    result = sandbox.run(command, stdin=request.encode(), timeout=_SECONDS * (driver.MOST_HUNG + 2), cwd=_PLACE)
    return len(failed_in(trial.answers, result.stdout.decode("utf-8", "replace")))


def _concerned(task: Task, artifact: Mapping[str, bytes]) -> list[Trial]:
    """The trials that may come out otherwise than before: modules do not know each other, other files may."""
    own = {path: text.encode() for path, text in task.files.items() if path.startswith(task.source)}
    changed = {path for path in own.keys() | artifact.keys() if own.get(path) != artifact.get(path)}
    by_path = {f"{task.source}{trial.module}.py": trial for trial in task.trials}
    if not changed <= by_path.keys():
        return list(task.trials)
    return [trial for path, trial in by_path.items() if trial.failing or path in changed]


def _num_tests(task: Task) -> int:
    return sum(len(trial.numbers) for trial in task.trials)


@functools.cache
def _text_of_driver() -> bytes:
    return Path(driver.__file__).read_bytes()
