"""Episodes that branch: the smallest thing that stands on ``Play.fork`` and on a host's marks.

A line is played; at each of the chosen turns that it reaches, the moment is marked, and ``degree - 1`` forks are put
aside there, which are played from the mark when the line has come to its end, and branch in their turn at later turns.
One host plays all lines of a tree, one after the other.

Every line is an episode of its own, with all turns from the reset on: its ``parent_id`` and ``branch_turn`` say which
of them it shares. So a shared turn is in the rows of every line that goes through it and counts once for each, as if it
had been sampled that often; a trainer that wants it otherwise finds the number of turns to leave out in
``branch_turn``. A tree of degree one is a plain episode, to the bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from agentgym.errors import EnvError
from agentgym.rollout.actors import Actor
from agentgym.rollout.play import Play
from agentgym.rollout.runner import Rollout, Seat
from agentgym.rollout.specs import EpisodeSpec, seed_of
from agentgym.types import Trajectory

__all__ = ["Tree"]


async def _share_nothing(session: str, new: str) -> None:
    """For engines whose sessions cannot be forked."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Tree:
    """Plays trees of episodes on ``rollout``.

    Example::

        tree = Tree(rollout=rollout, actor=actor, degree=2, turns={1, 3}, release=engine.release, fork=engine.fork)
        trajectories = await tree.play(spec)
    """

    rollout: Rollout
    actor: Actor
    degree: int
    """Ways in which an episode goes on where it branches; 1 plays a plain episode."""
    turns: Collection[int]
    """Numbers of turns after which it branches; 0 is right after the reset."""
    release: Callable[[str], None] = lambda session: None
    """Told each session of the engine that is done with."""
    fork: Callable[[str, str], Awaitable[None]] = _share_nothing
    """Has a session of the engine begin where another one stands."""

    def __post_init__(self) -> None:
        if self.degree < 1:
            raise ValueError(f"degree is {self.degree}, expected 1 or more")

    async def play(self, spec: EpisodeSpec) -> list[Trajectory]:
        """All lines, the one that was played first in front.

        An environment that breaks voids the running line; what was to branch off later is then not played. Raises
        SnapshotError where the environment cannot be saved.
        """
        async with self.rollout.seat() as seat:
            aside = [self.rollout.play(seat.host, spec, self.actor, release=self.release)]
            try:
                return await self._lines(seat, aside)
            finally:
                for play in aside:
                    self.release(play.session)

    async def _lines(self, seat: Seat, aside: list[Play]) -> list[Trajectory]:
        trajectories: list[Trajectory] = []
        while aside and not seat.is_spoiled:
            play = aside.pop()
            try:
                await self._line(play, aside)
            finally:
                self.release(play.session)
            trajectories.append(play.trajectory)
            seat.is_spoiled = play.trajectory.stop_reason.is_void
            if play.mark is not None and not seat.is_spoiled and all(other.mark is not play.mark for other in aside):
                try:
                    await play.forget(play.mark)
                except EnvError:  # the line is whole; the environment does not answer any more
                    seat.is_spoiled = True
        return trajectories

    async def _line(self, play: Play, aside: list[Play]) -> None:
        """Play to the end, and put forks aside on the way."""
        branched_at = -1 if play.trajectory.branch_turn is None else play.trajectory.branch_turn
        for turn in sorted(self.turns) if self.degree > 1 else ():
            if turn > branched_at:
                await play.run(until=turn)
                if play.is_over:
                    return
                branched_at = len(play.trajectory.turns)  # one more where the policy summed up
                async for fork in self._forks(play):
                    aside.append(fork)  # each at once: should the next one fail, its session is released
        await play.run()

    async def _forks(self, play: Play) -> AsyncIterator[Play]:
        """The other ways to go on from where ``play`` stands, the last to be played in front."""
        mark = await play.save()
        turn, spec = len(play.trajectory.turns), play.spec
        for number in range(self.degree - 1, 0, -1):
            name, seed = f"{spec.episode_id}.{turn}-{number}", seed_of(spec.member, turn, number)
            fork = play.fork(dataclasses.replace(spec, episode_id=name, member=seed), play.host, mark)
            await self.fork(play.session, fork.session)
            yield fork
