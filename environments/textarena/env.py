"""A game of TextArena in which one seat is the policy's and the others are an opponent's.

The seat goes round with the number of the task. What is told is what the game tells that seat since its last turn. The
reward is the game's, at its end: 1 for a win, -1 for a loss, 0 for a draw in most. A move that the game refuses is told
with its reason; the package allows one such move in a turn, and the second loses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments.textarena.game import Game
from agentgym.environments.textarena.moves import CANDIDATES
from agentgym.environments.textarena.players import EXPERTS
from agentgym.errors import ConfigError, EnvError
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["Opponent", "TextArena"]

Opponent: TypeAlias = Callable[[Observation], str]
"""What it sees → its action; another engine, for instance."""

_DEFAULT = "TicTacToe-v0"
_MAX_TURNS = 30
_MOST_MOVES = 1_000
"""Of opponents between two turns of the policy; more is a game that does not go on."""


@register
class TextArena(Env):
    """Play a game of TextArena against an opponent.

    Example::

        env = TextArena(name="Nim-v0", opponent="expert")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("[0 2]")
    """

    kind = "game"
    extra = "textarena"
    max_turns = _MAX_TURNS

    def __init__(
        self,
        *,
        name: str = _DEFAULT,
        opponent: Literal["random", "expert"] | Opponent = "random",
        seat: int | None = None,
        num_players: int | None = None,
        success_at: float | None = None,
        max_turns: Annotated[int, Field(ge=1)] = _MAX_TURNS,
    ) -> None:
        """Set up the game.

        Args:
            name: id of the package, such as "Nim-v0-large". The id ``textarena:Nim-v0`` is short for it.
            opponent: "random" plays any of the moves that the game lists, or that are known here and that it takes;
                "expert" plays perfectly, in TicTacToe and Nim; or a function from what it sees to its action, from
                Python.
            seat: number of the policy's seat; none given: they go round with the task.
            num_players: seats of the game; none given: two, or as few as it takes.
            success_at: reward of a success; none given: 1, a win, and against "expert" 0, which is not to lose.
            max_turns: turns that an episode may have.

        Raises ConfigError for an unknown game or seat, and for a game that has no such opponent; UserError for one that
        cannot be played, or needs a download; MissingExtraError.
        """
        self.game = Game(name, num_players)
        self.opponent, self.seat = opponent, seat
        if opponent == "expert" and self.game.base not in EXPERTS:
            raise ConfigError(f'opponent "expert" plays {", ".join(EXPERTS)}, not {self.game.name}; take "random"')
        if opponent == "random" and not self._is_known_to_chance():
            raise ConfigError(
                f'{name} lists no moves for opponent "random"; give a function as opponent, or policies for all seats: '
                "agentgym.environments.textarena.self_play"
            )
        if seat is not None and not 0 <= seat < self.game.num_players:
            raise ConfigError(f"seat is {seat}; {name} has the seats 0 to {self.game.num_players - 1}")
        self.success_at = success_at if success_at is not None else 0.0 if opponent == "expert" else 1.0
        self.max_turns = max_turns
        self._last: tuple[str, ...] | None = None
        self.instructions = f"Play {self.game.base}. Say your move in square brackets, as the game asks for it."

    def _is_known_to_chance(self) -> bool:
        """Whether moves of others can be drawn, as far as the beginning shows."""
        game = self.game
        return game.num_players == 1 or game.base in CANDIDATES or bool(game.seen_by(game.to_move).admissible)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin a game; opponents who sit before the policy move first."""
        self.game.reset(self.seed)
        self.mine = self.seed % self.game.num_players if self.seat is None else self.seat
        self._let_others_move()
        return self._look(), {"seat": self.mine}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One move of the policy, and those of the others until it is its turn again."""
        wrong = self.game.play(self._move(action))
        self._let_others_move()
        seen = self._look()
        if self.game.over:
            reward = self.game.rewards.get(self.mine, 0.0)
            return seen, reward, True, False, {"success": reward >= self.success_at, "seat": self.mine}
        return seen, 0.0, False, False, {"invalid_action": wrong} if wrong else {}

    def expert(self) -> Expert | None:
        """Perfect play against the opponent of the episode; None for games other than TicTacToe and Nim."""
        play = EXPERTS.get(self.game.base)
        return (lambda observation: play(self.game, self.opponent == "random")) if play else None

    def get_state(self) -> Any:
        """A copy of the game; None against a function, whose state is not known here: then by replay."""
        if not isinstance(self.opponent, str):
            return None
        return {"game": self.game.copied(), "mine": self.mine, "last": self._last}

    def set_state(self, state: Any) -> None:
        """Go back to what ``get_state`` gave."""
        self.game.put_back(state["game"])
        self.mine, self._last = state["mine"], state["last"]

    def _look(self) -> Observation:
        seen = self.game.seen_by(self.mine)
        self._last = seen.admissible
        return seen

    def _move(self, action: str) -> str:
        """``action`` in brackets where only they are missing."""
        bracketed = f"[{action.strip()}]"
        return bracketed if bracketed in (self._last or ()) else str(action)

    def _let_others_move(self) -> None:
        for _ in range(_MOST_MOVES):
            if self.game.over or self.game.to_move == self.mine:
                return
            self.game.play(self._others_move())
        raise EnvError(f"{self.game.name}: the others moved {_MOST_MOVES} times, and it is not the policy's turn")

    def _others_move(self) -> str:
        if self.opponent == "expert":
            return EXPERTS[self.game.base](self.game, False)
        seen = self.game.seen_by(self.game.to_move)
        if not isinstance(self.opponent, str):
            return str(self.opponent(seen))
        if self.game.base in CANDIDATES:
            return self.game.drawn_move(self.np_random)
        if not seen.admissible:
            raise EnvError(f'{self.game.name} lists no moves for opponent "random"; give a function as opponent')
        return seen.admissible[int(self.np_random.integers(len(seen.admissible)))]
