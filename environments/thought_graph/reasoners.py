"""Who carries out what the policy decides.

``Simulated`` errs as language models were seen to (Graph of Thoughts, ARIES): the longer the part, the more likely each
word goes wrong, so that halving a part halves the chance of error of *each* word; joining errs less than solving;
refining repairs some of the errors and may make new ones. With the setting ``error_rate`` e, for a part of n items:

- solve: each word of the right answer is lost, replaced by another, or doubled, with probability e·n/64;
- aggregate: each word of the two answers likewise, with probability e·n/256; errors of the parts are kept;
- refine: each word too many goes and each missing one comes with probability 0.6, then words go wrong a
  hundredth as often as in solving.

``Asked`` puts the same three questions to any callable from text to text, such as a language model.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from agentgym.environments.thought_graph.problems import Answer, Problem, ProblemKind

__all__ = ["Asked", "Reasoner", "Simulated"]

_REPAIRED = 0.6
"""Share of the errors that refining repairs."""


class Reasoner(Protocol):
    """Three kinds of thinking; None stands for a reply that cannot be read."""

    def solve(self, items: Sequence[str], problem: Problem) -> Answer | None:
        """Answer a part."""
        ...

    def refine(self, items: Sequence[str], problem: Problem, answer: Answer) -> Answer | None:
        """Better the answer to a part."""
        ...

    def aggregate(self, one: Answer, other: Answer, size: int, problem: Problem) -> Answer | None:
        """Join the answers to two parts, together of ``size`` items."""
        ...


class Simulated:
    """Errs by the model above, with the random numbers of the episode."""

    def __init__(self, kind: ProblemKind, error_rate: float, rng: Callable[[], np.random.Generator]) -> None:
        self.kind, self.error_rate, self.rng = kind, error_rate, rng

    def solve(self, items: Sequence[str], problem: Problem) -> Answer:
        """The right answer, with errors."""
        return self._spoiled(self.kind.solve(items, problem), self.error_rate * len(items) / 64, problem)

    def refine(self, items: Sequence[str], problem: Problem, answer: Answer) -> Answer:
        """The answer with some errors repaired and, rarely, new ones."""
        rng, right = self.rng(), self.kind.solve(items, problem)
        found, wanted = collections.Counter(answer), collections.Counter(right)
        for word in sorted((found - wanted).elements()):
            found[word] -= int(rng.random() < _REPAIRED)
        for word in sorted((wanted - found).elements()):
            found[word] += int(rng.random() < _REPAIRED)
        bettered = self.kind.merge((), tuple(found.elements()))
        return self._spoiled(bettered, self.error_rate * len(items) / 6400, problem)

    def aggregate(self, one: Answer, other: Answer, size: int, problem: Problem) -> Answer:
        """The two answers joined, with errors of its own."""
        return self._spoiled(self.kind.merge(one, other), self.error_rate * size / 256, problem)

    def _spoiled(self, answer: Answer, rate: float, problem: Problem) -> Answer:
        rng, vocabulary = self.rng(), self.kind.vocabulary(problem)
        spoiled: list[str] = []
        for word in answer:
            wrong = str(vocabulary[int(rng.integers(len(vocabulary)))])
            slips: tuple[list[str], ...] = ([], [wrong], [word, word])
            spoiled += slips[int(rng.integers(len(slips)))] if rng.random() < rate else [word]
        return self.kind.merge((), tuple(spoiled))


_WORD = re.compile(r"\w+")
_LIST = re.compile(r"\[([^\[\]]*)\]")


class Asked:
    """Asks ``reply``, a function from a question to an answer in words, and reads the last [list] in what it says."""

    def __init__(self, kind: ProblemKind, reply: Callable[[str], str]) -> None:
        self.kind, self.reply = kind, reply

    def solve(self, items: Sequence[str], problem: Problem) -> Answer | None:
        """What it says to the part."""
        return self._ask(self.kind.task, items, problem)

    def refine(self, items: Sequence[str], problem: Problem, answer: Answer) -> Answer | None:
        """What it says when shown its answer again."""
        return self._ask(
            f"{self.kind.task} An answer that may have errors is {_listed(answer)}: correct it.", items, problem
        )

    def aggregate(self, one: Answer, other: Answer, size: int, problem: Problem) -> Answer | None:
        """What it says to the two answers."""
        how = "Merge these two sorted lists into one." if self.kind.ordered else "Join these two lists, keeping all."
        return self._read(f"{how} {_listed(one)} {_listed(other)}")

    def _ask(self, task: str, items: Sequence[str], problem: Problem) -> Answer | None:
        second = f" {_listed(problem.given)}" if problem.given else ""
        return self._read(f"{task} {_listed(items)}{second}")

    def _read(self, question: str) -> Answer | None:
        said = _LIST.findall(self.reply(f"{question} Reply with one list in square brackets."))
        return tuple(_WORD.findall(said[-1])) if said else None


def _listed(words: Sequence[str]) -> str:
    return f"[{', '.join(words)}]"
