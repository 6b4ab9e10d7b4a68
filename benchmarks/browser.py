"""The browser: MiniWoB episodes a second, what contexts cost in memory, and the ratio to BrowserGym's own loop.

    pip install -e '.[gui]'; apt-get install chromium   (or chromium-headless-shell, which is lighter)
    python benchmarks/browser.py [--seconds N] [--browsergym PYTHON] [--json FILE]

Four environments in threads play the expert's episodes of the five starter tasks, whole episodes with their resets.
What a machine does beside that counts in the rate by the clock, so there is one by processor time as well, of this
process and of all that it has started. Memory is the proportional set size (PSS) of the browser's processes with eight
pages open. BrowserGym is installed elsewhere, since it wants another Playwright, and runs there: ``--browsergym`` is
the interpreter of that environment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from agentgym.browser.chromium import executable
from agentgym.environments.miniwob import MiniWoB
from agentgym.environments.miniwob.groups import GROUPS
from agentgym.environments.miniwob.page import html_folder

Rows = dict[str, dict[str, float | str]]
NUM_THREADS, NUM_CONTEXTS = 4, 8

BROWSERGYM = """
import sys, time, gymnasium, browsergym.miniwob
from playwright.sync_api import BrowserType
tasks, episodes, chromium, launch = sys.argv[1].split(","), int(sys.argv[2]), sys.argv[3], BrowserType.launch
BrowserType.launch = lambda kind, **options: launch(kind, **{**options, "executable_path": chromium})
envs = {task: gymnasium.make(f"browsergym/miniwob.{task}", headless=True) for task in tasks}
for env in envs.values():
    env.reset(seed=0)
started = time.perf_counter()
for episode in range(episodes):
    env = envs[tasks[episode % len(tasks)]]
    env.reset(seed=episode)
    env.step("noop()")
    env.step("noop()")
print(episodes / (time.perf_counter() - started))
"""
"""BrowserGym's loop on the same Chromium, a reset and two steps an episode, as the expert takes here."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="to play for")
    parser.add_argument("--browsergym", metavar="PYTHON", help="an interpreter that has browsergym-miniwob")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    print(f"with {executable()}")
    rows = measure_speed(arguments.seconds) | measure_memory()
    if arguments.browsergym:
        rows |= measure_browsergym(arguments.browsergym, float(rows["miniwob: episodes a second, 4 contexts"]["value"]))
    for name, row in rows.items():
        print(f"{name:56} {row['value']:>10,.4g} {row['unit']:10} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measure_speed(seconds: float) -> Rows:
    episodes, turns = [0] * NUM_THREADS, [0] * NUM_THREADS
    envs = [MiniWoB() for _ in range(NUM_THREADS)]
    for env in envs:
        env.reset(seed=0)
    until, started, before = time.perf_counter() + seconds, time.perf_counter(), processor_seconds()

    def play(number: int) -> None:
        task = number * 1000
        while time.perf_counter() < until:
            turns[number] += play_by_expert(envs[number], task)
            episodes[number] += 1
            task += 1

    threads = [threading.Thread(target=play, args=(number,)) for number in range(NUM_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, spent = time.perf_counter() - started, processor_seconds() - before
    for env in envs:
        env.close()
    return {
        **row("miniwob: episodes a second, 4 contexts", sum(episodes) / took, ">= 14", "1/s"),
        **row("miniwob: turns a second, 4 contexts", sum(turns) / took, "", "1/s"),
        **row("miniwob: episodes a processor second", sum(episodes) / spent, "", "1/s"),
    }


def play_by_expert(env: MiniWoB, task: int) -> int:
    """One episode; the turns that it took."""
    observation, _ = env.reset(options={"task": task})
    expert = env.expert()
    assert expert is not None
    for turn in range(env.max_turns):
        observation, _, terminated, truncated, _ = env.step(expert(observation))  # type: ignore[arg-type]
        if terminated or truncated:
            return turn + 1
    return env.max_turns


def measure_memory() -> Rows:
    envs = [MiniWoB() for _ in range(NUM_CONTEXTS)]
    sizes = []
    for env in envs:
        env.reset(seed=0)
        sizes.append(sum(pss(process) for process in descendants() if is_browser(process)))
    for env in envs:
        env.close()
    return {
        **row("memory of 8 contexts", sizes[-1] / 2**20, "<= 1024", "MiB"),
        **row("memory of one more context", (sizes[-1] - sizes[0]) / (NUM_CONTEXTS - 1) / 2**20, "", "MiB"),
    }


def measure_browsergym(python: str, ours: float) -> Rows:
    asked = [python, "-c", BROWSERGYM, ",".join(GROUPS["starter"]), "20", executable()]
    pages = {"MINIWOB_URL": f"{(html_folder() / 'miniwob').as_uri()}/"}
    told = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **pages}).stdout
    theirs = float(told.split()[-1])
    return {
        **row("BrowserGym: episodes a second", theirs, "", "1/s"),
        **row("ours / BrowserGym", ours / theirs, ">= 4", "ratio"),
    }


# -- processes -------------------------------------------------------------------------------------------


def descendants() -> Iterator[int]:
    """This process and all that it has started."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(file.parent.name)] = int(file.read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
    for process in parents:
        above = process
        while above not in (os.getpid(), 0):
            above = parents.get(above, 0)
        if above:
            yield process


def processor_seconds() -> float:
    """What this process and all that it has started, ended ones among them, have used."""
    ticks = 0
    for process in descendants():
        try:
            fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def pss(process: int) -> int:
    """Bytes, with shared ones divided among those that share them."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def is_browser(process: int) -> bool:
    """Whether it is Chromium's, Playwright's driver's or the keeper's."""
    return process != os.getpid()


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


if __name__ == "__main__":
    main()
