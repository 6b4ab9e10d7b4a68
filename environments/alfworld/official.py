"""The games of the official release, by split.

The release has ``train``, ``valid_seen`` and ``valid_unseen`` in a folder ``json_2.1.1``. The name of a game's folder
is its task type, its object, ``None`` or the movable receptacle, the receptacle and the room. Train tasks are those of
``train``, or of ``valid_train`` where that is what is there; validation tasks those of ``valid_seen``, or every tenth
train game where that is missing, which then is no train task; test tasks those of ``valid_unseen``.

Left out, and counted, are games that say they are not solvable or do not say that they are, and those that ALFWorld
does not play: with movable receptacles or sliced things. In ``valid_unseen`` of the release 134 are left.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from agentgym.environments.alfworld.game import read_game
from agentgym.environments.alfworld.levels import TYPES
from agentgym.environments.alfworld.world import World, open_world
from agentgym.errors import DataError, UserError, did_you_mean

__all__ = ["Listing", "Official", "listing"]

_VERSION = "json_2.1.1"
_FOLDERS = {"train": ("train", "valid_train"), "validation": ("valid_seen",), "test": ("valid_unseen",)}
_GAME = "game.tw-pddl"
_EVERY = 10
"""Where there is no validation folder, one in so many train games is for validation."""
_SOLVABLE = re.compile(rb'"solvable"\s*:\s*true')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The games of one folder."""

    games: tuple[str, ...]
    """Paths of playable games, relative to the data folder, without the file's name."""
    skipped: dict[str, int]
    """Reason → number of games left out."""


class Official:
    """The games under a data folder. Raises DataError, which says what was found, when it is not one."""

    def __init__(self, data: str | Path, types: Collection[str]) -> None:
        self.root, self.types = _root(Path(data).expanduser()), frozenset(TYPES[type] for type in types)

    def tasks(self, split: str) -> Sequence[str]:
        """Task ids of a split: the paths of their games. Raises UserError, or DataError where it has none."""
        if split not in _FOLDERS:
            raise UserError(f'unknown split "{split}".{did_you_mean(split, _FOLDERS)} Known: {", ".join(_FOLDERS)}')
        return _of_types(self.root, split, self.types)

    def open(self, task: object) -> World:
        """The world of a task. Raises UserError for one that does not exist, DataError for a file that is no game."""
        known = _known(self.root)
        if not isinstance(task, str) or task not in known:
            raise UserError(
                f"task {task!r} does not exist. Tasks look like {next(iter(known), 'none: there are no games')}"
            )
        file = self.root / task / _GAME
        return open_world(str(file), lambda: World(read_game(file)))


def listing(data: str | Path) -> dict[str, Listing]:
    """Folder that tasks come from → its games, of every type, and how many were left out and why. Raises DataError."""
    root = _root(Path(data).expanduser())
    return {folder: _listed(root, folder) for split in _FOLDERS if (folder := _folder(root, split))}


def _root(data: Path) -> Path:
    """The folder that holds the splits."""
    root = data if data.name == _VERSION else data / _VERSION
    if any((root / folder).is_dir() for folders in _FOLDERS.values() for folder in folders):
        return root
    if not data.is_dir():
        found = "it does not exist"
    else:
        names = sorted(path.name for path in (root if root.is_dir() else data).iterdir())
        found = f"it has {', '.join(names[:8])}" if names else "it is empty"
    known = ", ".join(name for folders in _FOLDERS.values() for name in folders)
    raise DataError(
        f"{root if root.is_dir() else data} has no games of the release {_VERSION}: expected {_VERSION}/ with any of "
        f"{known}, but {found}. To download it, type: export ALFWORLD_DATA={data}; alfworld-download; "
        "to play generated games, type: --env.data generated"
    )


def _folder(root: Path, split: str) -> str | None:
    """The folder of a split; the train one where validation games are taken from it."""
    names = (*_FOLDERS[split], *(_FOLDERS["train"] if split == "validation" else ()))
    return next((name for name in names if (root / name).is_dir()), None)


@functools.cache
def _known(root: Path) -> dict[str, str]:
    """Game → its split."""
    return {game: split for split in _FOLDERS if _folder(root, split) for game in _all_games(root, split)}


@functools.cache
def _of_types(root: Path, split: str, types: frozenset[str]) -> tuple[str, ...]:
    games = _all_games(root, split)
    chosen = tuple(game for game in games if Path(game).parts[1].partition("-")[0] in types)
    if not chosen:
        there = collections.Counter(Path(game).parts[1].partition("-")[0] for game in games)
        raise DataError(
            f'{root} has no "{split}" games of {", ".join(sorted(types))}; it has {dict(there) or "none at all"}. '
            "Choose another level or other types, or type: alfworld-download"
        )
    return chosen


@functools.cache
def _all_games(root: Path, split: str) -> tuple[str, ...]:
    folder = _folder(root, split)
    if folder is None:
        expected = " or ".join(_FOLDERS[split])
        raise DataError(f'{root} has no "{split}" games: there is no folder {expected}; type: alfworld-download')
    games = _listed(root, folder).games
    if split == "test" or _folder(root, "validation") not in _FOLDERS["train"]:
        return games
    return tuple(game for number, game in enumerate(games) if (number % _EVERY == 0) == (split == "validation"))


@functools.cache
def _listed(root: Path, folder: str) -> Listing:
    games, skipped = [], collections.Counter[str]()
    for file in sorted((root / folder).glob(f"*/*/{_GAME}")):
        reason = _why_not(file)
        if reason:
            skipped[reason] += 1
        else:
            games.append(file.parent.relative_to(root).as_posix())
    return Listing(games=tuple(games), skipped=dict(sorted(skipped.items())))


def _why_not(file: Path) -> str:
    """Why a game is left out, or an empty string."""
    name = file.parent.parent.name
    if "movable" in name:
        return "movable"
    if "Sliced" in name:
        return "Sliced"
    return "" if _SOLVABLE.search(file.read_bytes()) else "not solvable"
