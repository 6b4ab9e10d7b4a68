"""The world against TextWorld's own environment, and what a graph that many share must stand."""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentgym.environments.alfworld import AlfWorld, world
from agentgym.environments.alfworld.game import Game
from agentgym.environments.alfworld.packages import LOCK, alfworld, downward
from agentgym.environments.alfworld.world import NOTHING, World
from agentgym.errors import MissingExtraError
from tests.unit.environments.alfworld_kit import kitchen, needs_extra, win

pytestmark = needs_extra


def textworlds(game: Game, folder: Path) -> Any:
    """TextWorld's environment of a game, with the names that ALFWorld gives."""
    grammar = game.grammar.replace("UNKNOWN GOAL.", game.sentence)
    file = folder / "game.tw-pddl"
    file.write_text(json.dumps({"pddl_domain": game.domain, "pddl_problem": game.problem, "grammar": grammar}))
    env = downward("textworld.envs.pddl").PddlEnv(downward("textworld").EnvInfos(admissible_commands=True))
    env.load(str(file))
    names = alfworld("agents.utils.misc").Demangler(game_infos=env._entity_infos)
    for info in env._entity_infos.values():
        info.name = names.demangle_alfred_name(info.id)
    return env


@pytest.mark.parametrize(("type", "seed"), [("heat", 0), ("two", 1), ("clean", 2)])
def test_plays_what_textworld_plays(type: str, seed: int, tmp_path: Path) -> None:
    """Text, commands and wins, turn by turn; in between others ask about other states of the same world."""
    game = kitchen(type, "Apple", "Microwave")
    ours, rng = World(game), random.Random(seed)
    with LOCK:
        theirs = textworlds(game, tmp_path)
        seen = theirs.reset()
        assert ours.intro == seen.feedback
        state = ours.start
        for turn in range(30):
            assert list(state.commands) == seen["admissible_commands"]
            assert state.won == seen["won"]
            choices = [c for c in state.commands if not c.startswith("go") or rng.random() < 0.3] or [*state.commands]
            command = rng.choice([*choices, "go to nowhere"])
            told, state = ours.step(state, command)
            seen, _, _ = theirs.step(command)
            assert told == seen.feedback
            if turn % 4 == 0:
                ours.step(ours.start, rng.choice(list(ours.start.commands)))


def test_states_are_shared_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "_MAX_STATES", 6)
    home = World(kitchen("place", "Mug", "CounterTop"))
    there = home.follow(["go to cabinet 1", "open cabinet 1", "take mug 1 from cabinet 1"])
    assert home.follow(["go to countertop 1", "go to cabinet 1", "open cabinet 1"]) is not there
    path, told = there.path, home.step(there, "inventory")[0]
    for place in ("fridge 1", "microwave 1", "countertop 1", "sinkbasin 1"):
        home.follow([f"go to {place}", f"examine {place}"])
    again = home.follow(path)
    assert again is not there
    assert (again.path, again.commands, again.won) == (path, there.commands, False)
    assert home.step(there, "inventory")[0] == home.step(again, "inventory")[0] == told == "You are carrying: a mug 1."
    assert home.step(there, "no such thing") == (NOTHING, there)


def test_an_interrupted_step_can_be_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    home = World(kitchen("place", "Mug", "CounterTop"))
    there = home.follow(["go to cabinet 1", "open cabinet 1"])
    told = World._told

    def interrupted(*args: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(World, "_told", interrupted)
    with pytest.raises(KeyboardInterrupt):
        home.step(there, "take mug 1 from cabinet 1")
    monkeypatch.setattr(World, "_told", told)
    text, after = home.step(there, "take mug 1 from cabinet 1")
    assert text == "You pick up the mug 1 from the cabinet 1."
    assert home.step(after, "look")[0] == "You are facing the cabinet 1. Next to it, you see nothing."
    assert home.step(there, "examine cabinet 1")[0] == "The cabinet 1 is open. In it, you see a mug 1."


def test_eight_threads_open_and_win_at_once_and_stdout_is_there_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stdout, argv = sys.stdout, list(sys.argv)

    def played(number: int) -> int:
        env = AlfWorld(data="generated", cache=tmp_path, problem_seed=8)
        observation, _ = env.reset(options={"task": number % 6})
        return win(env, observation)  # type: ignore[arg-type]

    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(played, range(8)))
    assert min(turns) > 0
    assert turns[:2] == turns[6:]
    assert sys.stdout is stdout
    assert sys.argv == argv
    print("heard")
    assert capsys.readouterr().out == "heard\n"


def test_without_the_extra_it_is_said_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alfworld", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'agentgym-lab\[alfworld\]'"):
        AlfWorld(data="generated")
