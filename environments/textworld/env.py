"""TextWorld as an environment: an objective and a room at first, commands as actions, winning as the end.

Every task is a game of its own, made by its number when it is first asked for. Departs from the bare package in this:

- text comes without banner, prompt and status line;
- an action is one command; the interpreter's own commands (quit, undo, save, …) are refused (see ``story``);
- a reward is what a turn adds, not the score so far, and adds up to 1 in a won episode whatever the game's scores are;
- random numbers inside a game begin alike in every episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments.textworld.engine import check_installed
from agentgym.environments.textworld.games import default_cache, game_file
from agentgym.environments.textworld.levels import Kind, level_of
from agentgym.environments.textworld.story import Moment, Story, command_of, tidy
from agentgym.errors import ConfigError, UserError
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["TextWorld"]

Reward: TypeAlias = Literal["sparse", "dense"]

_MOST_TEST_GAMES, _MOST_GAMES = 500, 1_000_000
_NO_COMMAND = 'expected one plain command, such as "look" or "take key from chest"'
_COMMANDS = (
    "look, inventory, examine THING, go DIRECTION, take THING, take THING from PLACE, drop THING, put THING on PLACE, "
    "insert THING into PLACE, open THING, close THING, unlock THING with KEY, lock THING with KEY, eat THING"
)
_COOKING = ", cook FOOD with DEVICE, chop FOOD with KNIFE, slice FOOD with KNIFE, dice FOOD with KNIFE, prepare meal"


@register
class TextWorld(Env):
    """Do what the game asks at first: find things, open what is closed, bring, cook or eat them.

    Example::

        env = TextWorld(level="w4-o6-q8")
        observation, info = env.reset(options={"task": 1001})
        observation, reward, terminated, truncated, info = env.step("open chest")
    """

    kind: ClassVar[str] = "game"
    extra: ClassVar[str] = "textworld"
    max_turns = 8

    def __init__(
        self,
        *,
        game: Kind = "custom",
        level: str | None = None,
        reward: Reward = "sparse",
        intermediate_reward: bool = False,
        num_games: Annotated[int, Field(ge=1, le=1_000_000)] = 20,
        num_test_games: Annotated[int, Field(ge=1, le=500)] = 10,
        show_admissible: bool = False,
        cache: str | Path | None = None,
    ) -> None:
        """Choose the games; none is made before it is played.

        Args:
            game: kind of games. "custom" asks to do a few things in a row, "cooking" for a meal after a recipe,
                "treasure-hunter" for one of two things, "coin-collector" for the coin at the end of a way.
            level: what games are made of: "w2-o3-q4" has 2 rooms, 3 objects and a quest of 4 commands; other kinds
                have other names. None for the easiest.
            reward: "sparse" is 1 for winning; "dense" pays for the game's score, as shares that add up to 1 by winning.
            intermediate_reward: dense rewards pay for getting closer to winning, as TextWorld's shortest way to win
                tells it, in place of the score (which in most games comes at the end alone).
            num_games: training games, each made within a second or two when it is first played. Few, to begin at once.
            num_test_games: games for validation, and as many for the test.
            show_admissible: put the admissible commands into the text.
            cache: folder that games are kept in; None for one in the user's cache.

        Raises ConfigError for a level that a kind does not have and for a value that would have no effect,
        MissingExtraError where TextWorld is not installed.
        """
        self.level = level_of(game, level)
        if intermediate_reward and reward == "sparse":
            raise ConfigError("intermediate_reward has no effect on sparse rewards; add --env.reward dense")
        self.reward, self.intermediate_reward = reward, intermediate_reward
        self.show_admissible = show_admissible
        self.cache = Path(cache).expanduser() if cache is not None else default_cache()
        self.max_turns = self.level.max_turns
        self.instructions = f"Actions: {_COMMANDS}{_COOKING if game == 'cooking' else ''}."
        self._tasks = {
            "train": range(1001, 1001 + num_games),
            "validation": range(501, 501 + num_test_games),
            "test": range(1, 1 + num_test_games),
        }
        self._story: Story | None = None
        self._task_open, self._way = 0, 0
        check_installed()

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": seeds of games, none in two splits. Raises UserError."""
        super().tasks(split)
        return self._tasks[split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start the game of ``options["task"]``, or of a random train task. Raises UserError."""
        task, split = self._task((options or {}).get("task"))
        if self._story is None or self._task_open != task:
            self._open(game_file(self.level, task, split, self.cache))
        self._task_open = task
        self.story.reset()
        self._way = len(self.story.state.policy_commands)
        return self._observe(tidy(self.story.state.feedback)), self._info_now()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; an action that is refused or has no effect changes nothing, and the info says so."""
        command = command_of(action)
        if command is None:
            return self._observe(_NO_COMMAND), 0.0, False, False, {**self._info_now(), "invalid_action": _NO_COMMAND}
        before, moves = self._potential(), self.story.state.moves
        self.story.say(command)
        state, text = self.story.state, tidy(self.story.state.feedback)
        info = self._info_now()
        if state.moves == moves:
            info["invalid_action"] = text.partition("\n")[0] or "nothing happens"
        over = bool(state.won or state.lost)
        if over:
            info["success"] = bool(state.won)
        return self._observe(text), self._potential() - before, over, False, info

    def expert(self) -> Expert:
        """The first command of TextWorld's own way to win, kept up to date from wherever the game is."""
        return lambda observation: next(iter(self.story.state.policy_commands or []), "look")

    def get_state(self) -> tuple[Moment, int, int]:
        """The moment of the game, the task, and how far winning was at first. Held in memory, not to be written."""
        return self.story.save(), self._task_open, self._way

    def set_state(self, state: tuple[Moment, int, int]) -> None:
        """Go back to what ``get_state`` gave."""
        moment, self._task_open, self._way = state
        self._open(moment.file)
        self.story.load(moment)

    def close(self) -> None:
        """Let go of the interpreter."""
        self._story = None

    @property
    def story(self) -> Story:
        """The running game."""
        assert self._story is not None
        return self._story

    def _open(self, file: Path) -> None:
        if self._story is None or self._story.file != file:
            self._story = Story(file, intermediate_reward=self.intermediate_reward)

    def _task(self, given: Any) -> tuple[int, str]:
        """A task's number and split; a random train task for None."""
        train = self._tasks["train"]
        task = train[int(self.np_random.integers(len(train)))] if given is None else given
        for split, tasks in self._tasks.items():
            if isinstance(task, int | np.integer) and task in tasks:
                return int(task), split
        known = ", ".join(f"{tasks[0]} to {tasks[-1]}" for tasks in self._tasks.values())
        raise UserError(f"task {task!r} does not exist: tasks are the numbers {known}")

    def _potential(self) -> float:
        """Φ, of which a turn pays the difference: 1 when won, whatever the rewards, and 0 at first.

        In between: nothing with sparse rewards; the share of the score; or the share of the way to win that is behind,
        the length of TextWorld's plan now against that at first. Both telescope (Ng, Harada & Russell 1999 with γ = 1):
        going back costs what coming had paid, and an episode's sum is Φ at its end.
        """
        if self.story.state.won or self.reward == "sparse":
            return float(bool(self.story.state.won))
        return self._channels()["way" if self.intermediate_reward else "score"]

    def _channels(self) -> dict[str, float]:
        """The share of the score, and that of the way to win, which is 0 where there is none any more."""
        state = self.story.state
        if state.won:
            return {"score": 1.0, "way": 1.0}
        left = len(state.policy_commands or [])
        way = max(0.0, 1 - left / self._way) if left and self._way else 0.0
        return {"score": (state.score or 0) / (state.max_score or 1), "way": way}

    def _observe(self, text: str) -> Observation:
        admissible: Sequence[str] = self.story.state.admissible_commands
        if self.show_admissible:
            text += f"\n\nYou can: {', '.join(admissible)}."
        return Observation(text, admissible=admissible)

    def _info_now(self) -> dict[str, Any]:
        state = self.story.state
        info: dict[str, Any] = {
            "score": state.score,
            "max_score": state.max_score,
            "channels": self._channels(),
        }
        if self.intermediate_reward:
            info["intermediate_reward"] = state.intermediate_reward
        return info
