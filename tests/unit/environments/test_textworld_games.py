"""Making games and keeping them: the same bytes for the same seed, damage found, names of levels read."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentgym.environments.textworld import games
from agentgym.environments.textworld.games import default_cache, game_file
from agentgym.environments.textworld.levels import KINDS, LADDERS, Kind, Level, level_of
from agentgym.environments.textworld.story import command_of, tidy
from agentgym.errors import ConfigError, UserError
from tests.unit.environments.textworld_kit import cache

textworld = pytest.importorskip("textworld", reason="needs the extra textworld")
BASE = level_of("custom", "w2-o3-q4")
CONFUSED = level_of("custom", "w4-o6-q8"), 1015
"""Its quest needs "take American limited edition key from safe" beside an "American limited edition safe"."""


def bytes_of(file: Path) -> tuple[bytes, bytes]:
    return file.read_bytes(), file.with_suffix(".json").read_bytes()


@pytest.mark.slow
def test_a_seed_gives_the_same_bytes_in_any_process_and_on_any_day(tmp_path: Path) -> None:
    here = bytes_of(game_file(BASE, 1, "test", cache()))
    code = (
        "import sys, pathlib\n"
        "from agentgym.environments.textworld.games import game_file\n"
        "from agentgym.environments.textworld.levels import level_of\n"
        "game_file(level_of('custom', 'w2-o3-q4'), 2, 'test', pathlib.Path(sys.argv[1]))\n"
        "print(game_file(level_of('custom', 'w2-o3-q4'), 1, 'test', pathlib.Path(sys.argv[1])))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert bytes_of(Path(done.stdout.strip())) == here, done.stderr
    assert here[0][0x12:0x18] == b"000000"
    assert here != bytes_of(game_file(BASE, 2, "test", cache()))


def test_ctrl_c_does_not_break_a_game_that_is_being_made(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: print('heard'))\n"
        "from agentgym.environments.textworld.games import game_file\n"
        "from agentgym.environments.textworld.levels import level_of\n"
        "print('ready', flush=True)\n"
        "print(game_file(level_of('custom', 'w2-o3-q4'), 3, 'test', pathlib.Path(sys.argv[1])))\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    while child.poll() is None:
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to all that it runs
        time.sleep(0.02)
    *heard, game = child.stdout.read().split()
    assert (child.returncode, Path(game).name) == (0, "game.z8")
    assert "heard" in heard


def test_a_game_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = games._make

    def counted(path: Path, *arguments: object) -> None:
        made.append(path)
        make(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(games, "_make", counted)
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _: game_file(BASE, 1, "test", tmp_path), range(4)))
    assert len(made) == 1
    assert len(set(files)) == 1
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["digests.json", "game.json", "game.z8"]


def cut(folder: Path) -> None:
    (folder / "game.z8").write_bytes((folder / "game.z8").read_bytes()[:1000])


def flip_a_bit(folder: Path) -> None:
    story = bytearray((folder / "game.z8").read_bytes())
    story[5000] ^= 1
    (folder / "game.z8").write_bytes(story)


def spoil_what_textworld_knows(folder: Path) -> None:
    (folder / "game.json").write_text("{", encoding="utf-8")


def lose_the_story(folder: Path) -> None:
    (folder / "game.z8").unlink()


def spoil_the_digests(folder: Path) -> None:
    (folder / "digests.json").write_text("[", encoding="utf-8")


def stop_in_the_middle(folder: Path) -> None:
    folder.rename(folder.with_suffix(".new"))


@pytest.mark.parametrize(
    "damage",
    [cut, flip_a_bit, spoil_what_textworld_knows, lose_the_story, spoil_the_digests, stop_in_the_middle],
)
def test_a_damaged_game_is_made_anew(
    damage: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = game_file(BASE, 1, "test", cache())
    made = []

    def copied(path: Path, *_: object) -> None:
        made.append(path)
        shutil.copy(good, path)
        shutil.copy(good.with_suffix(".json"), path.with_suffix(".json"))

    monkeypatch.setattr(games, "_make", copied)
    folder = game_file(BASE, 1, "test", tmp_path).parent
    assert game_file(BASE, 1, "test", tmp_path).parent == folder
    assert len(made) == 1
    damage(folder)
    assert bytes_of(game_file(BASE, 1, "test", tmp_path)) == bytes_of(good)
    assert len(made) == 2
    assert not folder.with_suffix(".new").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=re.escape("choose another folder with --env.cache")):
        game_file(BASE, 1, "test", tmp_path / "file")


def test_another_seed_is_tried_where_there_is_no_game_or_it_cannot_be_won(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first seed no map has room for the quest; the second game's interpreter asks back which thing is meant."""
    make, seeds = games._make_game, []

    def fails_at_first(level: Level, options: Any, split: str) -> Any:
        seeds.append(options.seeds["map"])
        if len(seeds) == 1:
            raise textworld.generator.QuestGenerationError("no room")
        if len(seeds) == 2:
            options.seeds = CONFUSED[1]
            return make(CONFUSED[0], options, split)
        return make(level, options, split)

    monkeypatch.setattr(games, "_make_game", fails_at_first)
    folder = game_file(BASE, 1, "test", tmp_path).parent
    assert len(set(seeds)) == 3
    assert sorted(path.name for path in folder.iterdir()) == ["digests.json", "game.json", "game.z8"]


