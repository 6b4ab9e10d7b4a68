"""A tree of one task, grown by proposing replies and taking them.

A proposal is a reply that was sampled and not yet said. Taking one says it, in the environment, and saves the moment
that follows. Proposals that say the same are one. Whoever rolls out goes on from a moment to the end of the episode: a
**line**, which is a record of its own with ``parent_id`` and ``branch_turn``, as any episode that branches. The first
line through a moment has the name of the line that brought it there.

All lines of a tree share one environment (``lanes``), so that one may step while others wait for their replies. What is
sampled depends on weights and seeds alone: a proposal's seed is derived from its place in the tree, and the first one's
at each moment is that of the line it goes on with. A tree of degree one is a plain episode, to the bit.

A moment that the environment does not come back to is lost: it and what is below counts for nothing. An environment
that breaks ends the tree.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

from agentgym.engine import Completion, Engine
from agentgym.errors import ParseError, SnapshotError
from agentgym.rollout import Actor, EpisodeSpec, Limits, Rollout, seed_of
from agentgym.rollout.play import Play
from agentgym.search.budget import Budget, Spent
from agentgym.search.lanes import Ground, Lane
from agentgym.search.node import Node
from agentgym.types import Trajectory

__all__ = ["BrokenError", "Table", "Tree"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a search plays with."""

    rollout: Rollout
    engine: Engine
    actor: Actor
    """Who proposes, and plays to the end."""
    limits: Limits | None = None


class BrokenError(Exception):
    """The environment broke: the tree does not grow any more."""


