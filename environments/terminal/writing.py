"""Tasks of text: what is in a file, counted, chosen, ordered or changed."""

from __future__ import annotations

import numpy as np

from agentgym.environments.terminal.goals import Text
from agentgym.environments.terminal.task import Task
from agentgym.environments.terminal.words import COLORS, FRUITS, THINGS, some

__all__ = ["chosen", "column", "counted", "distinct", "first", "replaced", "summed"]


def counted(rng: np.random.Generator) -> Task:
    """How many lines have a word."""
    name, out, lines = _lines(rng)
    word = str(rng.choice(lines)).split()[0]
    number = sum(word in line for line in lines)
    return _task(
        ("counted", name, word, str(number)),
        f"write into the file {out} how many lines of {name} have the word {word}",
        (name, lines),
        Text(out, str(number)),
        f"grep -c {word} {name} > {out}",
    )


def chosen(rng: np.random.Generator) -> Task:
    """The lines that have a word."""
    name, out, lines = _lines(rng)
    word = str(rng.choice(lines)).split()[0]
    found = [line for line in lines if word in line]
    return _task(
        ("chosen", name, word, out),
        f"write into the file {out} the lines of {name} that have the word {word}",
        (name, lines),
        Text(out, "\n".join(found)),
        f"grep {word} {name} > {out}",
    )


def first(rng: np.random.Generator) -> Task:
    """The first or the last lines."""
    name, out, lines = _lines(rng)
    number, end = int(rng.integers(2, 6)), ("first", "last")[rng.integers(2)]
    found = lines[:number] if end == "first" else lines[-number:]
    return _task(
        ("first", name, out, end, str(number)),
        f"write into the file {out} the {end} {number} lines of {name}",
        (name, lines),
        Text(out, "\n".join(found)),
        f"{'head' if end == 'first' else 'tail'} -n {number} {name} > {out}",
    )


def distinct(rng: np.random.Generator) -> Task:
    """The different words, in order."""
    name, out, lines = _lines(rng)
    words = [line.split()[0] for line in lines]
    return _task(
        ("distinct", name, out, words[0]),
        f"write into the file {out} the different lines of {name}, in the order of the alphabet",
        (name, words),
        Text(out, "\n".join(sorted(set(words)))),
        f"sort -u {name} > {out}",
    )


def column(rng: np.random.Generator) -> Task:
    """The second word of each line."""
    name, out, lines = _lines(rng)
    number = int(rng.integers(2)) + 1
    found = [line.split()[number - 1] for line in lines]
    return _task(
        ("column", name, out, str(number), lines[0]),
        f"write into the file {out} the {('first', 'second')[number - 1]} word of each line of {name}",
        (name, lines),
        Text(out, "\n".join(found)),
        f"cut -d ' ' -f {number} {name} > {out}",
    )


def replaced(rng: np.random.Generator) -> Task:
    """A word replaced in place."""
    name, _, lines = _lines(rng)
    word = str(rng.choice(lines)).split()[0]
    (new,) = some(rng, THINGS, 1)
    return _task(
        ("replaced", name, word, new),
        f"replace the word {word} by {new} in all lines of {name}",
        (name, lines),
        Text(name, "\n".join(lines).replace(word, new)),
        f"sed -i s/{word}/{new}/ {name}",
    )


def summed(rng: np.random.Generator) -> Task:
    """The sum of the second words."""
    name, out, lines = _lines(rng)
    return _task(
        ("summed", name, out, lines[0]),
        f"write into the file {out} the sum of the numbers in {name}",
        (name, lines),
        Text(out, str(sum(int(line.split()[1]) for line in lines))),
        f"awk '{{s += $2}} END {{print s}}' {name} > {out}",
    )


def _lines(rng: np.random.Generator) -> tuple[str, str, list[str]]:
    """Names of the file and of the one to write, and lines of a fruit and a number."""
    name, out = some(rng, COLORS, 2)
    fruits = [FRUITS[i] for i in rng.integers(len(FRUITS), size=int(rng.integers(8, 13)))]
    return (
        name,
        out,
        [f"{fruit} {number}" for fruit, number in zip(fruits, rng.integers(1, 60, len(fruits)), strict=True)],
    )


def _task(topic: tuple[str, ...], text: str, given: tuple[str, list[str]], goal: Text, solution: str) -> Task:
    name, lines = given
    files = {name: ("\n".join(lines) + "\n").encode()}
    return Task(topic=topic, text=text, files=files, goals=(goal,), solution=(solution,))
