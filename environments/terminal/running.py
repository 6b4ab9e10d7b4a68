"""Tasks of processes and scripts: end one that runs, run one, make one executable."""

from __future__ import annotations

import numpy as np

from agentgym.environments.terminal.goals import Moded, Stopped, Text
from agentgym.environments.terminal.task import Task
from agentgym.environments.terminal.words import COLORS, THINGS, some

__all__ = ["PROGRAM", "made_executable", "ran", "stopped"]

PROGRAM = b"#!/bin/sh\nwhile :; do sleep 1; done\n"
"""Runs until it is ended."""


def stopped(rng: np.random.Generator) -> Task:
    """End one of two programs."""
    name, other = some(rng, COLORS, 2)
    return Task(
        topic=("stopped", name, other),
        text=f"two programs run, {name}.sh and {other}.sh; their process numbers are in {name}.pid and {other}.pid. "
        f"end {name}.sh and leave {other}.sh alone",
        files={f"{one}.sh": PROGRAM for one in sorted((name, other))},
        programs=tuple(sorted((f"{name}.sh", f"{other}.sh"))),
        goals=(Stopped(f"{name}.sh"),),
        solution=(f"kill $(cat {name}.pid)",),
    )


def ran(rng: np.random.Generator) -> Task:
    """Run a script with an argument, and keep what it says."""
    (name, out), (word,) = some(rng, COLORS, 2), some(rng, THINGS, 1)
    number = int(rng.integers(2, 40))
    script = f'#!/bin/sh\necho "$1 $((${{#1}} * {number}))"\n'.encode()
    return Task(
        topic=("ran", name, word, str(number)),
        text=f"run the script {name}.sh with the argument {word} and keep what it says in the file {out}",
        files={f"{name}.sh": script},
        goals=(Text(out, f"{word} {len(word) * number}"),),
        solution=(f"sh {name}.sh {word} > {out}",),
    )


def made_executable(rng: np.random.Generator) -> Task:
    """Let the owner, and nobody else, execute every script of a directory."""
    (folder,), names = some(rng, COLORS, 1), some(rng, THINGS, 4)
    scripts = [f"{folder}/{name}.sh" for name in names[:3]]
    files = {**dict.fromkeys(scripts, b"#!/bin/sh\n"), f"{folder}/{names[3]}.txt": b"keep\n"}
    return Task(
        topic=("executable", folder, *names),
        text=f"in the directory {folder} let the owner do everything with the files that end in .sh, and nobody else "
        "anything",
        files=files,
        goals=(*(Moded(path, 0o700) for path in scripts), Moded(f"{folder}/{names[3]}.txt", 0o644)),
        solution=(f"chmod 700 {folder}/*.sh",),
    )
