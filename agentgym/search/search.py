"""What a search is: how the episodes of a task branch, within a budget.

Searches live in ``agentgym/searches``, one file each. One is given a tree of a task, proposes replies and takes them
until it has what it wants or the budget is spent; the lines of the tree are the episodes that were played. The same
searches play for trainers and, with ``choose``, for whoever measures or uses a policy.

    @agentgym.register
    class Twice(agentgym.Search):
        async def grow(self, tree, num):
            for child in await tree.propose(tree.root, 2):
                await tree.roll_out(child)
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from pydantic import BaseModel

from agentgym.errors import EnvError, JudgeError, SnapshotError, UserError
from agentgym.loops import together
from agentgym.rollout import EpisodeSpec
from agentgym.rollout.deadline import in_time
from agentgym.search.budget import Budget, Spent
from agentgym.search.lanes import Ground
from agentgym.search.node import Node
from agentgym.search.tree import BrokenError, Table, Tree
from agentgym.types import StopReason, Trajectory

__all__ = ["Critic", "Found", "Search", "best", "joined", "last_judgment", "places"]


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
    shared_settings: ClassVar[type[BaseModel] | None] = Budget
    branches: ClassVar[bool] = True
    """Whether episodes are more than played by themselves."""
    comes_back: bool = True
    """Whether it comes back to earlier moments. Where not, each line is played in an environment of its own."""
    budget = Budget()
    critic: Critic | None = None
    """Whom it may ask what looks best."""

    def take(self, settings: Budget) -> None:
        """Take up what the user says of the budget."""
        self.budget = settings

    async def judged(self, spent: Spent, attempts: Sequence[Trajectory]) -> list[float] | None:
        """What the critic gives episodes, the higher the better; None without one.

        None too where it gives no answer, which is counted.
        """
        if self.critic is None:
            return None
        try:
            return await self.critic.score(attempts)
        except JudgeError:
            spent.unjudged += 1
            return None

    async def rank(self, tree: Tree, nodes: Sequence[Node]) -> bool:
        """Have the critic compare moments: each has its place among them as ``score``.

        False without a critic, or where it gives no answer; scores stay then as they were.
        """
        worth = await self.judged(tree.spent, [node.attempt() for node in nodes]) if len(nodes) > 1 else None
        if worth is None:
            return False
        for node, place in zip(nodes, places(worth), strict=True):
            node.score = place
        return True

    @abc.abstractmethod
    async def grow(self, tree: Tree, num: int) -> None:
        """Grow a tree that has begun, toward so many lines or as the search's own settings say. BrokenError may pass.

        It ends when ``tree.goes_on`` is False at the latest.
        """

    def choose(self, lines: Sequence[Trajectory]) -> Trajectory:
        """The line that counts where one is to be shown, of at least one: the one that was worth most, the first of
        them.
        """
        return best(lines, lambda line: line.environment_reward)

    async def play(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
        """Search the task that all of ``specs`` play, for as many lines as they are.

        Where the environment breaks, the search begins again on a fresh one, and in the end what there is must do.
        Raises UserError for an environment that there is no way back in.
        """
        if self.comes_back:
            return await self._tree(table, specs)
        return joined(await together(self._tree(table, [spec]) for spec in specs))

    async def _tree(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
        spent, lines = Spent(), list[Trajectory]()
        for attempt in range((table.limits or table.rollout.limits).max_attempts):
            found, error = await self._attempt(table, specs, attempt)
            spent += found.spent
            if error is None or len(found.lines) > len(lines):
                lines = found.lines
            if error is None:
                break
        if not lines:
            record = table.rollout.record(specs[0], attempt)
            record.stop_reason, record.error = StopReason.ENV_ERROR, error
            lines = [record]
        return Found(lines, spent)

    async def _attempt(self, table: Table, specs: Sequence[EpisodeSpec], attempt: int) -> tuple[Found, str | None]:
        """What was found, and how the environment broke."""
        found = Found([], Spent())
        limits = table.limits or table.rollout.limits
        try:
            async with table.rollout.seat(fresh=attempt > 0) as seat:
                ground = Ground(seat.host)
                tree = Tree(table, specs, ground, budget=self.budget, comes_back=self.comes_back, attempt=attempt)
                found = Found(tree.lines, tree.spent)
                try:
                    await self._begun(tree)
                    await self.grow(tree, len(specs))
                except BrokenError as broken:
                    seat.is_spoiled = True
                    return found, str(broken)
                finally:
                    tree.close()
                try:
                    await in_time(ground.forget(), limits.step_seconds, f"{seat.host.name}: forgetting")
                except EnvError:  # the lines are whole; the environment does not answer any more
                    seat.is_spoiled = True
        except EnvError as error:  # there is no environment to play on, or it does not answer any more
            return found, str(error)
        return found, None if found.lines else f"{seat.host.name} came back to none of {tree.spent.lost} moments"

    async def _begun(self, tree: Tree) -> None:
        try:
            await tree.begin()
        except SnapshotError as error:
            raise UserError(
                f'the search "{getattr(self, "plugin_id", type(self).__name__)}" comes back to earlier moments, and '
                f"{tree.ground.host.name} cannot: {error}; type --search best-of-n or --search lookahead"
            ) from error


def joined(found: Sequence[Found]) -> Found:
    """Several searches of one task as one."""
    return Found([line for each in found for line in each.lines], sum((each.spent for each in found), Spent()))


def places(worth: Sequence[float]) -> list[float]:
    """The best 1, the worst 0, equal steps between, equal ones the same; one alone 0.

    >>> places([3.0, 1.0, 2.0, 2.0])
    [1.0, 0.0, 0.5, 0.5]
    """
    others = max(1, len(worth) - 1)
    return [(sum(own > other for other in worth) + (worth.count(own) - 1) / 2) / others for own in worth]


def best(lines: Sequence[Trajectory], worth: Callable[[Trajectory], float]) -> Trajectory:
    """The first of those that are worth most; void ones only where there are no others."""
    return max(lines, key=lambda line: (not line.stop_reason.is_void, worth(line)))


def last_judgment(line: Trajectory) -> float:
    """What a critic gave the last turn of an episode among others; -1 where it gave nothing."""
    given = line.turns[-1].critic if line.turns else None
    return -1.0 if given is None else given
