"""What a search is: how the episodes of a task branch, within a budget.

Searches live in ``agentgym/searches``, one file each. One is given a tree of a task, proposes replies and takes them
until it has what it wants or the budget is spent; the lines of the tree are the episodes that were played. The same
searches play for trainers and, with ``choose``, for whoever measures or uses a policy.

    @agentgym.register
    class Twice(agentgym.Search):
        async def grow(self, tree, num):
            for child in await tree.propose(tree.root, 2):
                end = await tree.roll_out(child)
                tree.back_up(end)
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Protocol

from pydantic import BaseModel

from agentgym.errors import EnvError, JudgeError, SnapshotError, UserError
from agentgym.rollout import EpisodeSpec
from agentgym.search.budget import Budget, Spent
from agentgym.search.lanes import Ground
from agentgym.search.node import Node
from agentgym.search.tree import BrokenError, Table, Tree
from agentgym.types import StopReason, Trajectory

__all__ = ["Found", "Search"]


class Critic(Protocol):
    """Says how good unfinished episodes stand, the higher the better. JudgeError where it cannot say."""

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]: ...


@dataclasses.dataclass(slots=True)
class Found:
    """What a search of one task came to."""

    lines: list[Trajectory]
    """Void where the environment broke before any line was at its end."""
    spent: Spent


class Search(abc.ABC):
    """One way to branch. What its constructor takes are settings; those of ``Budget`` are every search's."""

    plugin_kind: ClassVar[str] = "searches"
    shared_settings: ClassVar[type[BaseModel]] = Budget
    branches: ClassVar[bool] = True
    """Whether episodes are more than played by themselves."""
    budget = Budget()
    critic: Critic | None = None
    """Whom it may ask what looks best."""

    def take(self, settings: Budget) -> None:
        """Take up what the user says of the budget."""
        self.budget = settings

    async def rank(self, tree: Tree, children: Sequence[Node]) -> None:
        """Give siblings the critic's score: the best 1, the worst 0, equal steps between, equal ones the same.

        One that gives no answer leaves them without, which is counted.
        """
        if self.critic is None or len(children) < 2:
            return
        try:
            worth = await self.critic.score([child.attempt() for child in children])
        except JudgeError:
            tree.spent.unjudged += 1
            return
        for child, own in zip(children, worth, strict=True):
            others = len(worth) - 1
            child.score = (sum(own > other for other in worth) + (worth.count(own) - 1) / 2) / others

    @abc.abstractmethod
    async def grow(self, tree: Tree, num: int) -> None:
        """Grow a tree that has begun, toward so many lines or as the search's own settings say. BrokenError may pass.

        It ends when ``tree.goes_on`` is False at the latest.
        """

    def choose(self, lines: Sequence[Trajectory]) -> Trajectory:
        """The line that counts where one is to be shown, of at least one: the one that was worth most, the first of
        them.
        """
        return max(lines, key=lambda line: line.reward)

    async def play(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
        """Search the task that all of ``specs`` play, for as many lines as they are.

        Where the environment breaks, the search begins again on a fresh one, and in the end what there is must do.
        Raises UserError for an environment that there is no way back in.
        """
        limits = table.limits or table.rollout.limits
        for attempt in range(limits.max_attempts):
            found, error = await self._attempt(table, specs, attempt)
            if error is None:
                return found
        if not found.lines:
            record = table.rollout.record(specs[0], attempt)
            record.stop_reason, record.error = StopReason.ENV_ERROR, error
            found.lines.append(record)
        return found

    async def _attempt(self, table: Table, specs: Sequence[EpisodeSpec], attempt: int) -> tuple[Found, str | None]:
        """What was found, and how the environment broke."""
        spent, lines = Spent(), list[Trajectory]()
        try:
            async with table.rollout.seat() as seat:
                tree = Tree(table, specs, Ground(seat.host), budget=self.budget, attempt=attempt)
                spent, lines = tree.spent, tree.lines
                try:
                    await self._begun(tree)
                    await self.grow(tree, len(specs))
                except BrokenError as broken:
                    seat.is_spoiled = True
                    return Found(lines, spent), str(broken)
                finally:
                    tree.close()
                    spent.restore_seconds = tree.ground.restore_seconds
                await tree.ground.forget()
        except EnvError as error:  # there is no environment to play on, or it does not answer any more
            return Found(lines, spent), str(error)
        return Found(lines, spent), None

    async def _begun(self, tree: Tree) -> None:
        try:
            await tree.begin()
        except SnapshotError as error:
            raise UserError(
                f'the search "{getattr(self, "plugin_id", type(self).__name__)}" comes back to earlier moments, and '
                f"{tree.ground.host.name} cannot: {error}; type --search best-of-n or --search lookahead"
            ) from error
