"""Games by level and seed: made by TextWorld when they are first asked for, kept on disk from then on.

A game is a folder of three files: the story that the interpreter runs (``game.z8``), what TextWorld knows of it
(``game.json``) and their digests. It comes into being under another name and is renamed when it is whole; a lock
file keeps threads and processes from making the same game twice. A folder whose files do not have their digests is made
anew.

Every game is won once, by TextWorld's own plan, before it is kept. Some cannot be: where the names of two things are
alike, such as "safe" and "American safe", the interpreter may ask back which is meant, again and again. The game of a
further seed then takes the place.

The same level and seed give the same bytes on any day: the compiler's date in the story's header is blanked.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentgym.environments.textworld.engine import be_quiet, textworld
from agentgym.environments.textworld.levels import Level
from agentgym.environments.textworld.story import Story
from agentgym.errors import UserError

__all__ = ["default_cache", "game_file"]

_FILES = ("game.z8", "game.json")
_RECIPE = 2
"""Part of the name of every game on disk; to be raised when games are made in another way."""
_ATTEMPTS = 20
"""Seeds to try: TextWorld advises it where a map leaves no room for the quest."""
_SERIAL = slice(0x12, 0x18)
"""Where a story's header holds its serial number, a date (Z-Machine Standards Document 1.1, §11)."""


def default_cache() -> Path:
    """The folder of games in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentgym" / "textworld"


def game_file(level: Level, seed: int, split: str, cache: Path) -> Path:
    """The story of that level and seed, out of ``cache`` or put there.

    Cooking games draw their ingredients and preparations from those that TextWorld keeps for ``split``.
    Raises UserError when TextWorld cannot make one, or when the folder cannot be written.
    """
    version = textworld().__version__
    folder = cache / f"textworld-{version}-{_RECIPE}" / level.kind / level.name / f"{seed}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_suffix(".lock")):
            if not _is_whole(folder):
                _put(folder, level, seed, split)
    except OSError as error:
        raise UserError(f"cannot keep games in {cache}: {error}; choose another folder with --env.cache") from error
    return folder / "game.z8"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Holds the lock file; it is another file description for every caller, so threads wait as processes do."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_whole(folder: Path) -> bool:
    try:
        expected = json.loads((folder / "digests.json").read_text(encoding="utf-8"))
        return bool(expected == _digests(folder))
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.blake2b((folder / name).read_bytes(), digest_size=16).hexdigest() for name in _FILES}


def _put(folder: Path, level: Level, seed: int, split: str) -> None:
    """The first game that can be won, of seeds that begin with the given one."""
    new = folder.with_suffix(".new")
    problem: Exception | str = "names too much alike"
    for attempt in range(_ATTEMPTS):
        for remains in (new, folder):
            if remains.exists():
                shutil.rmtree(remains)
        new.mkdir()
        try:
            _make(new / "game.z8", level, seed + attempt * 10_000_019, split)
        except _dead_ends() as error:
            problem = error
            continue
        if _is_won_by_its_plan(new / "game.z8"):
            (new / "digests.json").write_text(json.dumps(_digests(new)), encoding="utf-8")
            new.rename(folder)
            return
    shutil.rmtree(new)
    raise UserError(f'TextWorld finds no game of level "{level.name}"; choose a shorter quest or more rooms: {problem}')


def _dead_ends() -> tuple[type[Exception], ...]:
    return (
        textworld("textworld.generator").QuestGenerationError,
        textworld("textworld.generator.world").NoFreeExitError,
        textworld("textworld.generator.vtypes").NotEnoughNounsError,
    )


def _is_won_by_its_plan(path: Path) -> bool:
    story = Story(path)
    story.reset()
    for _ in range(len(story.state.policy_commands)):
        story.say(next(iter(story.state.policy_commands), "look"))
    return bool(story.state.won)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C goes to every program of the terminal: the compiler, which inherits this, leaves it to ours."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _make(path: Path, level: Level, seed: int, split: str) -> None:
    be_quiet()
    options = textworld().GameOptions()
    options.seeds, options.path, options.force_recompile = seed, str(path), True
    game = _make_game(level, options, split)
    try:
        with _uninterrupted():
            textworld("textworld.generator").compile_game(game, options)
    except textworld("textworld.generator.inform7").CouldNotCompileGameError as error:
        raise UserError(f'a game of level "{level.name}" does not compile; choose a smaller level: {error}') from error
    path.with_suffix(".ni").unlink()
    story = bytearray(path.read_bytes())
    story[_SERIAL] = b"000000"
    path.write_bytes(story)


def _make_game(level: Level, options: Any, split: str) -> Any:
    if level.kind == "custom":
        for name, value in level.settings.items():
            setattr(options, name, value)
        options.kb = textworld("textworld.generator.data").KnowledgeBase.default()  # else parsed for every game
        return textworld("textworld.generator").make_game(options)
    settings = dict(level.settings)
    if level.kind == "cooking":
        settings["split"] = {"validation": "valid"}.get(split, split)
    challenge = level.kind.replace("-", "_")
    return textworld(f"textworld.challenges.tw_{challenge}.{challenge}").make(settings, options)
