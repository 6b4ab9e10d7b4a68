"""Tasks of several steps, each of which needs what the one before it made."""

from __future__ import annotations

import numpy as np

from agentgym.environments.terminal.goals import Absent, Folder, Moded, Packed, Text
from agentgym.environments.terminal.packing import tar_of
from agentgym.environments.terminal.task import Task
from agentgym.environments.terminal.words import COLORS, FRUITS, THINGS, some

__all__ = ["cleaned", "ranked", "reported", "sorted_out"]


def reported(rng: np.random.Generator) -> Task:
    """Unpack logs, count in all of them, write a report that nobody can write."""
    (name, folder), (word, other) = some(rng, COLORS, 2), some(rng, FRUITS, 2)
    days = {f"day{day}.log": _log(rng, (word, other)) for day in range(1, 5)}
    number = sum(data.decode().count(word) for data in days.values())
    return Task(
        topic=("reported", name, folder, word, str(number)),
        text=f"{name}.tar.gz holds a log for each day. write into {folder}/{word}.txt how many lines of all logs "
        f"together have the word {word}, and let nobody write that file",
        files={f"{name}.tar.gz": tar_of(days)},
        goals=(Text(f"{folder}/{word}.txt", str(number)), Moded(f"{folder}/{word}.txt", 0o444)),
        solution=(
            f"mkdir {folder} && tar -xzf {name}.tar.gz -C /tmp",
            f"cat /tmp/day*.log | grep -c {word} > {folder}/{word}.txt",
            f"chmod 444 {folder}/{word}.txt",
        ),
    )


def ranked(rng: np.random.Generator) -> Task:
    """Sums by name over several files, the largest first."""
    folder, out = some(rng, COLORS, 2)
    fruits = some(rng, FRUITS, 4)
    totals = dict.fromkeys(fruits, 0)
    files: dict[str, bytes] = {}
    for name in some(rng, THINGS, 3):
        numbers = {fruit: int(rng.integers(1, 90)) for fruit in some(rng, fruits, 4)}
        files[f"{folder}/{name}.csv"] = "".join(f"{one},{number}\n" for one, number in numbers.items()).encode()
        totals = {fruit: total + numbers[fruit] for fruit, total in totals.items()}
    order = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    add = "awk -F, '{s[$1] += $2} END {for (n in s) print n, s[n]}'"
    return Task(
        topic=("ranked", folder, *fruits),
        text=f"the files in {folder} have lines of a name, a comma and a number. write into {out}.txt each name and "
        "the sum of its numbers in all files, as in: fig 12. the largest sum comes first, and of equal ones the first "
        "name",
        files=files,
        goals=(Text(f"{out}.txt", "\n".join(f"{fruit} {total}" for fruit, total in order)),),
        solution=(f"cat {folder}/*.csv | {add} | sort -k2,2nr -k1,1 > {out}.txt",),
    )


def cleaned(rng: np.random.Generator) -> Task:
    """Pack what is old, delete it, keep the rest."""
    folder, name = some(rng, COLORS, 2)
    names = some(rng, THINGS, 6)
    files = {f"{folder}/{one}.{'old' if i < 3 else 'new'}": f"{one} {i}\n".encode() for i, one in enumerate(names)}
    old = {path: data for path, data in files.items() if path.endswith(".old")}
    return Task(
        topic=("cleaned", folder, *names),
        text=f"pack all files of the directory {folder} that end in .old into {name}.tar.gz, with the directory in "
        "their names, then delete them",
        files=files,
        goals=(Packed(f"{name}.tar.gz", tuple(sorted(old.items()))), *map(Absent, old)),
        solution=(f"tar -czf {name}.tar.gz {folder}/*.old", f"rm {folder}/*.old"),
    )


def sorted_out(rng: np.random.Generator) -> Task:
    """Files into directories by what is in them."""
    names, kinds = some(rng, THINGS, 6), some(rng, COLORS, 2)
    files = {f"{name}.txt": f"{name}\ncolor {kinds[i % 2]}\n".encode() for i, name in enumerate(names)}
    goals = [Text(f"{kinds[i % 2]}/{name}.txt", files[f"{name}.txt"].decode()) for i, name in enumerate(names)]
    steps = [f"mkdir {' '.join(kinds)}"]
    steps += [f"mv $(grep -l 'color {kind}' *.txt) {kind}" for kind in kinds]
    return Task(
        topic=("sorted", *names, *kinds),
        text="each file here names a color. make a directory for each of the two colors, called as it is, and move "
        "every file into that of its color",
        files=files,
        goals=(*map(Folder, kinds), *goals, *map(Absent, files)),
        solution=tuple(steps),
    )


def _log(rng: np.random.Generator, words: tuple[str, str]) -> bytes:
    return "".join(
        f"{rng.integers(24)}.00 {words[rng.integers(2)]}\n" for _ in range(int(rng.integers(5, 12)))
    ).encode()
