"""Several policies at one game: every seat is an environment of its own, and each gives a trajectory of its own.

``Table`` is one game; ``table.seat(i)`` is an asynchronous environment, which waits while the others move. What plays
it need not know of the others: an ordinary rollout does. ``self_play`` runs one for each seat::

    async def play(make_env):
        rollout = Rollout(make_env, tokenizer, protocol, max_context=512)
        [trajectory] = await rollout.run([spec], actor)
        return trajectory

    one, other = await self_play(Table("TicTacToe-v0"), [play, play])

A seat that leaves before the end, because its turns or its context ran out, ends the game for the others as truncated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from agentgym.env import Env
from agentgym.environments.textarena.game import Game
from agentgym.errors import ConfigError, EnvError

__all__ = ["Seat", "Table", "self_play"]

T = TypeVar("T")


class Table:
    """One game, once, for as many policies as it has seats. It belongs to one event loop."""

    def __init__(self, name: str = "TicTacToe-v0", *, num_players: int | None = None) -> None:
        self.game = Game(name, num_players)
        self.changed = asyncio.Condition()
        self.seated: set[int] = set()
        self.left: set[int] = set()
        self.has_begun = False

    def seat(self, number: int) -> Seat:
        """The environment of one seat. Raises ConfigError for a number that there is not."""
        if not 0 <= number < self.game.num_players:
            raise ConfigError(f"seat is {number}; {self.game.name} has the seats 0 to {self.game.num_players - 1}")
        return Seat(self, number)

    async def sit_down(self, seat: int, seed: int) -> None:
        """Wait until all have sat down, and for the turn. The last one's seed is the game's: give all the same."""
        async with self.changed:
            if self.has_begun or seat in self.seated:
                raise EnvError(f"seat {seat} of {self.game.name} was played already: a table is for one game")
            self.seated.add(seat)
            if len(self.seated) == self.game.num_players:
                self.game.reset(seed)
                self.has_begun = True
                self.changed.notify_all()
            await self.changed.wait_for(lambda: self._may_go_on(seat))
            if not self.has_begun:
                raise EnvError(f"{self.game.name} did not begin: seats {sorted(self.left)} left")

    async def play(self, seat: int, action: str) -> str | None:
        """An action, and waiting until it is the seat's turn again or the game is over; what was wrong, or None."""
        async with self.changed:
            wrong = self.game.play(action)
            self.changed.notify_all()
            await self.changed.wait_for(lambda: self._may_go_on(seat))
            return wrong

    async def leave(self, seat: int) -> None:
        """Get up; who waits for this seat waits no longer."""
        async with self.changed:
            self.left.add(seat)
            self.changed.notify_all()

    def _may_go_on(self, seat: int) -> bool:
        if not self.has_begun:
            return bool(self.left)
        return self.game.over or self.game.to_move == seat or bool(self.left)


class Seat(Env):
    """One seat of a table."""

    kind = "game"
    max_turns = 30

    def __init__(self, table: Table, number: int) -> None:
        self.table, self.number = table, number
        self.instructions = f"Play {table.game.base}. Say your move in square brackets, as the game asks for it."

    @property
    def name(self) -> str:
        """The table's game."""
        return f"textarena:{self.table.game.name}"

    async def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Sit down, and wait for the first turn."""
        await self.table.sit_down(self.number, self.seed)
        return self.table.game.seen_by(self.number), {"seat": self.number}

    async def step(  # type: ignore[override]
        self, action: str
    ) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One move, and those of the others until it is this seat's turn again."""
        game = self.table.game
        wrong = await self.table.play(self.number, str(action))
        seen = game.seen_by(self.number)
        if game.over:
            reward = game.rewards.get(self.number, 0.0)
            return seen, reward, True, False, {"success": reward >= 1, "seat": self.number}
        if self.table.left:
            return seen, 0.0, False, True, {"success": False, "seat": self.number}
        return seen, 0.0, False, False, {"invalid_action": wrong} if wrong else {}


async def self_play(table: Table, plays: Sequence[Callable[[Callable[[], Seat]], Awaitable[T]]]) -> list[T]:
    """Play a table's game with one of ``plays`` at each seat, and give back what each returned, seat by seat.

    ``plays[i]`` is called with what makes the environment of seat i. Raises ConfigError unless there is one for each.
    """
    if len(plays) != table.game.num_players:
        raise ConfigError(f"{table.game.name} has {table.game.num_players} seats, found {len(plays)} players")

    async def at(number: int) -> T:
        try:
            return await plays[number](lambda: table.seat(number))
        finally:
            await table.leave(number)

    return list(await asyncio.gather(*map(at, range(len(plays)))))
