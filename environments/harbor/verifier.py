"""The grading of what an agent leaves: its files in a sandbox of its own, the tests beside them, and the reward read.

The agent's processes are over by then. Of its files are left out what was written where the verifier writes and where
tests and solution lie, and what tests would run without being asked to, unless the image has the very same: files that
Python or pytest take up of themselves, modules that bear the name of one of theirs, programs on the search path.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from agentgym.environments.harbor.form import HarborTask
from agentgym.sandbox import Files, Sandbox

__all__ = ["LOGS", "Graded", "carried", "graded", "reward_in"]

LOGS, TESTS, SOLUTION = "/logs", "/tests", "/solution"
OURS = (LOGS, TESTS, SOLUTION)
_RUN_UNASKED = ("conftest.py", "sitecustomize.py", "usercustomize.py", "pytest.ini", ".pytest.ini", "tox.ini")
_THEIRS = sys.stdlib_module_names | {"pytest", "_pytest", "pluggy", "iniconfig", "packaging"}
_PROGRAMS = ("/root/.local", "/root/bin", "/root/.bashrc", "/root/.profile", "/root/.bash_profile")
_MOST_TOLD = 2000


class Graded(NamedTuple):
    """What the verifier came to."""

    reward: float
    rewards: dict[str, float]
    """Each number of it, by name."""
    problem: str
    """Why there is none, or ""."""
    said: str
    """The end of what the tests printed."""


def carried(files: Files, image: Files, path: str = "") -> Files:
    """Of the agent's files those that are graded; ``image`` has what was there before, ``path`` is the search path."""
    programs = (*_PROGRAMS, *filter(None, path.split(":")))
    kept = tuple(
        entry
        for entry in files.entries
        if not _is_under(entry.path, OURS)
        and (entry.what == getattr(image.get(entry.path), "what", None) or not _runs_unasked(entry.path, programs))
    )
    return Files(kept, files.contents)


def graded(sandbox: Sandbox, task: HarborTask, files: Files) -> Graded:
    """Run the task's tests on the files, in a sandbox where nobody has been."""
    sandbox.restore(files)
    for path, file in task.files("tests").items():
        sandbox.write(f"{TESTS}/{path}", file.read_bytes(), mode=0o755 if path.endswith(".sh") else 0o644, user="root")
    sandbox.run(["mkdir", "-p", f"{LOGS}/verifier"], cwd="/", user="root")
    phase = task.config.verifier
    result = sandbox.run(["bash", f"{TESTS}/test.sh"], timeout=phase.timeout_sec, env=phase.env, user="root")
    said = result.text[-_MOST_TOLD:]
    if result.timed_out:
        return Graded(0.0, {}, f"the tests took longer than {phase.timeout_sec:g} seconds", said)
    found = {name: _read(sandbox, f"{LOGS}/verifier/{name}") for name in ("reward.json", "reward.txt")}
    try:
        reward, rewards = reward_in({name: text for name, text in found.items() if text is not None})
    except ValueError as error:
        return Graded(0.0, {}, str(error), said)
    return Graded(reward, rewards, "", said)


def reward_in(found: Mapping[str, str]) -> tuple[float, dict[str, float]]:
    """The reward that ``reward.json``, or else ``reward.txt``, tells, and each of its numbers by name.

    Of several numbers it is the one called reward, or else their mean. Raises ValueError for anything else.

    >>> reward_in({"reward.txt": "1"}), reward_in({"reward.json": '{"a": 1, "b": 0.5}', "reward.txt": "0"})
    ((1.0, {'reward': 1.0}), (0.75, {'a': 1.0, 'b': 0.5}))
    """
    if "reward.json" in found:
        value = _json(found["reward.json"])
        rewards = dict(value) if isinstance(value, dict) else {"reward": value}
    elif "reward.txt" in found:
        rewards = {"reward": _json(found["reward.txt"].strip())}
    else:
        raise ValueError("the tests wrote neither reward.json nor reward.txt")
    numbers = {name: _number(name, value) for name, value in rewards.items()}
    if not numbers:
        raise ValueError("reward.json has no number in it")
    return numbers.get("reward", sum(numbers.values()) / len(numbers)), numbers


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"the reward is {text[:60]!r}, expected a finite number") from None


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} is {value!r:.60}, expected a finite number")
    return float(value)


def _read(sandbox: Sandbox, path: str) -> str | None:
    try:
        return sandbox.read(path, user="root").decode("utf-8", "replace")
    except OSError:
        return None


def _is_under(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _runs_unasked(path: str, programs: tuple[str, ...]) -> bool:
    name = path.rpartition("/")[2]
    shadows = name.removesuffix(".py") in _THEIRS and not _is_under(path, ("/tmp",))
    return name in _RUN_UNASKED or name.endswith(".pth") or shadows or _is_under(path, programs)
