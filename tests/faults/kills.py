"""Runs that are killed by chance until they are finished, and what must be so of each.

A case says how a run plays, where its environments are, who is killed, and whether the moment is one of time or a
write. Who knows of another place, or of another process that may die, adds a row to ``PLACES`` or ``VICTIMS``.
"""

from __future__ import annotations

import math
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.numpy import load_file

from agentgym.ledger import audit
from agentgym.run import Run
from tests.faults.kit import SETTINGS, Ended, Nursery, assert_same, episodes, tensors, timeless

__all__ = ["CLUSTERS", "MODES", "PLACES", "VICTIMS", "Case", "Kills", "Victim", "cases"]

MODES: dict[str, dict[str, Any]] = {
    "sync": {},  # ``everything.py``, whose next update depends on all that a checkpoint holds
    "async": {"mode": "async", "trainer": {"id": "ppo", "episodes": 8}},
    "fully-async": {"mode": "fully-async", "trainer": {"id": "ppo", "episodes": 8}},
}
PLACES: dict[str, dict[str, Any]] = {
    where: {"rollout": {**SETTINGS["rollout"], "hosts": where}} for where in ("loop", "threads", "processes")
}
CLUSTERS: dict[str, dict[str, Any]] = {"ray": {"cluster": {"id": "ray", "engines": 1}}}
"""Places that are chosen by name only: to start one takes half a minute."""
EPISODES = 8
"""An update, in every mode."""
TRIES, TOO_BUSY = 5, "Ray cannot be started here: The current node timed out during startup."
"""Ray gives its own processes half a minute."""
STALENESS = {"sync": 0, "async": 1, "fully-async": 2}


class Victim(NamedTuple):
    """Who is killed."""

    ways: Mapping[str, tuple[str, ...]]
    """Place → the way down from the trainer there, as ``nursery.Kill`` has it."""
    ends: bool = False
    """Whether the trainer ends with it."""
    costs: bool = True
    """Whether episodes are lost with it, which are played again once and not more."""


NURSERY, RAYLET, STATION = "hosts.processes.nursery", "raylet/raylet ", "ray::Station"
VICTIMS: dict[str, Victim] = {
    "trainer": Victim(dict.fromkeys((*PLACES, *CLUSTERS), ()), ends=True),
    "environment": Victim({"processes": (NURSERY, ""), "ray": (RAYLET, STATION, NURSERY, "")}),
    "nursery": Victim({"processes": (NURSERY,), "ray": (RAYLET, STATION, NURSERY)}),
    "station": Victim({"ray": (RAYLET, STATION)}),  # environments of a node
    "replica": Victim({"ray": (RAYLET, "ray::Replica")}, costs=False),  # an engine
    "raylet": Victim({"ray": (RAYLET,)}, ends=True),  # a node
    "head": Victim({"ray": ("gcs_server ",)}, ends=True),
}


class Case(NamedTuple):
    """A run, and how it is killed."""

    mode: str
    place: str
    victim: str
    moment: str
    """"time" or "write"; a write is the trainer's."""

    @property
    def name(self) -> str:
        return " ".join(self)


def cases(
    modes: Iterable[str] = tuple(MODES), places: Iterable[str] = tuple(PLACES), victims: Iterable[str] = tuple(VICTIMS)
) -> list[Case]:
    """All that there are."""
    found, modes = list[Case](), list(modes)
    for victim in victims:
        for place in (name for name in places if name in VICTIMS[victim].ways):
            for moment in ("time", "write") if victim == "trainer" and place in PLACES else ("time",):
                found += [Case(mode, place, victim, moment) for mode in modes]
    return found


class Whole(NamedTuple):
    """A run that nobody killed."""

    directory: Path
    ended: Ended

    @property
    def seconds(self) -> float:
        """From when it was there: what goes ahead of that is refused where an environment dies."""
        began = (self.directory / "config.json").stat().st_mtime
        return max(file.stat().st_mtime for file in self.directory.rglob("*")) - began


