"""Whether the tests would notice: the project is broken one place at a time, and the tests that answer for it run.

    python tests/mutations.py [--only TEXT] [--sample N] [--jobs N] [--json FILE]
    python tests/mutations.py --map
    python tests/mutations.py --drawn N [--seed N] [--only TEXT] [--jobs N] [--json FILE]

The first form goes through the tables of ``tests/mutants``: each mutation replaces a piece of text that occurs once in
a file, in a copy of the tree. The last draws mutations of the machinery by chance (``tests/mutants/drawn.py``) and asks
the tests that run the changed line; which do is known from ``--map``, a whole run of the fast tests under coverage.

One line a mutation is printed. The exit code is 1 if any of a table survived, or more than a twentieth of those drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import gymnasium  # noqa: F401  (this and the likes of it only so that the children need not import them)
import hypothesis  # noqa: F401
import numpy  # noqa: F401
import pydantic  # noqa: F401
import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM  # noqa: F401

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)  # a script is given its own folder

from tests.mutants.drawn import Map, edits, machinery  # noqa: E402
from tests.mutants.mutant import mutated, tables  # noqa: E402

FOLDER = ROOT / ".mutations"
"""Where the map is kept."""
TIMEOUT = 180.0  # seconds; a mutation that hangs the tests is noticed as well
TOLERATED = 0.05
"""Of drawn mutations: some change nothing that anybody could see."""


class Case(NamedTuple):
    """A file as it would be with one mutation, and the tests that are to notice. Without ``text``: as it is."""

    file: str
    name: str
    text: str | None
    tests: tuple[str, ...]


class Verdict(NamedTuple):
    """How the tests ended: "passed", "failed" (with the first test that did), or "broken"."""

    outcome: str
    test: str
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Run what was chosen; 0 if the tests noticed enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="mutations whose file or name contains TEXT")
    parser.add_argument("--sample", type=int, metavar="N", help="of the tables, N chosen by --seed")
    parser.add_argument("--drawn", type=int, metavar="N", help="N mutations of the machinery that no table has")
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=0, help="of what is drawn, or chosen")
    parser.add_argument("--map", action="store_true", help="run the fast tests and keep which of them run which line")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    options = parser.parse_args(arguments)
    if options.map:
        return make_map(options.jobs)
    if options.drawn and not (FOLDER / "tests.xml").exists():
        parser.error("which tests run which line is not known yet; run: python tests/mutations.py --map")
    cases = drawn(options.drawn, options.seed, options.only) if options.drawn else written(options.only)
    if not cases:
        parser.error(f"no mutation has {options.only!r} in its file or name")
    if options.sample:
        cases = random.Random(options.seed).sample(cases, min(options.sample, len(cases)))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        trees = [copy_tree(Path(folder) / str(number)) for number in range(options.jobs)]
        if not options.drawn:
            check(cases, trees)
        results = list(judged(cases, trees))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    survivors = sum(row["verdict"] != "killed" for row in results)
    print(f"{len(results)} mutations, {len(results) - survivors} killed")
    return int(survivors > (TOLERATED * len(results) if options.drawn else 0))


def written(only: str) -> list[Case]:
    """Those of the tables."""
    return [
        Case(module.file, mutation.name, mutated((ROOT / module.file).read_text(), module, mutation), module.tests)
        for module in tables()
        for mutation in module.mutations
        if only in f"{module.file} {mutation.name}"
    ]


def drawn(number: int, seed: int, only: str) -> list[Case]:
    """``number`` of all that could be drawn from the machinery, each equally likely."""
    sources = {file: (ROOT / file).read_text() for file in machinery() if only in file}
    places = [(file, edit) for file, source in sources.items() for edit in edits(source)]
    lines = Map(FOLDER, ROOT)
    return [
        Case(file, edit.told(sources[file]), edit.of(sources[file]), lines.tests(file, edit.line))
        for file, edit in random.Random(seed).sample(places, min(number, len(places)))
    ]


def make_map(jobs: int) -> int:
    """Run the fast tests under coverage, each line with the tests that came by."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    options = ["-n", str(jobs), "-q", "--cov", "--cov-context=test", "--cov-report=", f"--junitxml={FOLDER}/tests.xml"]
    environment = {**os.environ, "COVERAGE_FILE": str(FOLDER / ".coverage")}
    return subprocess.run([sys.executable, "-m", "pytest", *options], cwd=ROOT, env=environment, check=False).returncode


