"""Runs are killed by chance: resumed, nothing is lost, doubled or left behind, and in turns it is the very same run.

AGENTGYM_KILLS sets how many kills the slow test sends; ``python -m tests.faults.kill_runs`` sends as many as one likes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.ledger import Entry
from agentgym.run import Run
from tests.faults import kills as of_kills
from tests.faults.kill_runs import killing
from tests.faults.kills import CLUSTERS, MODES, PLACES, VICTIMS, Case, Kills, cases
from tests.faults.kit import Nursery, writes_library
from tests.kit import NIGHTLY

NUM_KILLS = int(os.environ.get("AGENTGYM_KILLS", "4"))
AT_WRITE = """
import ctypes, os, sqlite3, sys
from pathlib import Path
writes = ctypes.CDLL(os.environ["LD_PRELOAD"])
writes.arm(ctypes.c_long(int(sys.argv[1])))
os.chdir(sys.argv[2])
Path("a").write_text("abcdefgh")
os.rename("a", "b")
Path("folder").mkdir()
os.unlink("b")
if not os.fork():
    Path("child").write_text("not counted")
    os._exit(0)
os.wait()
print(writes.counted())
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = writes_library(tmp_path_factory.mktemp("library"))
    if library is None:
        pytest.skip("needs gcc")
    return library


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (0, {"child": "not counted", "folder": None}),
        (1, {"a": "abcd"}),
        (2, {"a": "abcdefgh"}),
        (3, {"b": "abcdefgh"}),
        (4, {"b": "abcdefgh", "folder": None}),
    ],
)
def test_a_process_dies_in_the_middle_of_a_write(
    at: int, left: dict[str, str | None], library: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", AT_WRITE, str(at), str(tmp_path)],
        env={"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == ((-signal.SIGKILL, "") if at else (0, "4\n")), done.stderr
    assert {each.name: each.read_text() if each.is_file() else None for each in tmp_path.iterdir()} == left


def test_every_mode_meets_every_place_and_every_victim_that_is_there() -> None:
    found = cases()
    assert len(found) == len(set(found)) == len(MODES) * (2 * len(PLACES) + 2)
    assert {case.mode for case in found} == set(MODES)
    for name, victim in VICTIMS.items():
        assert {case.place for case in found if case.victim == name} == set(victim.ways) - set(CLUSTERS)
    assert len(cases(places=CLUSTERS)) == len(MODES) * 7
    assert {case.moment for case in found if case.victim != "trainer"} == {"time"}


@pytest.mark.parametrize(
    ("ordinals", "played"), [([0, 1, 1], [0, 1, 1]), ([0], [0]), ([0, 1], [0]), ([0, 1], [0, 1, 1]), ([0, 2], [0, 2])]
)
def test_what_is_lost_or_doubled_is_found(
    ordinals: list[int], played: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def told(ordinals: list[int], played: list[int]) -> None:
        entries = [Entry(ordinal=each, task=each, update=1, fate="trained") for each in ordinals]

        class Shown:
            ledger = staticmethod(lambda: entries)
            metrics = staticmethod(lambda: [{"stage": "train", "update": 1}])

        episodes: list[Any] = [type("E", (), {"stage": "train", "split": "train", "ordinal": n}) for n in played]
        monkeypatch.setattr(Run, "open", lambda _: Shown)
        monkeypatch.setattr(of_kills, "episodes", lambda _: episodes)
        monkeypatch.setattr(of_kills, "SETTINGS", {"updates": 1})
        monkeypatch.setattr(of_kills, "EPISODES", 2)
        of_kills.check(tmp_path, tmp_path, Case("async", "loop", "trainer", "time"))

    told([0, 1], [1, 0])
    with pytest.raises(Exception, match=r"task ordinal|Counter"):
        told(ordinals, played)


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kills]:
    with killing(tmp_path_factory.mktemp("kills"), seed=5) as kills:
        yield kills


def of_case(case: Case) -> Any:
    """At each change those whose trainer dies at a write, one a mode; at night all."""
    often = case in {Case(mode, place, "trainer", "write") for mode, place in zip(MODES, PLACES, strict=True)}
    often = often or case == Case("sync", "processes", "environment", "time")
    return pytest.param(case, marks=pytest.mark.slow if often else NIGHTLY, id=case.name)


@pytest.mark.parametrize("case", [of_case(case) for case in cases()])
def test_killed_by_chance(case: Case, kills: Kills) -> None:
    if case.moment == "write" and kills.nursery.library is None:
        pytest.skip("needs gcc")
    killed, tries = 0, 0
    while killed < max(1, NUM_KILLS // 4) and tries < 20:
        killed, tries = killed + kills.one(case, 3), tries + 1
    assert killed


@pytest.mark.slow
def test_what_outlives_a_run_is_found(tmp_path: Path) -> None:
    """A process that somebody starts and leaves is told by the nursery, and so is shared memory, where root asks."""
    env = tmp_path / "leaving.py"
    env.write_text(
        "import subprocess, agentgym\nfrom pathlib import Path\n\n\n@agentgym.register\nclass Leaving(agentgym.Env):\n"
        "    def reset(self, *, seed=None, options=None):\n"
        '        subprocess.Popen(["sleep", "61"], start_new_session=True)\n'
        '        Path("/dev/shm/agentgym-left").touch()\n        return "?", {}\n\n'
        '    def step(self, action):\n        return ".", 0.0, True, False, {}\n'
    )
    nursery = Nursery(tmp_path / "log.txt")
    told = "sleep 61.*agentgym-left" if os.geteuid() == 0 else "sleep 61"
    with pytest.raises(AssertionError, match=told):
        nursery.run("doctor", str(env), "--quick")
    assert not Path("/dev/shm/agentgym-left").exists()
    nursery.close()
