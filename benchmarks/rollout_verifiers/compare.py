"""Episodes a second of our rollout and of verifiers', on the same server, in turn.

    python benchmarks/rollout_verifiers/compare.py --theirs .venv-verifiers/bin/python [--program] [--json FILE]

Each side plays in a process of its own, and so does the server, which answers every request after 20 ms; 64 episodes
run at a time. The sides take turns (A B B A …), a ratio is the median over the pairs. What is timed is the playing:
imports, processes and the sides' own servers are up before. The server counts the requests and sums up what was in
them: a round counts only when both are what they have to be.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.tokenizer import ChatTokenizer
from benchmarks import latency
from benchmarks.rollout_verifiers import material

HERE = Path(__file__).resolve().parent
LATENCY = 0.02
EPISODES = {6: 64, 30: 64}
"""By the number of turns."""
PAIRS = 3
PROGRAM_EPISODES, PROGRAM_PAIRS = 4, 1
"""For the harness that starts a program at every turn, which takes long."""
TARGET = ">= 1.5"


@dataclasses.dataclass(frozen=True)
class Round:
    """What a round took."""

    episodes_per_second: float
    processor_per_episode: float
    server_share: float
    """Of one core."""
    digest: int


@dataclasses.dataclass
class Process:
    """Answers a line with a line."""

    popen: subprocess.Popen[str]
    name: str

    def read(self) -> Any:
        assert self.popen.stdout
        if not (line := self.popen.stdout.readline()):
            raise SystemExit(f"{self.name} ended before its time; what it said is above")
        return json.loads(line)

    def ask(self, question: Any = None) -> Any:
        assert self.popen.stdin
        self.popen.stdin.write(json.dumps(question) + "\n")
        self.popen.stdin.flush()
        return self.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--theirs", required=True, help="the interpreter of an environment with verifiers")
    parser.add_argument("--program", action="store_true", help="also the harness null, which starts programs")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    hf = byte_tokenizer(reserved=material.RESERVED)
    tokenizer = ChatTokenizer(hf)
    reply_ids = [*tokenizer.encode(material.REPLY), tokenizer.stop_token_ids[0]]
    with tempfile.TemporaryDirectory() as folder, started(sys.executable, "server.py", LATENCY, reply_ids) as server:
        hf.save_pretrained(folder)
        bench = Bench(server, server.read(), arguments.theirs, folder)
        rows = bench.measure("text", "lines") | bench.measure("tokens", "lines")
        if arguments.program:
            rows |= bench.measure_program()
    latency.report(rows, arguments.json)


@contextlib.contextmanager
def started(python: str, *command: object) -> Iterator[Process]:
    """A process in this folder; its standard input is closed in the end, upon which it ends."""
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    environment["PYTHONPATH"] = str(HERE.parent.parent)  # theirs has not this project installed
    script, *rest = map(str, command)
    with subprocess.Popen(
        [python, str(HERE / script), *rest], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as popen:
        yield Process(popen, script)
        assert popen.stdin
        popen.stdin.close()


@dataclasses.dataclass(frozen=True)
class Bench:
    """A server that is up, and how the sides are started."""

    server: Process
    port: int
    theirs: str
    tokenizer: str

    def measure(self, form: material.Form, harness: str) -> latency.Rows:
        """Short and long episodes."""
        rows: latency.Rows = {}
        with self.sides(form, harness) as sides:
            for side in sides:
                self.play(side, material.CONCURRENCY, min(EPISODES))  # connections are made, code is warm
            for turns, num_episodes in EPISODES.items():
                rounds = self.pairs(sides, num_episodes, turns, PAIRS)
                rows |= rows_of(f"{form}, {turns} turns", rounds, turns)
        return rows

    def measure_program(self) -> latency.Rows:
        """The harness that verifiers ships for this, few episodes at a time."""
        with self.sides("text", "null") as sides:
            for side in sides:
                self.play(side, 1, 1)  # the program's environment is built
            rounds = self.pairs(sides, PROGRAM_EPISODES, min(EPISODES), PROGRAM_PAIRS)
        return program_rows(rounds)

    @contextlib.contextmanager
    def sides(self, form: material.Form, harness: str) -> Iterator[tuple[Process, Process]]:
        """Ours and theirs."""
        url = f"http://127.0.0.1:{self.port}/v1"
        with (
            started(sys.executable, "ours.py", url, form) as ours,
            started(self.theirs, "theirs.py", url, form, harness, self.tokenizer) as theirs,
        ):
            for side in (ours, theirs):
                side.read()  # ours has asked the server what it can do by then
            yield ours, theirs

    def pairs(self, sides: tuple[Process, Process], num_episodes: int, turns: int, num: int) -> list[list[Round]]:
        """Rounds of ours and of theirs, which began in turn."""
        rounds: list[list[Round]] = [[], []]
        for pair in range(num):
            for side in (0, 1) if pair % 2 == 0 else (1, 0):
                rounds[side].append(self.play(sides[side], num_episodes, turns))
        digests = {played.digest for each in rounds for played in each}
        assert len(digests) == 1, f"the two sides sent different prompts: {digests}"
        return rounds

    def play(self, side: Process, num_episodes: int, turns: int) -> Round:
        before = self.server.ask()
        took = side.ask({"episodes": num_episodes, "turns": turns})
        after = self.server.ask()
        num_requests = after["requests"] - before["requests"]
        assert num_requests == num_episodes * turns, f"{num_requests} requests for {num_episodes} x {turns} turns"
        print(f"  {side.name:10} {num_episodes} x {turns} turns: {took['seconds']:.2f} s", file=sys.stderr)
        return Round(
            num_episodes / took["seconds"],
            took["processor"] / num_episodes,
            (after["processor"] - before["processor"]) / took["seconds"],
            (after["digest"] - before["digest"]) % 2**64,
        )


def rows_of(name: str, rounds: list[list[Round]], turns: int) -> latency.Rows:
    ours, theirs = rounds
    ratios = [a.episodes_per_second / b.episodes_per_second for a, b in zip(ours, theirs, strict=True)]
    rows = latency.row(f"{name}, ours / theirs", statistics.median(ratios), TARGET, "ratio")
    rows |= latency.row(f"{name}, ours / theirs, worst pair", min(ratios), "-", "ratio")
    bound = material.CONCURRENCY / (turns * LATENCY)
    for side, played in (("ours", ours), ("theirs", theirs)):
        speed = statistics.median(one.episodes_per_second for one in played)
        rows |= latency.row(f"{name}, {side}", speed, "-", "episodes/s")
        rows |= latency.row(f"{name}, {side}, of what latency allows", speed / bound, "-", "ratio")
        rows |= latency.row(f"{name}, {side}, processor", processor(played), "-", "ms/episode")
    share = max(one.server_share for one in [*ours, *theirs])
    return rows | latency.row(f"{name}, busiest server", share, "< 1", "cores")


def program_rows(rounds: list[list[Round]]) -> latency.Rows:
    """No ratio: so few episodes say how long a program takes, not how many at once."""
    rows: latency.Rows = {}
    for side, played in zip(("ours", "theirs"), rounds, strict=True):
        seconds = statistics.median(PROGRAM_EPISODES / one.episodes_per_second for one in played)
        name = f"text, {min(EPISODES)} turns, harness null, {side}"
        rows |= latency.row(f"{name}, {PROGRAM_EPISODES} episodes", seconds, "-", "s")
        rows |= latency.row(f"{name}, processor", processor(played), "-", "ms/episode")
    return rows


def processor(rounds: list[Round]) -> float:
    """Milliseconds for an episode."""
    return 1000 * statistics.median(one.processor_per_episode for one in rounds)


if __name__ == "__main__":
    main()
