"""ALFWorld as an environment: a room told in text, a household task, commands that change the room.

Plays what TextWorld's PDDL environment with ALFWorld's names plays, word for word (see ``world``). Departs from it in

- the banner before the first observation, which is left out;
- both verbs for putting, ``put X in/on Y`` and ``move X to Y``, which are understood in every game;
- an episode that is over takes no more actions;
- a command that is not admissible is answered with "Nothing happens." as there, and the info says so.

A reward of 1 comes with the win, and nothing before it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentgym.env import Env, Expert
from agentgym.environments.alfworld.generated import Generated, default_cache
from agentgym.environments.alfworld.levels import LEVELS, LevelName, types_named
from agentgym.environments.alfworld.official import Official
from agentgym.environments.alfworld.packages import DATA_VARIABLE, alfworld
from agentgym.environments.alfworld.solver import Household, read_goal, shortest_plan
from agentgym.environments.alfworld.world import NOTHING, State, World
from agentgym.registry import register
from agentgym.types import Observation, TaskId

__all__ = ["AlfWorld"]

_BANNER = "-= Welcome to TextWorld, ALFRED! =-"
_PUT = re.compile(r"(?:put|move) (.+?) (?:in/on|into|onto|in|on|to) (.+)")
_OFFICIAL_TURNS = 50
"""What the papers give an episode."""


@register
class AlfWorld(Env):
    """Do a household task in a room that must be explored.

    Example::

        env = AlfWorld()
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("go to fridge 1")
    """

    kind = "game"
    extra = "alfworld"
    max_turns = 25
    corpus_episodes = 60  # opening a game takes a tenth of a second
    instructions = (
        "Do the task in the room. Actions: look, inventory, go to PLACE, open PLACE, close PLACE, "
        "take THING from PLACE, move THING to PLACE, examine THING or PLACE, use THING, heat THING with PLACE, "
        "clean THING with PLACE, cool THING with PLACE, slice THING with THING."
    )

    def __init__(
        self,
        *,
        level: LevelName = "mixed",
        types: str | Sequence[str] | None = None,
        data: str | Path | None = None,
        cache: str | Path | None = None,
        problem_seed: int = 0,
    ) -> None:
        """Choose the games.

        Args:
            level: task types and, of generated games, size of the room.
            types: only these of the level's types: any of place, look, clean, heat, cool, two, with commas between.
            data: folder of the official release; "generated" for generated games; None for the folder that
                ALFWORLD_DATA names, or generated games where it names none.
            cache: folder to keep generated games in; None for one in the user's cache.
            problem_seed: seed of generated games.

        Raises ConfigError for types that there are not, DataError for a folder without official games,
        MissingExtraError without the extra "alfworld".
        """
        self.level = LEVELS[level]
        self.types = types_named(types, self.level)
        source = data if data is not None else os.environ.get(DATA_VARIABLE) or "generated"
        self.games: Generated | Official
        if source == "generated":
            folder = default_cache() if cache is None else Path(cache).expanduser()
            self.games = Generated(self.level, self.types, seed=problem_seed, cache=folder)
        else:
            self.games = Official(source, self.types)
        self.state: State
        self.world: World
        self.max_turns = self.level.max_turns if source == "generated" else _OFFICIAL_TURNS
        alfworld()

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Task ids of "train", "validation" or "test": numbers, or paths of official games. Raises UserError."""
        return self.games.tasks(split)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start the game of ``options["task"]``, or of a random train task. Raises UserError."""
        task = (options or {}).get("task")
        if task is None:
            tasks = self.tasks("train")
            task = tasks[int(self.np_random.integers(len(tasks)))]
        self._enter(task)
        return self._seen_as(self.world.intro.replace(_BANNER, "").strip()), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; a command that is not admissible changes nothing, and the info says so."""
        command = _understood(action, self.state)
        told, self.state = self.world.step(self.state, command)
        won = self.state.won
        info: dict[str, Any] = {"success": True} if won else {}
        if told == NOTHING:
            info["invalid_action"] = f'"{command[:80]}" cannot be done now'
        return self._seen_as(told), float(won), won, False, info

    def expert(self) -> Expert:
        """Somebody who sees everything: the stored plan while it is followed, otherwise a plan from here.

        Fast-downward plans only where the goal is none of the six, and may then take minutes.
        """
        return lambda observation: _understood(self._plan()[0], self.state)

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON: its task, and commands that lead from the beginning to where it is."""
        return {"task": self.task, "path": list(self.state.path)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self._enter(state["task"])
        self.state = self.world.follow(state["path"])

    def _enter(self, task: TaskId) -> None:
        self.world = self.games.open(task)
        self.task: TaskId = task if isinstance(task, str) else int(task)
        self.state = self.world.start

    def _plan(self) -> list[str]:
        stored, done = self.world.game.walkthrough, self.state.path
        if done == stored[: len(done)] and len(done) < len(stored):
            return list(stored[len(done) :])
        goal = read_goal(self.world.game.problem)
        home = Household(self.world.facts(self.state), self.world.names())
        plan = shortest_plan(home, goal) if goal else None
        return plan or self.world.planned(self.state) or ["look"]

    def _seen_as(self, text: str) -> Observation:
        return Observation(text, admissible=tuple(self.state.commands))


def _understood(action: str, state: State) -> str:
    """The command as the game's grammar has it: spaces and capitals do not matter, and put is as good as move."""
    command = " ".join(action.lower().split())
    if command not in state.commands and (match := _PUT.fullmatch(command)):
        for form in ("put {} in/on {}", "move {} to {}"):
            if (other := form.format(*match.groups())) in state.commands:
                return other
    return command
