"""The GPU table: engine, learner, parity, updates of weights, resuming and training, measured on a CUDA device.

    python benchmarks/gpu.py [--json FILE] [--rows NAME …] [--seconds 1500] [--tiny]

Each part of the table runs in a process of its own, which begins with the device's memory free, has a limit of time,
and may fail: the others are measured all the same, and the exit code is then 1. What needs a package that is not
installed is said to be left out. Timings stand between synchronizations, after a warm-up, and are medians; what is
compared takes turns. ``--rows`` takes names of parts as the table has them, or beginnings of names.

Where there is no CUDA device everything is tiny and on the CPU, as it is with ``--tiny``: that tests the script, and
its figures say nothing of a GPU. No figure of this table has been published: no GPU was at hand.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import json
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.gpu_rows import agreement, engine, learner, runs, served
from benchmarks.gpu_rows.bench import Bench, NotHereError, Rows
from benchmarks.gpu_rows.models import MODELS


class Part(NamedTuple):
    """Rows that are measured together, and how long they may take."""

    measure: Callable[[Bench], Rows]
    seconds: float


def table() -> dict[str, Part]:
    """Name → part, in the order in which they are measured."""
    parts: dict[str, Part] = {"device": Part(device_rows, 60)}
    for model in MODELS:
        for dtype in engine.DTYPES:
            parts[f"engine-{model}-{dtype}"] = Part(_of(engine.measure, model, dtype), 120)
        for trains in ("full", "LoRA"):
            for arithmetic in learner.ARITHMETIC:
                name = f"learner-{model}-{arithmetic.replace(' ', '-')}-{trains}"
                parts[name] = Part(_of(learner.measure, model, arithmetic, trains), 90)
        parts[f"parity-{model}"] = Part(_of(agreement.measure_parity, model), 90)
        parts[f"update-{model}"] = Part(_of(agreement.measure_update, model), 60)
        parts[f"vllm-{model}"] = Part(_of(served.measure, model), 240)
    parts["resume"] = Part(runs.measure_resume, 420)
    parts["train"] = Part(runs.measure_train, 420)
    return parts


def _of(measure: Callable[..., Rows], *arguments: str) -> Callable[[Bench], Rows]:
    def part(bench: Bench) -> Rows:
        return measure(bench, *arguments)

    return functools.wraps(measure)(part)


def main() -> None:
    arguments = _arguments()
    bench = Bench(torch.device("cpu" if arguments.tiny else "cuda"), arguments.tiny)
    ends = time.monotonic() + arguments.seconds
    rows: Rows = {}
    for name in arguments.rows:
        for title, found in measured(name, bench, ends - time.monotonic()).items():
            print(told(title, found), flush=True)
            rows[title] = found
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    failed = [title for title, found in rows.items() if "error" in found]
    if failed:
        print(f"{len(failed)} of {len(arguments.rows)} parts failed: {', '.join(failed)}", file=sys.stderr)
    sys.exit(1 if failed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well, after each part")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="these parts alone; none given: all")
    parser.add_argument("--seconds", type=float, default=1500, help="for all together; parts left over fail")
    parser.add_argument("--tiny", action="store_true", help="small models on the CPU; so it is without a CUDA device")
    arguments = parser.parse_args()
    arguments.tiny = arguments.tiny or not torch.cuda.is_available()
    if arguments.seconds <= 0:
        parser.error(f"--seconds is {arguments.seconds:g}; expected more than 0, say --seconds 1500")
    arguments.rows = list(chosen(arguments.rows, parser)) if arguments.rows else list(table())
    return arguments


def chosen(wanted: list[str], parser: argparse.ArgumentParser) -> Iterator[str]:
    """Parts whose names begin with one of ``wanted``, the device's first, which every table is about."""
    names = list(table())
    for prefix in wanted:
        if not any(name.startswith(prefix) for name in names):
            parser.error(f'no part\'s name begins with "{prefix}"; expected beginnings of {", ".join(names)}')
    return (name for name in names if name == "device" or name.startswith(tuple(wanted)))


def told(title: str, row: dict[str, Any]) -> str:
    """The row's line of the table."""
    if "error" in row or "skipped" in row:
        reason = f"failed: {row['error']}" if "error" in row else f"left out: {row['skipped']}"
        return f"{title:72} {reason}"
    value = row["value"]
    shown = f"{value:>12,.4g}" if isinstance(value, float | int) else str(value)
    return f"{title:72} {shown} {row['unit']:9} (target {row['target']})"


# -- a process for each part -----------------------------------------------------------------------------


def measured(name: str, bench: Bench, seconds_left: float) -> Rows:
    """The rows of a part, or one row of its name with the reason why there are none."""
    limit = min(table()[name].seconds, seconds_left)
    if limit <= 0:
        return _none(name, error="the time was up before it began; give more: --seconds")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        # CUDA does not outlive a fork; where there is none, a fork need not import everything again.
        spawned, forked = multiprocessing.get_context("spawn").Process, multiprocessing.get_context("fork").Process
        kind = spawned if bench.device.type == "cuda" else forked
        process = kind(target=measure_into, args=(name, bench, file))
        process.start()
        process.join(limit)
        is_late = process.is_alive()
        _end(process)
        if is_late:
            return _none(name, error=f"not done after {limit:.0f} s, and ended")
        if not file.exists():
            return _none(name, error=f"its process ended with exit code {process.exitcode}")
        rows: Rows = json.loads(file.read_text())
        return rows


def measure_into(name: str, bench: Bench, file: Path) -> None:
    """In the part's process: write its rows."""
    os.setsid()  # what it starts is ended with it
    if bench.is_tiny:
        torch.set_num_threads(1)  # small matrices are slower on several
    try:
        rows = table()[name].measure(bench)
    except NotHereError as missing:
        rows = _none(name, skipped=str(missing))
    except Exception as error:
        rows = _none(name, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
    written = file.with_suffix(".partial")
    written.write_text(json.dumps(rows))
    written.rename(file)


def _end(process: multiprocessing.process.BaseProcess) -> None:
    """End it with all that it started."""
    if process.is_alive():
        process.kill()
    process.join()
    assert process.pid is not None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nothing is left of it


def _none(name: str, **reason: str) -> Rows:
    return {name: {"value": None, "target": "-", "unit": "-", **reason}}


# -- where it was measured -------------------------------------------------------------------------------


def device_rows(bench: Bench) -> Rows:
    """Device, driver and versions, in the form of rows."""
    facts = {
        "device": platform.processor() or platform.machine(),
        "is tiny": str(bench.is_tiny),
        "driver": "-",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "CUDA of torch": torch.version.cuda or "-",
        **{name: _version(name) for name in ("transformers", "peft", "vllm")},
    }
    if bench.device.type == "cuda":
        about = torch.cuda.get_device_properties(bench.device)
        facts["device"] = f"{about.name}, {about.total_memory / 2**30:.0f} GiB, {about.major}.{about.minor}"
        facts["driver"] = _driver()
    return {name: {"value": value, "target": "-", "unit": ""} for name, value in facts.items()}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def _driver() -> str:
    """As nvidia-smi tells it."""
    if shutil.which("nvidia-smi") is None:
        return "-"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()


if __name__ == "__main__":
    main()
