"""The doctor on every game, dataset and world that the adapters bring, beside every environment of the project.

    python tests/doctored.py [--only TEXT] [--jobs N] [--seconds N] [--json FILE]

Each is asked for as a user would: ``agentgym doctor ID --quick``, in a process and with a time limit of its own. One
line is printed for each that does not pass, and what is refused says why. The exit code is 1 if any failed, took too
long, or ended by an error that was none of ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import gymnasium

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)  # a script is given its own folder

import agentgym  # noqa: E402


class Outcome(NamedTuple):
    """What became of one."""

    id: str
    status: str
    """"pass", "refused", "FAIL" or "late"."""
    told: str
    seconds: float


def ids() -> Iterator[str]:
    """All ids, one for each game of TextArena."""
    yield from agentgym.plugins("environments").ids()
    yield from (f"gymnasium:{id}" for id in [*gymnasium.registry] if not id.startswith("agentgym/"))
    if find_spec("reasoning_gym"):
        from reasoning_gym.factory import DATASETS  # type: ignore[import-untyped]

        yield from (f"reasoning-gym:{name}" for name in sorted(DATASETS))
    if find_spec("textarena"):
        from textarena.envs.registration import ENV_REGISTRY  # type: ignore[import-untyped]

        games = {id.partition("-v")[0]: id for id in reversed(ENV_REGISTRY)}
        yield from (f"textarena:{id}" for id in sorted(games.values()))


def doctored(id: str, limit: float) -> Outcome:
    """The doctor's verdict; exit code 1 is a broken contract, 2 what is told in words before."""
    started = time.perf_counter()
    command = [sys.executable, "-c", "from agentgym.cli import main; main()", "doctor", id, "--quick"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return Outcome(id, "late", f"not done after {limit:.0f} s", limit)
    took = round(time.perf_counter() - started, 1)
    failed = [line.strip() for line in done.stdout.splitlines() if line.startswith("FAIL")]
    words = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode == 0:
        return Outcome(id, "pass", "", took)
    return Outcome(id, "refused" if done.returncode == 2 else "FAIL", "; ".join(failed) or words, took)


def main() -> None:
    """Go through them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="those whose id has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="at one time")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="a line for each")
    given = parser.parse_args()
    chosen = [id for id in ids() if given.only in id]
    outcomes = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for outcome in pool.map(lambda id: doctored(id, given.seconds), chosen):
            outcomes.append(outcome)
            if outcome.status != "pass":
                print(f"{outcome.status:8}{outcome.id}: {outcome.told}", flush=True)
            if given.json:
                with given.json.open("a") as file:
                    file.write(json.dumps(outcome._asdict()) + "\n")
    count = {status: sum(one.status == status for one in outcomes) for status in ("pass", "refused", "FAIL", "late")}
    print(", ".join(f"{number} {status}" for status, number in count.items()))
    sys.exit(1 if count["FAIL"] + count["late"] or not outcomes else 0)


if __name__ == "__main__":
    main()
