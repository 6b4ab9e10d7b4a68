"""A tree of one task, grown by proposing replies and taking them.

A proposal is a reply that was sampled and not yet said. Taking one says it, in the environment, and saves the moment
that follows where somebody may come back to it. Proposals that say the same are one, unless a search wants each for
itself. Whoever rolls out goes on from a moment to the end of the episode: a **line**.

A closed tree has its lines in the order of their proposals, whatever came first in time. Each is a record of its own
with ``parent_id`` and ``branch_turn``, as any episode that branches: the first line through a moment owns it, the
others branched off.

All lines of a tree share one environment (``lanes``), so that one may step while others wait for their replies. What is
sampled depends on weights and seeds alone: a proposal's seed is derived from its place in the tree; the first one's at
each moment is that of the line it goes on with, and those of the first ones at the root are the group's. So a tree of
degree one is a plain episode, to the bit.

A moment that the environment does not come back to is lost: what was proposed there counts for nothing. An environment
that breaks ends the tree.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

from agentgym.engine import Completion, Engine
from agentgym.errors import ParseError, SnapshotError
from agentgym.loops import together
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

    ``begin`` comes first and ``close`` last. Once BrokenError is raised the tree stays as it is. Without ``comes_back``
    nothing is saved: one line can be played, of which each proposal that is taken is the last of its moment.
    """

    def __init__(
        self,
        table: Table,
        specs: Sequence[EpisodeSpec],
        ground: Ground,
        *,
        budget: Budget,
        comes_back: bool = True,
        attempt: int = 0,
    ) -> None:
        self.engine, self.specs, self.ground, self.budget = table.engine, specs, ground, budget
        self.comes_back = comes_back
        self.spent = Spent()
        self.lines: list[Trajectory] = []
        """Episodes that have ended."""
        play = table.rollout.play(
            ground.lane(), specs[0], table.actor, release=table.engine.release, limits=table.limits, attempt=attempt
        )
        self.root = Node(play, is_taken=True)
        self._plays = [play]
        """All that may have sessions."""

    # -- growing ---------------------------------------------------------------------------------------

    @property
    def goes_on(self) -> bool:
        """Whether there is something left to be seen, and to be spent; a first line there is in any case."""
        return not (self.root.is_done or (self.lines and self.spent.exceeds(self.budget)))

    async def begin(self) -> None:
        """Reset the environment. Raises BrokenError; SnapshotError where moments of it cannot be saved."""
        play = self.root.play
        async with play.guard():
            await play.begin()
        _refuse_broken(play)
        if self.comes_back:
            await play.save()

    async def descend(self, completion: Completion) -> None:
        """Say a given reply at the root: the tree grows from the moment that follows, which is the root from now on.

        Raises BrokenError, and SnapshotError where the episode ends with it.
        """
        node = self.root
        if not await self._is_ready(node):
            raise SnapshotError("the context is full: there is no room for what was said")
        name = f"{self.specs[0].episode_id}/{f'{node.name}.0'.lstrip('.')}"
        spec = dataclasses.replace(node.play.spec, episode_id=name)
        play = await self._forked(node, spec)
        child = Node(play, node, completion, _says(play, completion))
        node.children.append(child)
        await self.take(child)
        if child.is_over or child.is_lost:
            raise SnapshotError("the episode ends there, or there is no way back to it")
        self.root = child

    async def propose(self, node: Node, num: int, *, merges: bool = True) -> list[Node]:
        """Sample replies at a moment until there are ``num``, those that say the same included; returns the new ones.

        None where the context is full: the episode ends there. Without ``merges`` those that say the same are
        proposals of their own. Raises BrokenError.
        """
        if node.is_over or node.is_lost or not await self._is_ready(node):
            return []
        try:
            found = await together(self._proposal(node, number) for number in range(node.num_proposed, num))
        except SnapshotError:  # an expert proposes, who must look at the environment
            node.is_lost = True
            self.spent.lost += 1
            return []
        return [child for child in found if self._is_new(node, child, merges=merges)]

    async def _is_ready(self, node: Node) -> bool:
        """Whether there is room for a reply; the context may be shortened for it, and the episode's record longer."""
        play, is_ready = node.play, False
        shown, sampled = play.stream.num_tokens
        async with play.guard():
            is_ready = await play.prepare()
        _refuse_broken(play)
        shown_now, sampled_now = play.stream.num_tokens
        self.spent.prefilled += shown_now - shown
        self.spent.sampled += sampled_now - sampled
        if not is_ready:
            self._end(node)
        return is_ready

    async def _proposal(self, node: Node, number: int) -> Node:
        spec = node.play.spec
        place = f"{node.name}.{number}".lstrip(".")
        if node.parent is None and number < len(self.specs):
            spec = dataclasses.replace(spec, member=self.specs[number].member)
        elif number:
            spec = dataclasses.replace(spec, member=seed_of(self.specs[0].member, place))
        spec = dataclasses.replace(spec, episode_id=f"{self.specs[0].episode_id}/{place}")
        play = await self._forked(node, spec)
        lost: SnapshotError | None = None
        async with play.guard():
            try:
                completion = await play.reply()
            except SnapshotError as error:
                lost = error
        if lost is not None:
            raise lost
        _refuse_broken(play)
        self.engine.park(play.session)
        self.spent.sampled += len(completion.token_ids)
        return Node(play, node, completion, _says(play, completion), number)

    async def _forked(self, node: Node, spec: EpisodeSpec) -> Play:
        """An episode that goes on from ``node``, on a lane and in a session of its own."""
        play = node.play.fork(spec, self.ground.lane(node.lane))
        self._plays.append(play)
        await self.engine.fork(node.play.session, play.session)
        return play

    def _is_new(self, node: Node, child: Node, *, merges: bool) -> bool:
        """Take a proposal in, as one of its own or with one that says the same."""
        for other in node.children if merges else ():
            if _told(child) == _told(other):
                other.num_merged += 1
                self.spent.merged += 1
                self._leave(child.play)
                return False
        node.children.append(child)
        return True

    async def take(self, node: Node, *, is_kept: bool = True) -> None:
        """Say what is proposed. It may be lost, or the end of the episode. Raises BrokenError.

        Where the moment that follows ``is_kept`` others may go on from there.
        """
        if node.is_taken or node.is_lost:
            return
        play = node.play
        async with play.guard():
            try:
                await play.act(_said(node))
            except SnapshotError:
                node.is_lost = True
        _refuse_broken(play)
        if node.is_lost:
            self.spent.lost += 1
            self._leave(play)
            return
        node.is_taken = True
        self.spent.steps += 1
        if play.is_over:
            self._end(node)
        elif is_kept and self.comes_back:
            await self._keep(play)

    async def _keep(self, play: Play) -> None:
        async with play.guard():
            with contextlib.suppress(SnapshotError):  # the line goes on; who comes back finds this moment lost
                await play.save()
        _refuse_broken(play)

    async def roll_out(self, node: Node, *, is_kept: Callable[[Node], bool] = lambda node: True) -> Node:
        """Go on from a moment to the end, by whoever plays; the last moment, which may be lost. Raises BrokenError.

        ``is_kept`` says of moments on the way, before they are taken, whether others may go on from there.
        """
        async with self.ground.kept():
            await self.take(node, is_kept=is_kept(node))
            while not (node.is_over or node.is_lost):
                if not node.children and not await self.propose(node, 1):
                    break  # there is no room: the episode ended there
                node = node.children[0]
                await self.take(node, is_kept=is_kept(node))
        return node

    def back_up(self, node: Node) -> None:
        """The return of a line that ended at ``node`` goes up to the root: the environment's reward of the episode.

        Once for each line; of those that nobody asked it for when the tree is closed.
        """
        if node.is_over and not node.is_backed_up:
            node.is_backed_up = True
            node.back_up(node.play.trajectory.environment_reward)

    # -- ends ------------------------------------------------------------------------------------------

    def _end(self, node: Node) -> None:
        node.is_over = True
        self.lines.append(node.play.record())
        self._leave(node.play)

    def _leave(self, play: Play) -> None:
        self.engine.release(play.session)
        _lane(play).leave()

    def close(self) -> None:
        """Free what the engine keeps for it, name the lines, and write down what became of their moments."""
        for play in self._plays:
            self._leave(play)
        ends = [node for node in self.root.walk() if node.is_over]
        for node in ends:
            self.back_up(node)
        for node, name in zip(ends, self._names(), strict=False):
            _name(node, name)
            turns = [turn for turn in node.play.trajectory.turns if not turn.is_summary]
            for turn, moment in zip(turns, node.path[1:], strict=False):
                turn.value, turn.visits, turn.critic = moment.value, moment.visits, moment.score
        self.lines[:] = [node.play.trajectory for node in ends]
        self.spent.restores, self.spent.restore_seconds = self.ground.num_restores, self.ground.restore_seconds

    def _names(self) -> Iterator[str]:
        """Those of the episodes that were asked for, and as many more as there have to be."""
        number = 0
        while True:
            yield self.specs[number].episode_id if number < len(self.specs) else f"{self.specs[0].episode_id}.{number}"
            number += 1


def _name(node: Node, name: str) -> None:
    """Have the line that ends here own all moments on its way that nobody owned; it branched off at the last other."""
    record = node.play.trajectory
    record.episode_id, record.parent_id, record.branch_turn = name, None, None
    for moment in node.path:
        if moment.line:
            record.parent_id, record.branch_turn = moment.line, len(moment.play.trajectory.turns)
        else:
            moment.line = name


def _lane(play: Play) -> Lane:
    assert isinstance(play.host, Lane)
    return play.host


def _refuse_broken(play: Play) -> None:
    if play.trajectory.stop_reason.is_void:
        raise BrokenError(play.trajectory.error)


def _said(node: Node) -> Completion:
    assert node.completion is not None
    return node.completion


def _says(play: Play, completion: Completion) -> str:
    try:
        return str(play.protocol.parse(play.read(completion)))
    except ParseError:
        return ""


def _told(node: Node) -> str:
    """By which siblings are told apart."""
    return node.action or node.play.read(_said(node))
