"""Tasks of files and directories: one command each at the lowest level."""

from __future__ import annotations

import numpy as np

from agentgym.environments.terminal.goals import Absent, Folder, Moded, Text
from agentgym.environments.terminal.task import Task
from agentgym.environments.terminal.words import COLORS, THINGS, some

__all__ = ["copied", "deleted", "gathered", "locked", "made", "moved", "noted", "renamed"]


def made(rng: np.random.Generator) -> Task:
    """Make a directory."""
    color, thing = some(rng, COLORS, 1)[0], some(rng, THINGS, 1)[0]
    path = f"{color}-{thing}"
    return Task(
        topic=("made", path), text=f"make the directory {path}", goals=(Folder(path),), solution=(f"mkdir {path}",)
    )


def noted(rng: np.random.Generator) -> Task:
    """Write a word into a file."""
    (word,), (name,) = some(rng, COLORS, 1), some(rng, THINGS, 1)
    goal = Text(name, word)
    text = f"write {word} into the file {name}"
    return Task(topic=("noted", word, name), text=text, goals=(goal,), solution=(f"echo {word} > {name}",))


def copied(rng: np.random.Generator) -> Task:
    """Copy a file."""
    old, new, word = _names(rng)
    return Task(
        topic=("copied", old, new),
        text=f"copy the file {old} to {new}",
        files={old: word},
        goals=(Text(new, word.decode()),),
        solution=(f"cp {old} {new}",),
    )


def renamed(rng: np.random.Generator) -> Task:
    """Rename a file."""
    old, new, word = _names(rng)
    return Task(
        topic=("renamed", old, new),
        text=f"rename the file {old} to {new}",
        files={old: word},
        goals=(Text(new, word.decode()), Absent(old)),
        solution=(f"mv {old} {new}",),
    )


def moved(rng: np.random.Generator) -> Task:
    """Move a file into a directory."""
    name, _, word = _names(rng)
    (folder,) = some(rng, COLORS, 1)
    return Task(
        topic=("moved", name, folder),
        text=f"move the file {name} into the directory {folder}",
        files={name: word},
        folders=(folder,),
        goals=(Text(f"{folder}/{name}", word.decode()), Absent(name)),
        solution=(f"mv {name} {folder}",),
    )


def deleted(rng: np.random.Generator) -> Task:
    """Delete one file of two."""
    name, other, word = _names(rng)
    return Task(
        topic=("deleted", name, other),
        text=f"delete the file {name}",
        files={name: word, other: word},
        goals=(Absent(name),),
        solution=(f"rm {name}",),
    )


def locked(rng: np.random.Generator) -> Task:
    """Let nobody else read a file, or nobody write it."""
    name, other, word = _names(rng)
    told, mode = (("nobody but the owner can read or write it", 0o600), ("nobody can write it", 0o444))[rng.integers(2)]
    return Task(
        topic=("locked", name, oct(mode), other),
        text=f"change the file {name} so that {told}",
        files={name: word, other: word},
        goals=(Moded(name, mode), Text(name, word.decode())),
        solution=(f"chmod {mode:o} {name}",),
    )


def gathered(rng: np.random.Generator) -> Task:
    """Move all files of one kind, wherever they are, into a directory."""
    folders, names = some(rng, COLORS, 3), some(rng, THINGS, 5)
    ends = [str(end) for end in rng.permutation(["log", "log", "log", "txt", "txt"])]
    paths = [f"{folders[i % 2]}/{name}.{end}" for i, (name, end) in enumerate(zip(names, ends, strict=True))]
    files = {path: f"{path} {i}\n".encode() for i, path in enumerate(paths)}
    logs = [path for path in paths if path.endswith(".log")]
    goals = [Text(f"{folders[2]}/{path.partition('/')[2]}", files[path].decode()) for path in logs]
    return Task(
        topic=("gathered", *names),
        text=f"make the directory {folders[2]} and move all files that end in .log into it, from {folders[0]} and "
        f"{folders[1]}",
        files=files,
        goals=(*goals, *map(Absent, logs)),
        solution=(f"mkdir {folders[2]}", f"mv {folders[0]}/*.log {folders[1]}/*.log {folders[2]} 2>/dev/null; true"),
    )


def _names(rng: np.random.Generator) -> tuple[str, str, bytes]:
    """Two names, and what is in a file."""
    old, new = some(rng, THINGS, 2)
    return old, new, f"{some(rng, COLORS, 1)[0]}\n".encode()
