"""Kills runs by chance, many of them, and says what became of them.

    python -m tests.faults.kill_runs --kills 200 [--seed S] [--modes ...] [--places ...] [--victims ...] [--json FILE]

Everywhere: a Ray cluster is one of the places where Ray is installed.
A line for each run; the exit code is 1 if any was not resumed, lost or doubled a task, left something behind, or, in
turns, was another run than the one that nobody killed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.kills import CLUSTERS, MODES, PLACES, VICTIMS, Case, Kills, cases
from tests.faults.kit import Nursery, writes_library

AT_MOST = 3
"""Kills of one run."""


def main(arguments: list[str] | None = None) -> int:
    """0 if nothing failed."""
    options = parsed(arguments)
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir=options.folder))
    killed, runs, failed = Counter[str](), Counter[str](), list[str]()
    chosen = cases(options.modes, options.places, options.victims)
    writes = any(case.moment == "write" for case in chosen)
    with killing(folder, options.seed, writes=writes) as kills:
        if writes and kills.nursery.library is None:
            print("no gcc: none is killed in the middle of a write")
            chosen = [case for case in chosen if case.moment == "time"]
        while killed.total() < options.kills:
            case = chosen[runs.total() % len(chosen)]
            num, error = attempt(kills, case, min(AT_MOST, options.kills - killed.total()))
            runs[case.name] += 1
            killed[case.name] += num
            failed += [f"{case.name}: {error}"] * bool(error)
            print(f"{killed.total():4} {case.name}: {num} kills, {error or 'as it should be'}", flush=True)
    counts = {"kills": killed.total(), "runs": runs.total(), "failed": len(failed), "killed": killed}
    if failed:
        print(f"what failed is in {folder}")
    else:
        shutil.rmtree(folder)
    print(json.dumps(counts, indent=2))
    if options.json:
        options.json.write_text(json.dumps(counts, indent=2) + "\n")
    return int(bool(failed))


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    def names(known: Iterable[str]) -> dict[str, Any]:
        return {"type": lambda text: text.split(","), "default": list(known), "metavar": ",".join(known)}

    places = [*PLACES, *(CLUSTERS if importlib.util.find_spec("ray") else ())]

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modes", **names(MODES))
    parser.add_argument("--places", **names(places))
    parser.add_argument("--victims", **names(VICTIMS))
    parser.add_argument("--folder", type=Path, help="where runs are made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there as well")
    return parser.parse_args(arguments)


@contextmanager
def killing(folder: Path, seed: int, *, writes: bool = True) -> Iterator[Kills]:
    """Kills, with all that they need in ``folder``; without ``writes`` nothing stands between a run and its files."""
    temporary = Path(tempfile.mkdtemp(prefix="kills-", dir="/tmp"))  # of a short name: sockets may lie there
    nursery = Nursery(folder / "log.txt", writes_library(folder) if writes else None, temporary)
    try:
        yield Kills(nursery, folder, seed=seed)
    finally:
        nursery.close()
        shutil.rmtree(temporary)


def attempt(kills: Kills, case: Case, at_most: int) -> tuple[int, str]:
    """Processes killed, and what went wrong."""
    try:
        return kills.one(case, at_most), ""
    except AssertionError as error:
        return 1, f"{kills.run}: {''.join(traceback.format_exception(error))[-4000:]}"


if __name__ == "__main__":
    sys.exit(main())
