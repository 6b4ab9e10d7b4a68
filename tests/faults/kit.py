"""A small training run that is told by its command line, and what must be the same of two such runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from agentgym.archive import Archive
from agentgym.config import flattened
from agentgym.ledger import audit
from agentgym.run import Run
from agentgym.types import Trajectory
from tests.kit import BELL, NIGHTLY, ROOT

__all__ = [
    "SETTINGS",
    "Ended",
    "Nursery",
    "arguments",
    "assert_same",
    "episodes",
    "kept",
    "tensors",
    "timeless",
    "writes_library",
]

SETTINGS: dict[str, Any] = {
    "env": BELL,
    "model": {"id": "nano", "width": 32, "feed_forward": 32},
    "trainer": {"id": str(Path(__file__).parent / "everything.py")},
    "curriculum": {"id": "frontier", "replay": 0.8},
    "rollout": {"max_reply_tokens": 3},
    "warm_start": {"max_updates": 4, "check_every": 2, "learning_rate": 0.02, "warmup_updates": 0, "until": 0.9},
    "eval": {"episodes": 4, "validation_episodes": 4, "every": 2},
    "updates": 4,
    "checkpoint_seconds": 0,
    "keep_checkpoints": 4,
}


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """``settings`` as they are typed."""
    flags = ((key.removesuffix(".id"), json.loads(value)) for key, value in flattened(settings))
    return [word for key, value in flags for word in (f"--{key}", str(value))]


class Ended(NamedTuple):
    """How a run of ``nursery.py`` came out."""

    code: int
    """-9 where it was killed."""
    seconds: float
    killed: int
    """Processes that were."""
    writes: int
    """Calls that changed a file; 0 where they are not counted, or it was killed."""


class Nursery:
    """``nursery.py``, running; with ``writes`` (``writes_library``) it can kill in the middle of one."""

    patience = 10.0
    """Seconds in which all processes of a run that is over must be gone."""

    def __init__(self, log: Path, writes: Path | None = None, temporary: Path | None = None) -> None:
        self.log, self.library, self.temporary = log, writes, temporary
        preloaded = {} if writes is None else {"LD_PRELOAD": str(writes)}
        settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings, **preloaded},
        )
        assert self._answer() == "ready"

    def run(self, *typed: str, kill: Sequence[Any] | None = None) -> Ended:
        """``agentgym`` with these arguments; ``kill`` is a ``Kill`` of ``nursery.py``. No process of it may be left."""
        assert self.process.stdin is not None
        began = time.monotonic()
        command: dict[str, Any] = {"arguments": typed, "kill": kill, "log": str(self.log)}
        command |= {"temporary": str(self.temporary) if self.temporary else None, "patience": self.patience}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        code, killed, writes, left = json.loads(self._answer())
        assert left == [], (left, self.log.read_text()[-3000:])
        return Ended(code, time.monotonic() - began, killed, writes)

    def train(self, output: Path, *, kill_after: float | None = None, **changes: Any) -> tuple[int, float]:
        """A new run, or, where there is one, the same run going on."""
        return self.trained(output, None if kill_after is None else ([kill_after],), changes)[:2]

    def trained(self, output: Path, kill: Sequence[Any] | None, changes: Mapping[str, Any]) -> Ended:
        """The same, with any kill."""
        if (output / "config.json").exists():
            return self.run("train", "--resume", str(output), kill=kill)
        return self.run("train", *arguments({**SETTINGS, **changes, "output": str(output)}), kill=kill)

    def close(self) -> None:
        self.process.communicate(timeout=60)

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def writes_library(folder: Path) -> Path | None:
    """``writes.c``, compiled; None where there is no compiler."""
    library = folder / "writes.so"
    source = str(Path(__file__).with_name("writes.c"))
    if shutil.which("gcc") is None:
        return None
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", source, "-o", str(library), "-ldl"], check=True)
    return library


def assert_same(run: Path, whole: Path) -> None:
    """Weights and optimizers to the bit, metrics and ledger to the letter, but for what depends on the clock."""
    assert tensors(run) == tensors(whole)
    assert list(timeless(run / "metrics.jsonl")) == list(timeless(whole / "metrics.jsonl"))
    assert (run / "ledger.jsonl").read_bytes() == (whole / "ledger.jsonl").read_bytes()
    assert episodes(run) == episodes(whole)
    assert board(run) == board(whole)
    reports = [json.loads((each / "report.json").read_text()) for each in (run, whole)]
    for key in ("eval", "gain", "best_update", "ledger", "num_parameters"):
        assert reports[0][key] == reports[1][key]
    assert sum(audit(Run.open(run).ledger()).values()) == SETTINGS["updates"] * 8
    assert list(run.rglob("*.partial")) == []
    assert not (run / "corrupt").exists()


def episodes(run: Path) -> list[Trajectory]:
    """All that the archive has, each once."""
    with Archive.open(run) as archive:
        found = list(archive.episodes())
    names = [(episode.stage, episode.split, episode.update, episode.episode_id) for episode in found]
    assert len(set(names)) == len(names)
    return found


def kept(run: Path) -> list[str]:
    """Names of the checkpoints."""
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def tensors(run: Path) -> dict[str, str]:
    """SHA-256 of every tensor file: the best policy, and of each checkpoint weights, optimizers, critic, reference."""
    files = [*(run / "policy").glob("*.safetensors"), *(run / "checkpoints").rglob("*.safetensors")]
    return {str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def timeless(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of ``file`` without what depends on the clock."""
    for line in file.read_text().splitlines():
        values = json.loads(line)
        yield {key: value for key, value in values.items() if key != "time" and "seconds" not in key}


def board(run: Path) -> dict[str, Iterable[tuple[int, float]]]:
    """What TensorBoard shows."""
    read = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    read.Reload()
    tags = [tag for tag in read.Tags()["scalars"] if "seconds" not in tag]
    return {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in tags}


def either(trainers: Iterable[str]) -> list[Any]:
    """Each trainer in both modes that play ahead, as parameters: one of them at each change, the other at night."""
    return [
        pytest.param(trainer, mode, marks=[] if number % 2 == at else NIGHTLY)
        for number, trainer in enumerate(trainers)
        for at, mode in enumerate(("async", "fully-async"))
    ]


def everywhere(trainers: Iterable[str], often: tuple[str, str] | None = None) -> list[Any]:
    """Each trainer with environments in each place, as parameters: one place a trainer at each change, all at night."""
    places, params = ("loop", "threads", "processes"), []
    for number, trainer in enumerate(trainers):
        for place in places:
            marks = [pytest.mark.slow] if place == places[number % 3] else NIGHTLY
            params.append(pytest.param(trainer, place, marks=[] if (trainer, place) == often else marks))
    return params
