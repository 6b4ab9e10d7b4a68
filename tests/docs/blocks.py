"""Code in pages, as a reader would run it: fenced blocks, files that they name, commands and what these print.

What a block is, its first line says:

- ``python`` is run, all of a page in one namespace; with ``title="NAME"`` a block, of any language, is a file;
- ``sh`` is commands, one a line; ``console`` too, behind ``$``, and the lines below are what is printed (``…`` stands
  for anything);
- ``text``, or nothing, is only read: it needs what is not here, or time.

All of it happens in one directory, in order. ``agentgym`` and ``python`` run in this process, since to import torch
takes longer than what is tested. ``agentgym train`` is cut short by ``BRIEF``, as far as a page says nothing else, and
makes two updates at most.
"""

from __future__ import annotations

import contextlib
import dataclasses
import doctest
import io
import re
import runpy
import shlex
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from agentgym.cli import cli
from agentgym.env import Env
from agentgym.registry import KINDS, make, plugins

__all__ = ["BRIEF", "Block", "blocks_of", "brief", "run_page"]

_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')

BRIEF = {
    "updates": "2",
    "trainer.groups": "2",
    "trainer.group_size": "2",
    "trainer.batch_size": "2",
    "warm_start.max_updates": "2",
    "warm_start.check_every": "2",
    "eval.episodes": "4",
    "eval.validation_episodes": "4",
}
"""What ``agentgym train`` is given where it is not told."""


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    line: int
    """That it begins at, from 1."""
    file: str = ""
    """What it is to be written to."""

    @property
    def is_run(self) -> bool:
        """Whether something is to happen."""
        return bool(self.file) or self.language in ("python", "sh", "console")


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    found = []
    for match in _FENCE.finditer(page):
        language, _, more = match[1].strip().partition(" ")
        title = _TITLE.search(more)
        found.append(Block(language, match[2], page.count("\n", 0, match.start()) + 1, title[1] if title else ""))
    return found


def run_page(page: Path) -> int:
    """Run all blocks of a page in the current directory; returns how many. Raises what a block raises."""
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
    sys.modules[module.__name__] = module  # classes are looked up there
    others = _set_aside()
    try:
        blocks = [block for block in blocks_of(page.read_text(encoding="utf-8")) if block.is_run]
        for block in blocks:
            try:
                _run(block, module)
            except BaseException as error:
                error.add_note(f"in {page.name}, the block at line {block.line}")
                raise
    finally:
        del sys.modules[module.__name__]
        _forget(Path.cwd())
        _set_aside()
        for kind, plugged in others.items():
            plugins(kind)._plugins.update(plugged)
    return len(blocks)


def _set_aside() -> dict[str, dict[str, Any]]:
    """Let go of plug-ins that are not the package's, by kind and id: files of other tests may have a page's names."""
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        table = plugins(kind)._plugins
        found[kind] = {id: each for id, each in table.items() if not each.__module__.startswith("agentgym.")}
        for id in found[kind]:
            del table[id]
    return found


def _forget(folder: Path) -> None:
    """Let go of modules that were imported from ``folder``: another page has others of their names."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and Path(file).parent == folder:
            del sys.modules[name]


def _run(block: Block, module: types.ModuleType) -> None:
    if block.file:
        Path(block.file).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        exec(compile("\n" * block.line + block.text, f"<{module.__name__}>", "exec"), module.__dict__)
    else:
        for command, shown in _commands(block):
            printed = _typed(command)
            if block.language == "console":
                _compare(command, shown, printed)


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command with what is shown below it."""
    text = block.text.replace("\\\n", " ")
    if block.language == "sh":
        yield from ((line, "") for line in text.splitlines() if line.strip() and not line.startswith("#"))
        return
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def _compare(command: str, shown: str, printed: str) -> None:
    wanted = shown.replace("…", "...")
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    same = doctest.OutputChecker().check_output(wanted, printed, flags)
    assert same, f"{command}\nis shown to print\n{shown}\nand prints\n{printed}"


def _typed(command: str) -> str:
    """Do as ``command`` says; returns what it prints to standard output."""
    words = shlex.split(command, comments=True)
    if words[0] == "agentgym":
        return _printed(lambda: cli.main(args=brief(words[1:]), prog_name="agentgym", standalone_mode=False))
    if words[0] == "python" and words[1].endswith(".py"):
        with mock.patch.object(sys, "argv", words[1:]):
            return _printed(lambda: runpy.run_path(words[1], run_name="__main__"))
    assert words[0] != "pip", f"{command}: nothing is installed by a test; make it a block of text"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def _printed(work: Callable[[], object]) -> str:
    code: object = None
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            work()
        except SystemExit as end:
            code = end.code
    assert not code, f"it ends with {code}: {out.getvalue()}"
    return out.getvalue()


def brief(words: Sequence[str]) -> list[str]:
    """A command's words, and of ``train`` those that keep it short: what its trainer and its environment take."""
    if not words or words[0] != "train" or "--resume" in words or "--config" in words:
        return list(words)
    told = dict(zip(words, [*words[1:], ""], strict=True))
    trainer = plugins("trainers").settings(told.get("--trainer", "grpo")).model_fields
    warms = "--model" not in told and "--trainer" not in told and _has_expert(told.get("--env", ""))
    keys = [
        key
        for key in BRIEF
        if (not key.startswith("trainer.") or key.partition(".")[2] in trainer)
        and (not key.startswith("warm_start.") or warms)
        and f"--{key}" not in told
    ]
    said = [*words, *(word for key in keys for word in (f"--{key}", BRIEF[key]))]
    place = said.index("--updates") + 1
    said[place] = min(said[place], BRIEF["updates"], key=int)
    return said


def _has_expert(id: str) -> bool:
    if not id:
        return False
    with contextlib.closing(make(id)) as env:
        return type(env).expert is not Env.expert
