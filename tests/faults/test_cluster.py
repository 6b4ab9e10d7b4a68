"""A run over two nodes, and what happens to it when they fail: every task keeps its one fate.

Real nodes of Ray, in network namespaces (``nodes``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.cluster import guard
from agentgym.ledger import audit
from agentgym.run import Run
from tests.faults.kit import arguments
from tests.faults.nodes import Nodes, two_nodes, why_not
from tests.kit import eventually, metrics

pytestmark = [pytest.mark.ray, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

PACED = str(Path(__file__).with_name("paced.py"))
SETTINGS: dict[str, Any] = {
    "model": {"id": "nano", "width": 32, "feed_forward": 32},
    "trainer": {"id": "grpo", "groups": 4, "group_size": 4},
    "rollout": {"max_reply_tokens": 3, "concurrency": 16},
    "warm_start": {"max_updates": 2, "check_every": 2, "batch_size": 4},
    "eval": {"episodes": 4, "validation_episodes": 4, "every": 100},
    "idle_updates": 1000,
    "checkpoint_seconds": 0,
}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as nodes:
        yield nodes


def settings(tmp_path: Path, updates: int, **env: Any) -> dict[str, Any]:
    notes = tmp_path / "notes"
    notes.mkdir(exist_ok=True)
    return {**SETTINGS, "updates": updates, "env": {"id": PACED, "notes": str(notes), **env}}


def on_cluster(nodes: Nodes, engines: int = 2) -> dict[str, Any]:
    return {"cluster": {"id": f"ray:{nodes.address}", "engines": engines}}


def number(run: Path) -> int:
    """Updates of the trainer so far."""
    if not (run / "metrics.jsonl").exists():
        return 0
    return sum(line["stage"] == "train" for line in metrics(run))


@contextlib.contextmanager
def started(nodes: Nodes, *typed: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = nodes.train(*typed, log=log)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def assert_whole(run: Path, updates: int) -> None:
    """Every task has one fate, and all updates were made."""
    fates = audit(Run.open(run).ledger())
    assert sum(fates.values()) == updates * SETTINGS["trainer"]["groups"]
    assert number(run) == updates


def same(run: Path, other: Path) -> None:
    """What was learned, but for how long it took."""
    timed = ("time", "seconds")

    def told(of: Path) -> list[dict[str, Any]]:
        lines = metrics(of)
        return [{key: value for key, value in line.items() if not key.endswith(timed)} for line in lines]

    assert told(run) == told(other)


def test_a_run_over_two_nodes_is_the_one_that_is_made_on_one_machine(nodes: Nodes, tmp_path: Path) -> None:
    """Bit by bit: environments on both nodes, an engine on each, seeds that say all."""
    asked = settings(tmp_path, 3)
    with started(nodes, *arguments({**asked, "output": str(tmp_path / "alone")}), log=tmp_path / "log") as alone:
        assert alone.wait(180) == 0, (tmp_path / "log").read_text()[-3000:]
    for note in (tmp_path / "notes").iterdir():
        note.unlink()
    typed = arguments({**asked, **on_cluster(nodes), "output": str(tmp_path / "run")})
    with started(nodes, *typed, log=tmp_path / "log") as process:
        assert process.wait(180) == 0, (tmp_path / "log").read_text()[-3000:]
    assert {note.name for note in (tmp_path / "notes").iterdir()} == {nodes.inode("a"), nodes.inode("b")}
    assert_whole(tmp_path / "run", 3)
    same(tmp_path / "run", tmp_path / "alone")

    def left() -> list[int]:
        return [pid for node in "ab" for part in ("ray::Station", "ray::Replica") for pid in nodes.named(node, part)]

    assert eventually(lambda: not left(), seconds=30)


def test_learners_on_both_nodes_learn_what_one_does(nodes: Nodes, tmp_path: Path) -> None:
    """Three ranks: who trains, and one on each node."""
    log = tmp_path / "log"
    asked = settings(tmp_path, 3)
    with started(nodes, *arguments({**asked, "output": str(tmp_path / "alone")}), log=log) as alone:
        assert alone.wait(180) == 0, log.read_text()[-3000:]
    cluster = {"cluster": {"id": f"ray:{nodes.address}", "engines": 0, "learners": 3}}
    with started(nodes, *arguments({**asked, **cluster, "output": str(tmp_path / "run")}), log=log) as process:
        assert eventually(lambda: bool(nodes.named("b", "ray::Recruit")) or process.poll() is not None, seconds=120)
        assert process.wait(180) == 0, log.read_text()[-3000:]
    assert_whole(tmp_path / "run", 3)
    for one, other in zip(metrics(tmp_path / "run"), metrics(tmp_path / "alone"), strict=True):
        for name in ("loss", "reward", "success"):
            assert one.get(name) == pytest.approx(other.get(name), abs=1e-4)


def test_a_node_that_fails_that_is_cut_off_and_that_joins_again(nodes: Nodes, tmp_path: Path) -> None:
    """All in one run. It goes on without the node, and uses it as soon as it is there again."""
    run, log, notes = tmp_path / "run", tmp_path / "log", tmp_path / "notes"
    updates = 60
    asked = {**settings(tmp_path, updates, seconds=0.2), **on_cluster(nodes), "output": str(run)}
    with started(nodes, *arguments(asked), log=log) as process:

        def goes_on(further: int) -> None:
            """Or is over."""
            until = min(updates, number(run) + further)
            assert eventually(lambda: number(run) >= until or process.poll() is not None, seconds=120), log.read_text()

        def joined_again() -> None:
            nodes.start("b")
            (notes / nodes.inode("b")).unlink(missing_ok=True)
            assert eventually(lambda: (notes / nodes.inode("b")).exists() or process.poll() is not None, seconds=60), (
                log.read_text()
            )

        goes_on(2)
        nodes.kill("b")
        goes_on(4)
        joined_again()
        goes_on(2)
        nodes.cut()
        goes_on(4)
        nodes.mend()
        nodes.kill("b")  # what is left there was given up by the rest
        joined_again()
        assert number(run) < updates, "it was over before the node was back"
        assert process.wait(240) == 0, log.read_text()[-3000:]
    assert_whole(run, updates)


def test_a_run_whose_head_fails_is_resumed_on_another(nodes: Nodes, tmp_path: Path) -> None:
    """With its head a cluster is lost, and with that the program; what it had learned is not."""
    run, log = tmp_path / "run", tmp_path / "log"
    updates = 40  # half a minute: what is left of the cluster may go on for a while before Ray ends the program
    asked = {**settings(tmp_path, updates, seconds=0.2), **on_cluster(nodes), "output": str(run)}
    with started(nodes, *arguments(asked), log=log) as process:
        assert eventually(lambda: number(run) >= 2 or process.poll() is not None, seconds=120), log.read_text()
        own = {process.pid, *nodes.named("a", "agentgym.cli")}
        nodes.kill("a", but=own)
        assert process.wait(120) != 0
    for node in "ab":
        nodes.kill(node)
    for node in "ab":
        nodes.start(node)
    with started(nodes, "--resume", str(run), log=log) as process:
        assert process.wait(240) == 0, log.read_text()[-3000:]
    assert_whole(run, updates)


def test_whoever_has_another_token_is_not_answered(nodes: Nodes, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("0" * 64)
    code = f"import ray; ray.init(address='{nodes.address}', logging_level='ERROR')"
    told = {"RAY_AUTH_TOKEN_PATH": str(other)}
    assert nodes.run(sys.executable, "-c", code, log=tmp_path / "log", more=told).wait(120) != 0
    assert nodes.run(sys.executable, "-c", code, log=tmp_path / "log").wait(120) == 0


def test_a_cluster_that_asks_nobody_for_a_token_is_refused(tmp_path: Path) -> None:
    with two_nodes(started=False) as nodes:
        nodes.asks_nobody = True
        nodes.start("a")
        asked = arguments({**settings(tmp_path, 1), **on_cluster(nodes, 1), "output": str(tmp_path / "run")})
        with started(nodes, *asked, log=tmp_path / "log") as process:
            assert process.wait(120) == 2, (tmp_path / "log").read_text()[-3000:]
    assert "asks nobody for a token" in (tmp_path / "log").read_text()
    assert not (tmp_path / "run").exists()


def test_a_program_starts_one_after_the_other(tmp_path: Path) -> None:
    """Ray keeps what it was told first of a token."""
    code = (
        "import asyncio\n"
        "from agentgym.cluster.connection import joined\n"
        "async def nodes():\n"
        "    async with joined(None) as cluster:\n"
        "        return len(await cluster.nodes())\n"
        "assert [asyncio.run(nodes()) for _ in range(2)] == [1, 1]\n"
    )
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.run([sys.executable, "-c", code], stdout=log, stderr=log, timeout=200, check=False)
    assert started.returncode == 0, (tmp_path / "log").read_text()[-3000:]


def test_nothing_of_a_cluster_outlives_a_program_that_is_killed() -> None:
    """Ray's agents would, for a minute, and its directory for good."""
    code = (
        "import asyncio\n"
        "from agentgym.cluster.connection import joined\n"
        "async def held():\n"
        "    async with joined(None):\n"
        "        print('joined', flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(held())\n"
    )
    with tempfile.TemporaryDirectory(prefix="ag", dir="/tmp") as place:  # of a short name: Ray's sockets are there
        command, environment = [sys.executable, "-c", code], {**os.environ, "TMPDIR": place}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"joined\n"
            assert len(set(guard.writers(place)) - {process.pid}) > 3
            process.kill()
        assert eventually(lambda: not list(guard.writers(place)) and not list(Path(place).iterdir()), seconds=30)