def check(cases: Iterable[Case], trees: Sequence[Path]) -> None:
    """The unchanged files pass, or nothing can be said of changed ones."""
    whole = [Case("", "", None, tests) for tests in dict.fromkeys(case.tests for case in cases)]
    for case, verdict in judge(whole, trees):
        if verdict.outcome != "passed":
            sys.exit(f"{' '.join(case.tests)} {verdict.outcome} without a mutation: {verdict.test}")


def judged(cases: Iterable[Case], trees: Sequence[Path]) -> Iterator[dict[str, str | float]]:
    """Each mutation with what became of it."""
    for case, (outcome, test, seconds) in judge(cases, trees):
        word = {"failed": "killed", "passed": "SURVIVED"}.get(outcome, "BROKEN")
        print(f"{word:9}{seconds:5.1f} s  {case.file}: {case.name}  [{test}]", flush=True)
        yield {"file": case.file, "mutation": case.name, "verdict": word, "test": test, "seconds": seconds}


def judge(cases: Iterable[Case], trees: Sequence[Path]) -> Iterator[tuple[Case, Verdict]]:
    """Verdicts as they come, one case at a time in each tree, each in a child that has the heavy imports done."""
    waiting, free, running = deque(cases), list(trees), dict[int, tuple[Case, Path, float]]()
    while waiting or running:
        while waiting and free:
            case = waiting.popleft()
            if not case.tests:
                yield case, Verdict("passed", "no test runs it", 0.0)
                continue
            tree = free.pop()
            running[_begin(case, tree)] = case, tree, time.perf_counter()
        for child, (case, tree, began) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            seconds = round(time.perf_counter() - began, 1)
            if not ended and seconds < TIMEOUT:
                continue
            _kill_all(child)
            if not ended:
                os.waitpid(child, 0)
            if case.text is not None:
                shutil.copy2(ROOT / case.file, tree / case.file)
            free.append(tree)
            del running[child]
            yield case, _verdict(tree, status, seconds) if ended else Verdict("failed", "no end", seconds)
        time.sleep(0.02)


def _begin(case: Case, tree: Path) -> int:
    """The process that runs the tests of ``case`` in ``tree``, up to the first that fails."""
    if case.text is not None:
        (tree / case.file).write_text(case.text)
    if child := os.fork():
        return child
    _run_tests(case.tests, tree)


def _run_tests(tests: tuple[str, ...], tree: Path) -> NoReturn:
    """In the child: never returns, and leaves without what the parent would do at its end."""
    code = 4
    try:
        os.setsid()
        with _log(tree).open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os.chdir(tree)
        # Its own children are to see the copy as well. No compiled files: two mutations within a second and of one
        # length would be taken for one another.
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        sys.path[0], sys.dont_write_bytecode = str(tree), True
        for name in [name for name in sys.modules if name.partition(".")[0] in {"tests", "agentgym"}]:
            del sys.modules[name]
        options = ["-x", "-q", "--assert=plain", "--hypothesis-seed=0"]
        options += ["-p", "no:cacheprovider", "-p", "xdist.plugin", "-p", "_hypothesis_pytestplugin"]
        code = int(pytest.main([*options, *tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def _verdict(tree: Path, status: int, seconds: float) -> Verdict:
    output = _log(tree).read_text(errors="replace").strip()
    failed = re.search(r"^(?:FAILED|ERROR) \S*/(\S+)", output, re.MULTILINE)
    outcome = {0: "passed", 1: "failed", 2: "failed"}.get(os.waitstatus_to_exitcode(status), "broken")
    return Verdict(outcome, failed[1] if failed else output.rpartition("\n")[2], seconds)


def _kill_all(leader: int) -> None:
    """The session of a child: what its tests started and left goes as well."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _log(tree: Path) -> Path:
    return tree.with_suffix(".txt")


def copy_tree(target: Path) -> Path:
    """What git has, or would have, of the project: links as links, without compiled files."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


if __name__ == "__main__":
    sys.exit(main())