class Tree:
    """The tree of ``specs``: one episode, as often as there are to be lines, whose names they are; more have some too.

    ``begin`` comes first and ``close`` last. Once BrokenError is raised the tree stays as it is.
    """

    def __init__(
        self,
        table: Table,
        specs: Sequence[EpisodeSpec],
        ground: Ground,
        *,
        budget: Budget,
        attempt: int = 0,
    ) -> None:
        self.engine, self.specs, self.ground, self.budget = table.engine, specs, ground, budget
        self.spent = Spent()
        self.lines: list[Trajectory] = []
        """Episodes that have ended, as they ended."""
        self._names = [spec.episode_id for spec in specs]
        self._num_named = 1
        play = table.rollout.play(
            ground.lane(), specs[0], table.actor, release=table.engine.release, limits=table.limits, attempt=attempt
        )
        self.root = Node(play, is_taken=True, line=self._names[0])

    # -- growing ---------------------------------------------------------------------------------------

    @property
    def goes_on(self) -> bool:
        """Whether there is something left to be seen, and to be spent."""
        return not (self.spent.exceeds(self.budget) or self.root.is_done)

    async def begin(self) -> None:
        """Reset the environment. Raises BrokenError; SnapshotError where moments of it cannot be saved."""
        play = self.root.play
        async with play.guard():
            await play.begin()
        self._refuse_broken(play)
        self.root.mark = await play.save()

    async def propose(self, node: Node, num: int) -> list[Node]:
        """Sample replies at a moment until there are ``num``, those that say the same included; returns the new ones.

        None where the context is full: the episode ends there.
        """
        if node.is_over or node.is_lost:
            return []
        async with node.play.guard():
            before = len(node.play.stream.token_ids)
            is_ready = await node.play.prepare()
            self.spent.prefilled += len(node.play.stream.token_ids) - before
        self._refuse_broken(node.play)
        if not is_ready:
            self._end(node)
            return []
        asked = sum(1 + child.num_merged for child in node.children)
        found = await asyncio.gather(*(self._proposal(node, number) for number in range(asked, num)))
        return [child for child in found if self._is_new(node, child)]

    async def _proposal(self, node: Node, number: int) -> Node:
        spec = node.play.spec
        place = f"{node.name}.{number}".lstrip(".")
        if number:
            spec = dataclasses.replace(spec, member=seed_of(self.specs[0].member, place))
        spec = dataclasses.replace(spec, episode_id=f"{self.specs[0].episode_id}/{place}")
        assert node.mark is not None
        play = node.play.fork(spec, self.ground.lane(node.mark), node.mark)
        play.has_begun = True  # it is brought there when it steps
        await self.engine.fork(node.play.session, play.session)
        completion = await play.reply()
        self.engine.park(play.session)
        self.spent.sampled += len(completion.token_ids)
        return Node(play, node, completion, self._says(play, play.read(completion)), number)

    def _says(self, play: Play, reply: str) -> str:
        try:
            return str(play.protocol.parse(reply))
        except ParseError:
            return ""

    def _is_new(self, node: Node, child: Node) -> bool:
        """Take a proposal in, as one of its own or with one that says the same."""
        said = child.action or child.play.read(_said(child))
        for other in node.children:
            if said == (other.action or other.play.read(_said(other))):
                other.num_merged += 1
                self.spent.merged += 1
                self._leave(child.play)
                return False
        node.children.append(child)
        return True

    async def take(self, node: Node) -> None:
        """Say what is proposed. The moment may be lost, or the end of the episode. Raises BrokenError."""
        if node.is_taken or node.is_lost:
            return
        play = node.play
        self._name(node)
        async with play.guard():
            try:
                await play.act(_said(node))
                self.spent.steps += 1
                if not play.is_over:
                    node.mark = await play.save()
            except SnapshotError:
                node.is_lost = True
        self._refuse_broken(play)
        if node.is_lost:
            self.spent.lost += 1
            self._leave(play)
            return
        node.is_taken = True
        if play.is_over:
            self._end(node)

    def _name(self, node: Node) -> None:
        """The first line that goes on from a moment is the one that came there."""
        parent, record = node.parent, node.play.trajectory
        assert parent is not None
        was = parent.play.trajectory
        if all(child.line != parent.line for child in parent.children):
            node.line = parent.line
            record.parent_id, record.branch_turn = was.parent_id, was.branch_turn
        else:
            node.line = self._new_name()
            record.parent_id, record.branch_turn = parent.line, len(was.turns)
        record.episode_id = node.line

    def _new_name(self) -> str:
        number, self._num_named = self._num_named, self._num_named + 1
        return self._names[number] if number < len(self._names) else f"{self._names[0]}.{number}"

    async def roll_out(self, node: Node) -> Node:
        """Go on from a moment to the end, by whoever plays; the last moment, which may be lost. Raises BrokenError."""
        await self.take(node)
        while not (node.is_over or node.is_lost):
            if not node.children and not await self.propose(node, 1):
                break  # there is no room: the episode ended there
            node = node.children[0]
            await self.take(node)
        return node

    def back_up(self, node: Node) -> None:
        """The return of a line that ended at ``node`` goes up to the root: the environment's reward of the episode."""
        if node.is_over:
            node.back_up(node.play.trajectory.environment_reward)

    # -- ends ------------------------------------------------------------------------------------------

    def _end(self, node: Node) -> None:
        node.is_over = True
        self.lines.append(node.play.record())
        self._leave(node.play)

    def _leave(self, play: Play) -> None:
        self.engine.release(play.session)
        assert isinstance(play.host, Lane)
        play.host.leave()

    def _refuse_broken(self, play: Play) -> None:
        if play.trajectory.stop_reason.is_void:
            raise BrokenError(play.trajectory.error)

    def close(self) -> None:
        """Free what the engine keeps for it, and write down what became of its moments: value, visits, critic."""
        for node in self.root.walk():
            self._leave(node.play)
            if node.is_over:
                for turn, moment in zip(node.play.trajectory.turns, node.path[1:], strict=False):
                    turn.value, turn.visits, turn.critic = moment.value, moment.visits, moment.score


def _said(node: Node) -> Completion:
    assert node.completion is not None
    return node.completion
