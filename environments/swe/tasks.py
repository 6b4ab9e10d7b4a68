"""Repositories with bugs in them, and the issues that tell of these: drawn by level, split and number.

- s1: one module, cut down to what the function in question needs; the issue names file and function, and a test fails;
- s2: two modules; the issue names a function and a call that goes wrong, and the tests that are there pass;
- s3: four modules; the issue tells in words what goes wrong, and nothing by name;
- s4: six modules, and two bugs in two of them.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Literal, TypeAlias

import numpy as np

from agentgym.environments._options import Split
from agentgym.environments.swe.bugs import Known, known_bugs, source_of
from agentgym.environments.swe.cases import CASES_OF_ALL, cases_of, complaints_of
from agentgym.environments.swe.grading import answers_of
from agentgym.environments.swe.slicing import sliced
from agentgym.environments.swe.written import called, test_file

__all__ = ["LEVELS", "Level", "Repair", "Task", "Trial", "task_of"]

Level: TypeAlias = Literal["s1", "s2", "s3", "s4"]
LEVELS: dict[Level, int] = {"s1": 8, "s2": 12, "s3": 20, "s4": 30}
"""Level → turns that an episode may have."""
_SIZES: dict[Level, int] = {"s1": 1, "s2": 2, "s3": 4, "s4": 6}
"""Level → modules in the repository."""

_PACKAGES = ("toolbox", "basics", "helpers", "office", "workshop", "common", "parts", "engine", "studio", "depot")


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """A module and the cases that it is tried with."""

    module: str
    numbers: tuple[int, ...]
    """Of the cases."""
    failing: tuple[int, ...]
    """Those of them that fail before the repair."""

    @property
    def answers(self) -> tuple[str, ...]:
        """What must come out."""
        return tuple(answers_of(self.module)[number] for number in self.numbers)


@dataclasses.dataclass(frozen=True, slots=True)
class Repair:
    """The change to a file that takes a bug out."""

    path: str
    old: str
    """As it stands there once and no more."""
    new: str


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """A repository, its issue, and what is known of both."""

    package: str
    issue: str
    files: dict[str, str]
    """Path in the repository → text."""
    trials: tuple[Trial, ...]
    repairs: tuple[Repair, ...]

    @property
    def source(self) -> str:
        """The folder that the repair is looked for in."""
        return f"{self.package}/"

    @property
    def num_failing(self) -> int:
        """Tests that fail before the repair."""
        return sum(len(trial.failing) for trial in self.trials)


@functools.lru_cache(maxsize=256)  # the episodes of a group are of one task
def task_of(number: int, split: Split, level: Level, seed: int) -> Task:
    """The task of a number."""
    rng = np.random.default_rng([seed, int(level[1:]), number])
    bugs = _draw_bugs(level, split, rng)
    broken = [known.module for known in bugs]
    others = [module for module in CASES_OF_ALL if module not in broken]
    chosen = [others[i] for i in rng.choice(len(others), size=_SIZES[level] - len(bugs), replace=False)]
    package = _PACKAGES[int(rng.integers(len(_PACKAGES)))]
    modules = sorted([*broken, *chosen])
    by_module = {known.module: known for known in bugs}
    trials = [_trial(module, by_module.get(module), level) for module in modules]
    files = _files(package, trials, by_module, level, rng)
    return Task(
        package=package,
        issue=" Also: ".join(_issue(known, package, level, rng) for known in bugs),
        files=files,
        trials=tuple(trials),
        repairs=tuple(_repair(f"{package}/{known.module}.py", *_texts(known, level)) for known in bugs),
    )


def _draw_bugs(level: Level, split: Split, rng: np.random.Generator) -> list[Known]:
    found: list[Known] = []
    known = known_bugs(split, plain=level in ("s1", "s2"))
    while len(found) < (2 if level == "s4" else 1):
        one = known[int(rng.integers(len(known)))]
        if one.module not in [other.module for other in found]:
            found.append(one)
    return found


def _texts(known: Known, level: Level) -> tuple[str, str]:
    """The module with its bug, and without."""
    right = source_of(known.module)
    wrong = known.bug.put_into(right)
    return (sliced(wrong, known.names), sliced(right, known.names)) if level == "s1" else (wrong, right)


def _trial(module: str, known: Known | None, level: Level) -> Trial:
    cases = cases_of(module)
    kept = tuple(
        number for number, case in enumerate(cases) if known is None or level != "s1" or case.calls[0][0] in known.names
    )
    failing = () if known is None else tuple(number for number in known.failing if number in kept)
    return Trial(module, kept, failing)


def _files(
    package: str, trials: list[Trial], bugs: dict[str, Known], level: Level, rng: np.random.Generator
) -> dict[str, str]:
    files = {
        "README.md": f"# {package}\n\nRun the tests with: python3 -m unittest discover -s tests -t .\n",
        f"{package}/__init__.py": "",
        "tests/__init__.py": "",
    }
    for trial in trials:
        known = bugs.get(trial.module)
        text = source_of(trial.module) if known is None else _texts(known, level)[0]
        files[f"{package}/{trial.module}.py"] = text
        files[f"tests/test_{trial.module}.py"] = test_file(package, trial.module, _shown(trial, level, rng))
    return files


def _shown(trial: Trial, level: Level, rng: np.random.Generator) -> list[int]:
    """The cases that stand among the tests of the repository: half of those that pass, and in s1 one that fails."""
    passing = [number for number in trial.numbers if number not in trial.failing]
    shown = [number for number in passing if rng.random() < 0.5] or passing[:1]
    return sorted([*shown, trial.failing[0]]) if level == "s1" else shown


def _issue(known: Known, package: str, level: Level, rng: np.random.Generator) -> str:
    trial, function = _trial(known.module, known, level), known.bug.function
    if level in ("s3", "s4"):
        return f"In some cases {complaints_of(known.module)[function]}."
    number = trial.failing[0 if level == "s1" else int(rng.integers(len(trial.failing)))]
    where = f" in {package}/{known.module}.py" if level == "s1" else ""
    return f"{function}{where} is wrong: {called(cases_of(known.module)[number], answers_of(known.module)[number])}"


def _repair(path: str, wrong: str, right: str) -> Repair:
    """The fewest whole lines around the difference that stand in the wrong text only once."""
    old, new = wrong.split("\n"), right.split("\n")
    first = next(i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    last = next(i for i, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b)
    last = min(last, len(old) - first, len(new) - first)
    while True:
        found = "\n".join(old[first : len(old) - last])
        if found.strip() and wrong.count(found) == 1:
            return Repair(path, found, "\n".join(new[first : len(new) - last]))
        first, last = max(first - 1, 0), max(last - 1, 0)