class Kills:
    """Kills runs under ``parent``."""

    def __init__(self, nursery: Nursery, parent: Path, *, seed: int) -> None:
        self.nursery, self.parent, self.rng = nursery, parent, random.Random(seed)
        self._whole: dict[tuple[str, str], Whole] = {}
        self._number = 0

    def whole(self, case: Case) -> Whole:
        """The run without a kill; where its environments are changes no bit of it, so it is made in each place."""
        key = (case.mode, case.place)
        if key not in self._whole:
            directory = self.parent / f"whole-{case.mode}-{case.place}"
            ended = self._trained(directory, None, case)
            assert ended.code == 0, self._told()
            self._whole[key] = Whole(directory, ended)
        return self._whole[key]

    def one(self, case: Case, at_most: int) -> int:
        """A run that is killed up to ``at_most`` times, finished and checked; how many processes were killed."""
        whole, self._number, killed = self.whole(case), self._number + 1, 0
        run = self.run
        for _ in range(at_most):
            ended = self._trained(run, self._kill(case, whole, at_most - killed), case)
            killed += ended.killed
            assert ended.code == 0 or self._is_told(case, ended), (ended, self._told())
            if ended.code == 0 or killed >= at_most:
                break
        if ended.code:
            ended = self._trained(run, None, case)
            assert ended.code == 0, self._told()
        check(run, whole.directory, case)
        if (temporary := self.nursery.temporary) is not None:
            left = [str(path.relative_to(temporary)) for path in temporary.rglob("*") if not path.is_dir()]
            for path in temporary.iterdir():  # no other run is blamed for it
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            assert left == [], f"files were left in the temporary directory: {left}"
        shutil.rmtree(run)
        return killed

    @property
    def run(self) -> Path:
        """The last one."""
        return self.parent / str(self._number)

    def _trained(self, run: Path, kill: list[Any] | None, case: Case) -> Ended:
        """As far as it comes; once more where nothing but the machine was in the way."""
        for _ in range(TRIES):
            ended = self.nursery.trained(run, kill, changes(case))
            if ended.code != 2 or TOO_BUSY not in self._told():
                break
        return ended

    def _kill(self, case: Case, whole: Whole, at_most: int) -> list[Any]:
        below = list(VICTIMS[case.victim].ways[case.place])
        if case.moment == "write":
            return [[], self.rng.randint(1, whole.ended.writes), below, 0]
        once, seconds = (str(self.run / "config.json"), whole.seconds) if below else (None, whole.ended.seconds)
        times = 1 if VICTIMS[case.victim].costs else at_most
        return [[self.rng.uniform(0, seconds) for _ in range(times)], None, below, self.rng.random(), once]

    def _is_told(self, case: Case, ended: Ended) -> bool:
        """A trainer ended by the kill; or what goes ahead of a run's episodes was, and nothing is written yet."""
        if case.victim == "trainer":
            return ended.code == -signal.SIGKILL
        if VICTIMS[case.victim].ends and ended.killed:
            return True  # Ray itself ends a program that has lost its node
        return ended.code == 2 and "breaks in its first episodes: the process " in self._told()

    def _told(self) -> str:
        return self.nursery.log.read_text()[-3000:]


def changes(case: Case) -> dict[str, Any]:
    return {**MODES[case.mode], **{**PLACES, **CLUSTERS}[case.place]}


def check(run: Path, whole: Path, case: Case) -> None:
    """Nothing lost, nothing doubled, nothing left behind, every number one; and in turns, the very same run."""
    num = SETTINGS["updates"] * EPISODES
    assert sum(audit(Run.open(run).ledger(), until=num).values()) == num
    seen = [line for line in Run.open(run).metrics() if line["stage"] == "train"]
    assert [line["update"] for line in seen] == list(range(1, SETTINGS["updates"] + 1))
    assert max(line.get("staleness_max", 0) for line in seen) <= STALENESS[case.mode]
    assert_every_episode_is_there_once(run)
    assert list(run.rglob("*.partial")) == []
    assert not (run / "corrupt").exists()
    for file in run.rglob("*.safetensors"):
        assert all(math.isfinite(float(abs(tensor).sum())) for tensor in load_file(file).values()), file
    if case.mode == "sync" and case.victim == "trainer":
        assert_same(run, whole)
    elif case.mode == "sync":
        assert_same_but_for_attempts(run, whole)


def assert_every_episode_is_there_once(run: Path) -> None:
    """The archive has what the ledger says was played, and has it once."""
    played = [episode.ordinal for episode in episodes(run) if (episode.stage, episode.split) == ("train", "train")]
    known = Counter(entry.ordinal for entry in Run.open(run).ledger())
    assert Counter(played) == known, f"{Counter(played)} in the archive, {known} in the ledger"


def assert_same_but_for_attempts(run: Path, whole: Path) -> None:
    """An episode whose environment was lost is played again, with the same seeds: it is the same episode."""
    assert tensors(run) == tensors(whole)
    assert (run / "ledger.jsonl").read_bytes() == (whole / "ledger.jsonl").read_bytes()
    assert list(lines(run)) == list(lines(whole))
    first = [episode.model_copy(update={"attempt": 0}) for episode in episodes(run)]
    assert first == episodes(whole)


def lines(run: Path) -> Iterator[Mapping[str, Any]]:
    for line in timeless(run / "metrics.jsonl"):
        yield {key: value for key, value in line.items() if "attempt" not in key and "retr" not in key}
