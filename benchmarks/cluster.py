"""What Ray costs on one node, what a second node brings, and what is left of it while things are killed.

    pip install torch==2.13.0 && pip install -e '.[ray,test]'
    python -m benchmarks.cluster [--parts one two kills] [--seconds 600] [--json FILE]

- ``one``: episodes of webshop a second with ``--cluster ray`` over those without, on one core of torch's each; the two
  take turns (A B B A …), the ratio is the median over the rounds. Of two models made from nothing: nano, of whose turns
  each takes a few milliseconds, and one that is wider and deeper, whose turns take longer.
- ``two``: replies that wait (``paced_engine``: 4 at once, 0.2 s each), of an engine on one node and of one on each of
  two, in network namespaces. Needs root and iproute2.
- ``kills``: the same for ``--seconds`` while every 20 seconds an environment, all of a node's environments, an engine
  or a whole node is killed, which comes back; beside 60 seconds without. Each episode that is asked for must come once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agentgym.flags import parse_flags
from agentgym.launch.evaluation import play_tasks
from agentgym.launch.parts import Parts, assembled
from agentgym.launch.resolving import resolve
from agentgym.rollout import EpisodeSpec, engine_actor, seed_of
from tests.faults.nodes import Nodes, two_nodes

ROOT = Path(__file__).parents[1]
PACED = [
    *("--env", str(ROOT / "tests/faults/paced.py"), "--engine", str(ROOT / "benchmarks/paced_engine.py")),
    *("--model", "nano", "--model.width", "32", "--env.turns", "6", "--rollout.concurrency", "32"),
]
LARGER = ["--model.width", "192", "--model.feed_forward", "768", "--model.layers", "6"]
ROUNDS, EPISODES = 3, 24
BETWEEN_KILLS = 20.0

Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=["one", "two", "kills"], default=["one", "two", "kills"])
    parser.add_argument("--seconds", type=float, default=600.0, help="of kills")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--play", nargs=3, metavar=("ADDRESS", "ENGINES", "SECONDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        address, engines, seconds = arguments.play
        return print(json.dumps(asyncio.run(for_a_while(address, int(engines), float(seconds)))))
    rows: Rows = {}
    if "one" in arguments.parts:
        rows |= asyncio.run(one_node("nano", []))
        rows |= asyncio.run(one_node("a larger one", LARGER))
    if "two" in arguments.parts:
        rows |= second_node()
    if "kills" in arguments.parts:
        rows |= under_kills(arguments.seconds)
    for name, row in rows.items():
        print(f"{name:60} {row['value']:>8} {row['unit']:8} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return None


@contextlib.asynccontextmanager
async def ready(*typed: str) -> AsyncIterator[Parts]:
    async with assembled(resolve(parse_flags(typed))) as parts:
        await parts.publish(0)
        await parts.env.fetch("test")
        yield parts


# -- one node ------------------------------------------------------------------------------------------


async def one_node(model: str, flags: list[str]) -> Rows:
    typed = ["--env", "webshop", "--threads", "1", *flags]
    async with ready(*typed) as here, ready(*typed, "--cluster", "ray") as there:
        seconds: dict[str, list[float]] = {"here": [], "there": []}
        played: dict[str, list[str]] = {}
        sides = {"here": here, "there": there}
        for round in range(-1, ROUNDS):
            for side in ("here", "there") if round % 2 else ("there", "here"):
                began = time.perf_counter()
                episodes = await episodes_of(sides[side])
                if round >= 0:
                    seconds[side].append(time.perf_counter() - began)
                played[side] = [turn.reply for episode in episodes for turn in episode.turns]
        assert played["here"] == played["there"], "the two did not do the same work"
    ratios = [a / b for a, b in zip(seconds["here"], seconds["there"], strict=True)]
    turn = 1000 * statistics.median(seconds["here"]) / len(played["here"])
    return {
        f"{model}: episodes a second on Ray, one node / without": row(statistics.median(ratios), "ratio", ">= 0.9"),
        f"{model}: a turn without": row(turn, "ms", "-"),
    }


async def episodes_of(parts: Parts) -> Any:
    tasks = parts.env.tasks("test")[:EPISODES]
    return await play_tasks(parts.rollout, parts.engine, tasks, split="test", temperature=1.0, seed=0)


# -- two nodes -----------------------------------------------------------------------------------------


async def for_a_while(address: str, engines: int, seconds: float) -> dict[str, Any]:
    """Episodes of a cluster, one for each that has ended."""
    with tempfile.TemporaryDirectory() as notes:
        cluster = ["--cluster", f"ray:{address}", "--cluster.engines", str(engines), "--env.notes", notes]
        async with ready(*PACED, *cluster) as parts:
            actor = engine_actor(parts.engine, temperature=1.0)
            print("begun", flush=True)
            ended: list[str] = []
            voids, attempts, began = 0, 0, time.perf_counter()

            async def lane(number: int) -> None:
                nonlocal voids, attempts
                for index in range(10**9):
                    if time.perf_counter() - began >= seconds:
                        return
                    spec = EpisodeSpec(task=None, seed=seed_of(number, index) % 2**31, episode_id=f"{number}-{index}")
                    (played,) = await parts.rollout.run([spec], actor, release=parts.engine.release, shaped=False)
                    ended.append(played.episode_id)
                    voids += played.stop_reason.is_void
                    attempts += 1 + played.attempt

            await asyncio.gather(*map(lane, range(32)))
            took = time.perf_counter() - began
            assert len(ended) == len(set(ended))
            return {"episodes": len(ended), "seconds": took, "void": voids, "attempts": attempts}


class Playing:
    """``for_a_while``, in a process of the first node."""

    def __init__(self, nodes: Nodes, engines: int, seconds: float) -> None:
        self.out = nodes.directory / f"out-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "benchmarks.cluster", "--play", nodes.address, str(engines), str(seconds)]
        self.process = nodes.run(*command, log=self.out)
        while "begun" not in self.out.read_text():
            if self.process.poll() is not None:
                raise SystemExit(self.out.read_text())
            time.sleep(0.1)

    def result(self) -> dict[str, Any]:
        if self.process.wait():
            raise SystemExit(self.out.read_text())
        found: dict[str, Any] = json.loads(self.out.read_text().strip().splitlines()[-1])
        return found


def rate(found: dict[str, Any]) -> float:
    return float((found["episodes"] - found["void"]) / found["seconds"])


def second_node() -> Rows:
    with two_nodes(started=False) as nodes:
        nodes.start("a")
        one = rate(Playing(nodes, 1, 30.0).result())
        nodes.start("b")
        two = rate(Playing(nodes, 2, 30.0).result())
        again = rate(Playing(nodes, 1, 30.0).result())
    return {"episodes a second on two nodes / one": row(2 * two / (one + again), "ratio", ">= 1.8")}


def under_kills(seconds: float) -> Rows:
    rng = random.Random(0)
    with two_nodes() as nodes:
        calm = Playing(nodes, 2, 60.0).result()
        playing = Playing(nodes, 2, seconds)
        killed: list[str] = []
        while playing.process.poll() is None:
            until = time.monotonic() + BETWEEN_KILLS
            while time.monotonic() < until and playing.process.poll() is None:
                time.sleep(0.2)
            if playing.process.poll() is None:
                killed.append(kill_something(nodes, rng))
                print(killed[-1], flush=True)
        found = playing.result()
    print(f"without kills {calm}, with {len(killed)} kills {found}")
    assert found["void"] == 0, "an episode was lost"
    return {
        "episodes a second under kills / without": row(rate(found) / rate(calm), "ratio", ">= 0.8"),
        "episodes lost or counted twice under kills": row(float(found["void"]), "episodes", "0"),
        "kills": row(float(len(killed)), "kills", "one in 20 s"),
    }


def kill_something(nodes: Nodes, rng: random.Random) -> str:
    """One of the things that there are; a node is started again."""
    node = rng.choice("ab")
    match rng.choice(["environment", "station", "engine", "node"]):
        case "environment" if victims := environments(nodes, node):
            os.kill(rng.choice(victims), signal.SIGKILL)
            return f"an environment on {node}"
        case "station" if victims := nodes.named(node, "ray::Station"):
            os.kill(victims[0], signal.SIGKILL)
            return f"all environments on {node}"
        case "engine" if victims := nodes.named(node, "ray::Replica"):
            os.kill(victims[0], signal.SIGKILL)
            return f"the engine on {node}"
    nodes.kill("b")
    nodes.start("b")
    return "node b"


def environments(nodes: Nodes, node: str) -> list[int]:
    """Processes of environments: children of one that imports them."""
    nurseries = {str(pid) for pid in nodes.named(node, "agentgym.hosts.processes.nursery")}
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, parent in map(str.split, listed.splitlines()) if parent in nurseries]


def row(value: float, unit: str, target: str) -> dict[str, float | str]:
    return {"value": round(value, 3), "unit": unit, "target": target}


if __name__ == "__main__":
    main()
