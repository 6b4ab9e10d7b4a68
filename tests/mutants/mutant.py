"""A fault that is put into a file on purpose, and the tests that answer for the file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Module", "Mutation", "mutated", "tables"]

ROOT = Path(__file__).parents[2]


class Mutation(NamedTuple):
    """``old`` becomes ``new``; the name says what is wrong then."""

    name: str
    old: str
    new: str


class Module(NamedTuple):
    """A file, the tests that answer for it, and what they must notice."""

    file: str
    tests: tuple[str, ...]
    mutations: tuple[Mutation, ...]


def mutated(text: str, module: Module, mutation: Mutation) -> str:
    """``text`` with the mutation. Raises ValueError unless the old text occurs exactly once."""
    times = text.count(mutation.old)
    if times != 1:
        raise ValueError(f"{module.file}, {mutation.name!r}: {mutation.old!r} must occur once, found {times} times")
    return text.replace(mutation.old, mutation.new)


def tables() -> list[Module]:
    """``MODULES`` of every file in this folder that has one."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("[!_]*.py"))
    return [m for name in names for m in getattr(importlib.import_module(f"tests.mutants.{name}"), "MODULES", ())]
