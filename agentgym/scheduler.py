"""Playing ahead of learning, by groups, without any of them growing too old.

A group (the episodes of one task, which are compared with each other) begins under version v of the weights and is
trained in update v + ``max_staleness`` at the latest. That is guaranteed by admission: by version v, groups for the
updates up to v + ``max_staleness`` have begun and no more, so there is always room for each before it is due, and a
finished group is never thrown away. (Peers drop what has become too old, which biases what is left to short
episodes.)

Which groups make an update: in order ("async"), or the oldest that are finished, as far as those that are due still
have room ("fully-async"), so that a few long episodes hold up nobody.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory

__all__ = ["Scheduler", "begun_by", "groups_of", "reach", "within_reach"]

PlayGroup: TypeAlias = Callable[[Sequence[EpisodeSpec]], Awaitable[list[Trajectory]]]


@dataclasses.dataclass(slots=True, eq=False)
class _Group:
    index: int
    """Place in the order of admission over the whole run: update * groups an update + place in it."""
    due: int
    """Update that trains it at the latest."""
    specs: list[EpisodeSpec]
    task: asyncio.Task[list[Trajectory]]


class Scheduler:
    """Plays the groups of ``num_updates`` updates.

    ``specs(update)`` are the episodes that an update would ask for by itself, ``play`` plays a group of them.
    """

    def __init__(
        self,
        specs: Callable[[int], list[EpisodeSpec]],
        play: PlayGroup,
        *,
        max_staleness: int,
        in_order: bool,
        num_updates: int,
    ) -> None:
        self.specs, self.play = specs, play
        self.max_staleness, self.in_order, self.num_updates = max_staleness, in_order, num_updates
        self.per_update = len(groups_of(specs(0)))
        self.num_begun = 0
        """Groups that have begun; all but those in ``pending`` are trained."""
        self._groups: list[_Group] = []
        self._taken: list[_Group] = []
        """Those of the update that is under way: an interruption may come before anything is learned from them."""
        self._again: dict[int, list[EpisodeSpec]] = {}
        """Groups that an interruption cut off, by their places in the order of admission."""

    @property
    def pending(self) -> list[int]:
        """Groups that have begun and are not trained."""
        return sorted(self._untrained())

    def _untrained(self) -> dict[int, list[EpisodeSpec]]:
        return self._again | {group.index: group.specs for group in (*self._taken, *self._groups)}

    def admit(self, version: int) -> None:
        """The weights are now those of ``version``, the number of updates so far: begin what may begin.

        What begins is drawn now, and whatever is learned later, it stays drawn.
        """
        end = begun_by(version, self.max_staleness, self.num_updates)
        beginning = sorted(self._again.items())
        for update in range(self.num_begun // self.per_update, end):
            beginning += enumerate(groups_of(self.specs(update)), start=update * self.per_update)
        self._again, self.num_begun = {}, max(self.num_begun, end * self.per_update)
        for index, specs in beginning:
            task = asyncio.ensure_future(self.play(specs))
            self._groups.append(_Group(index, version + self.max_staleness, specs, task))

    async def take(self, update: int) -> list[Trajectory]:
        """The episodes of ``update``, group after group, once they are there; ``settle`` says what became of them."""
        while (room := self.per_update - len(self._taken)) > 0:
            within = self._within_reach(update, room)
            ready = next((group for group in within if group.task.done()), None)
            if ready is None:
                await asyncio.wait([group.task for group in within], return_when=asyncio.FIRST_COMPLETED)
            else:
                ready.task.result()  # raises what went wrong in it
                self._groups.remove(ready)
                self._taken.append(ready)
        taken = sorted(self._taken, key=lambda group: group.index)
        return [trajectory for group in taken for trajectory in group.task.result()]

    def settle(self) -> None:
        """The update that was taken last is done: its groups are trained."""
        self._taken = []

    def _within_reach(self, update: int, room: int) -> list[_Group]:
        due = [(due, len(list(each))) for due, each in itertools.groupby(group.due for group in self._groups)]
        return self._groups[: within_reach(due, update, room, self.per_update, in_order=self.in_order)]

    async def close(self) -> None:
        """Stop what is being played."""
        for group in self._groups:
            group.task.cancel()
        await asyncio.gather(*(group.task for group in self._groups), return_exceptions=True)
        self._again, self._groups, self._taken = self._untrained(), [], []

    # -- what a checkpoint holds -----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Which groups are trained, and what those that are not are playing."""
        pending = [
            {"index": index, "specs": [dataclasses.asdict(spec) for spec in specs]}
            for index, specs in sorted(self._untrained().items())
        ]
        return {"num_begun": self.num_begun, "pending": pending}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from ``state``: what was being played then is played again, the same draws from the same seeds."""
        self.num_begun = state["num_begun"]
        self._again = {group["index"]: [EpisodeSpec(**spec) for spec in group["specs"]] for group in state["pending"]}


def groups_of(specs: Sequence[EpisodeSpec]) -> list[list[EpisodeSpec]]:
    """Specs by group, in the order in which the groups begin."""
    groups: dict[str, list[EpisodeSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.group_id, []).append(spec)
    return list(groups.values())


def begun_by(version: int, max_staleness: int, num_updates: int) -> int:
    """Of how many updates, the first ones, the groups have begun once the weights are those of ``version``.

    >>> begun_by(3, max_staleness=2, num_updates=100), begun_by(99, max_staleness=2, num_updates=100)
    (6, 100)
    """
    return min(num_updates, version + max_staleness + 1)


def within_reach(due: Iterable[tuple[int, int]], update: int, room: int, per_update: int, *, in_order: bool) -> int:
    """From how many groups, oldest first, the next place of ``update`` may be given: in order, from the oldest alone.

    ``due`` are as for ``reach``.
    """
    return 1 if in_order else reach(due, update, room, per_update)


def reach(due: Iterable[tuple[int, int]], update: int, room: int, per_update: int) -> int:
    """How many of the groups, oldest first, the next place of ``update`` may be given to.

    ``due`` are their deadlines, in order, and how many have each; ``room`` is how many places the update has left.
    Usually all; but where the groups that are due until some update need every place that is left until then, only
    those.

    >>> reach([(2, 3), (3, 1)], update=2, room=3, per_update=3)
    3
    >>> reach([(3, 2), (4, 1)], update=2, room=2, per_update=2)
    3
    """
    num = 0
    for last, count in due:
        places = room + max(0, last - update) * per_update
        if num + count >= places:
            return max(num + 1, places)
        num += count
    return num
