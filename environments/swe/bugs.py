"""The bugs that tasks are made of: which of all that can be put into a module are noticed, and by which cases.

Whether one is was tried out once and stands in ``table``: running code that is wrong on purpose is nothing to do in the
middle of an episode. A bug is there if at least two cases fail by it, so that no answer to a single one is the whole
repair, if some pass, and if all come to an end. A bug belongs to one split, by the hash of its module and key.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

from agentgym.environments._options import Split
from agentgym.environments.swe.cases import cases_of
from agentgym.environments.swe.mutators import Bug, bugs_in
from agentgym.environments.swe.slicing import needed_by
from agentgym.environments.swe.table import TABLE

__all__ = ["Known", "known_bugs", "source_of", "split_of"]

_LEAST = 2


class Known(NamedTuple):
    """A bug of the table."""

    module: str
    bug: Bug
    failing: tuple[int, ...]
    """Numbers of the cases that it makes fail."""

    @property
    def is_plain(self) -> bool:
        """Whether its function alone shows it, in two cases at least, and is right in some."""
        first = [case.calls[0][0] for case in cases_of(self.module)]
        failing = [first[number] for number in self.failing if first[number] in self.names]
        own = [name for name in failing if name == self.bug.function or name[0].isupper()]
        return _LEAST <= len(own) == len(failing) < sum(name in self.names for name in first)

    @property
    def names(self) -> frozenset[str]:
        """What of the module its function needs."""
        return needed_by(source_of(self.module), self.bug.function)


@functools.cache
def source_of(module: str) -> str:
    """The text of a module, as it should be."""
    return (Path(__file__).parent / "library" / f"{module}.py").read_text(encoding="utf-8")


@functools.cache
def known_bugs(split: Split, *, plain: bool = False) -> tuple[Known, ...]:
    """The bugs of a split, in order; of these those that are plain."""
    return tuple(known for known in _all_bugs() if _belongs(known, split) and (known.is_plain or not plain))


def split_of(module: str, key: str) -> Split:
    """Of the bugs, six tenths are for training, two tenths each for validation and test."""
    digest = hashlib.blake2b(f"{module} {key}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"


def _belongs(known: Known, split: Split) -> bool:
    return split_of(known.module, known.bug.key) == split


@functools.cache
def _all_bugs() -> tuple[Known, ...]:
    found = []
    for module, listed in TABLE.items():
        by_key = {bug.key: bug for bug in bugs_in(source_of(module))}
        for entry in listed.split():
            key, _, numbers = entry.partition(":")
            found.append(Known(module, by_key[key], tuple(map(int, numbers.split(",")))))
    return tuple(found)
