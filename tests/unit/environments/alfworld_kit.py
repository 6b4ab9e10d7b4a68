"""Games for the tests of ALFWorld: one kitchen written by hand, and worlds of it."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentgym.environments.alfworld import AlfWorld
from agentgym.environments.alfworld.drafts import Draft
from agentgym.environments.alfworld.game import Game, installed_domain, installed_grammar
from agentgym.environments.alfworld.rooms import Room
from agentgym.environments.alfworld.world import World
from agentgym.types import Observation

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("alfworld") is None,  # importing it would set ALFWORLD_DATA
    reason="needs the extra alfworld: pip install 'agentgym-lab[alfworld]'",
)
needs_data = pytest.mark.skipif(
    "ALFWORLD_DATA" not in os.environ, reason="ALFWORLD_DATA names no folder with the official release"
)

RECEPTACLES = ["Cabinet", "CounterTop", "Fridge", "Microwave", "SinkBasin"]
THINGS = [("Apple", 1), ("Apple", 2), ("Mug", 0), ("Bread", 1)]
"""Kind, and place in ``RECEPTACLES``; numbers in names count from the end, so the first apple is "apple 2"."""


def kitchen(type: str, thing: str, target: str, things: list[tuple[str, int]] | None = None) -> Game:
    """A game in a kitchen that five receptacles are in."""
    room = Room(number=0, things=(), receptacles=())
    places = list(THINGS if things is None else things)
    draft = Draft(type=type, room=room, thing=thing, target=target, receptacles=RECEPTACLES, places=places)
    return Game(
        origin="the kitchen",
        domain=installed_domain(),
        problem=draft.problem(),
        grammar=installed_grammar(),
        sentence=f"do {type} with {thing.lower()}.",
    )


class One:
    """Stands where an environment keeps its games, and has one."""

    def __init__(self, game: Game) -> None:
        self.world = World(game)

    def tasks(self, split: str) -> range:
        """Three of the same."""
        return range(3)

    def open(self, task: Any) -> World:
        """The one."""
        return self.world


def env_with(game: Game) -> AlfWorld:
    """An environment at the beginning of ``game``."""
    env = AlfWorld(data="generated")
    env.games = One(game)  # type: ignore[assignment]
    env.reset(seed=0)
    return env


def win(env: AlfWorld, observation: Observation) -> int:
    """Follow the expert; the number of turns to the win, or -1."""
    expert = env.expert()
    for turn in range(1, env.max_turns + 1):
        observation, reward, terminated, _, info = env.step(expert(observation))  # type: ignore[assignment]
        assert reward == float(terminated) == float(info.get("success", False))
        assert "invalid_action" not in info
        if terminated:
            return turn
    return -1


def write_game(root: Path, folder: str, name: str, **changes: Any) -> Path:
    """A folder of the official layout with a game that nothing can be played of, unless ``changes`` say otherwise."""
    file = root / "json_2.1.1" / folder / name / "trial_1" / "game.tw-pddl"
    file.parent.mkdir(parents=True)
    game = {"pddl_domain": "d", "pddl_problem": "p", "grammar": '"rhs": "Your task is to: look."', "solvable": True}
    game.update(changes)
    file.write_text(json.dumps({key: value for key, value in game.items() if value is not None}))
    return file
