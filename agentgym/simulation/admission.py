"""Which groups make an update: the scheduler's own rules, over groups that have ended or have not.

The scheduler's groups are tasks of an event loop; here they are numbers, in the order in which they begin. Who may
begin and who may be taken is asked of the same functions.
"""

from __future__ import annotations

import bisect
import heapq
from collections import Counter

from agentgym.scheduler import begun_by, within_reach
from agentgym.simulation.plan import Plan

__all__ = ["Admission"]


class Admission:
    """Of the groups of a plan: which have begun, have ended and are taken."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.num_begun = 0
        self.taken: list[int] = []
        """Groups of the update that is being collected."""
        self._pending: list[int] = []
        """Groups that have begun and are not taken, in order."""
        self._due: dict[int, int] = {}
        """Group → the update that trains it at the latest."""
        self._num_due: Counter[int] = Counter()
        self._ended: list[int] = []
        """Those of the pending ones that have ended, as a heap."""

    def admit(self, version: int) -> range:
        """The groups that begin now that the weights are those of ``version``."""
        plan = self.plan
        end = begun_by(version, plan.max_staleness, plan.updates) * plan.groups
        begun = range(self.num_begun, max(self.num_begun, end))
        self.num_begun = begun.stop
        self._pending.extend(begun)
        self._due.update(dict.fromkeys(begun, version + plan.max_staleness))
        self._num_due[version + plan.max_staleness] += len(begun)
        return begun

    def ended(self, group: int) -> None:
        """All episodes of ``group`` are there."""
        heapq.heappush(self._ended, group)

    def collect(self, update: int) -> list[int] | None:
        """The groups of ``update``, once there are enough of them; what is there until then is taken already."""
        per_update = self.plan.groups
        while (room := per_update - len(self.taken)) > 0:
            if not self._ended or not self._is_within_reach(self._ended[0], update, room):
                return None
            self._take(heapq.heappop(self._ended))
        taken, self.taken = self.taken, []
        return taken

    def _is_within_reach(self, group: int, update: int, room: int) -> bool:
        due = sorted((last, num) for last, num in self._num_due.items() if num)
        reach = within_reach(due, update, room, self.plan.groups, in_order=self.plan.in_order)
        return bisect.bisect_left(self._pending, group) < reach

    def _take(self, group: int) -> None:
        del self._pending[bisect.bisect_left(self._pending, group)]
        self._num_due[self._due.pop(group)] -= 1
        self.taken.append(group)