def test_a_level_that_textworld_has_no_game_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise textworld.generator.QuestGenerationError("no room")

    monkeypatch.setattr(games, "_make_game", fails)
    with pytest.raises(UserError, match=r'TextWorld finds no game of level "w2-o3-q4".*no room'):
        game_file(BASE, 1, "test", tmp_path)
    assert list(tmp_path.rglob("game.*")) == []


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache() == Path("/somewhere/agentgym/textworld")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "agentgym" / "textworld"


def test_levels_by_name() -> None:
    hard = level_of("custom", "w4-o6-q8")
    assert (hard.settings, hard.max_turns) == ({"nb_rooms": 4, "nb_objects": 6, "quest_length": 8}, 16)
    cook = level_of("cooking", "recipe3+take2+cook+open+go6")
    assert cook.settings == {
        "recipe": 3,
        "take": 2,
        "cook": True,
        "cut": False,
        "open": True,
        "go": 6,
        "drop": False,
        "recipe_seed": 0,
    }
    assert [level_of("treasure-hunter", f"level{i}").max_turns for i in (1, 10, 11, 20, 30)] == [4, 10, 4, 20, 40]
    assert [level_of("coin-collector", f"level{i}").max_turns for i in (1, 100, 101, 150, 233)] == [4, 200, 4, 100, 66]
    assert [level_of(kind).name for kind in KINDS] == [LADDERS[kind][0] for kind in KINDS]
    for kind in KINDS:
        assert [level_of(kind, name).name for name in LADDERS[kind]] == list(LADDERS[kind])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *[("custom", name) for name in ("w0-o3-q4", "w2-o3", "w2-o3-q4 ", "w100-o3-q4", "")],
        *[
            ("cooking", name)
            for name in ("recipe6", "recipe1+take2", "recipe1+go2", "recipe1+cut+cook", "recipe1+drop")
        ],
        *[("treasure-hunter", name) for name in ("level0", "level31", "level", "1")],
        *[("coin-collector", name) for name in ("level0", "level151", "level234", "level301", "level1000")],
    ],
)
def test_levels_that_do_not_exist(kind: Kind, name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f'level is "{name}"')):
        level_of(kind, name)


def test_tidy_text_by_hand() -> None:
    banner = "\n\n\n   ________ __  \n  |        \\|  \\ \n   \\$$$$$$$$ \\$$ \n\nGet ready.\n\n"
    text = f"{banner}-= Attic =-\nDark.  \n\n\n\nA key.\n\n>      -= Attic =-0/1"
    assert tidy(text) == "Get ready.\n\n-= Attic =-\nDark.\n\nA key."
    ended = "Taken.\n\n\n\n                    *** The End ***\n\nWould you like to RESTART, QUIT?\n> \n>   -= A =-1/5"
    assert tidy(ended) == "Taken.\n\n*** The End ***"
    assert tidy("\n\n\n>   ") == ""


@pytest.mark.parametrize(
    ("action", "command"),
    [
        ("  take\tthe  key\n", "take the key"),
        ("examine chef's half-dead plant", "examine chef's half-dead plant"),
        ("quitter", "quitter"),
        ("QUIT now", None),
        ("q", None),
        ("transcript on", None),
        ("take key, open box", None),
        ("look;look", None),
        ("print_state", None),
        ("look \x1b[2J", None),
    ],
)
def test_commands_by_hand(action: str, command: str | None) -> None:
    assert command_of(action) == command
