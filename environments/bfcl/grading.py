"""The verdict on a turn, as BFCL's multi-turn checker has it, and the score that Environment Tuning makes of it.

A turn of the user is right when, after it,

- the instances' public attributes equal those that the ground truth's calls of all turns so far lead to, and
- the results of the ground truth's calls of this turn are, as a multiset, among all results so far, and
- something was called at all, if the ground truth calls something.

A turn in which nothing should be called is right for BFCL whatever was called in it (what that changes shows in the
next one). Environment Tuning (arXiv 2510.10197) scores it 1 only if nothing was called. Order of calls is never
compared.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from agentgym.environments.bfcl.calls import parse_call
from agentgym.environments.bfcl.data import Benchmark, Task, open_benchmark
from agentgym.environments.bfcl.world import World

__all__ = ["Reference", "Verdict", "judge", "reference"]

State: TypeAlias = dict[str, dict[str, Any]]
"""API class → public attributes of its instance."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """What the ground truth calls in one turn, and what that leads to."""

    calls: tuple[tuple[str, dict[str, Any]], ...]
    """Name and arguments by name."""
    results: tuple[str, ...]
    state: State


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a turn of the user ended."""

    expects_calls: bool
    called: bool
    """Whether any tool was called, or an unknown one."""
    state: bool
    results: bool
    forced: bool = False
    """Closed by the limit of steps instead of by an answer."""

    @property
    def is_right(self) -> bool:
        """BFCL's verdict on the turn."""
        return not self.forced and (not self.expects_calls or (self.called and self.state and self.results))

    def as_json(self) -> dict[str, bool]:
        """The fields; ``Verdict(**verdict.as_json())`` is the same verdict."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def score(self) -> float:
        """Environment Tuning's score, 0 or 1: state × execution, or silence where that is what is wanted."""
        return float(self.is_right and (self.expects_calls or not self.called))


@functools.lru_cache(maxsize=1024)
def reference(task_id: str) -> tuple[Reference, ...]:
    """The ground truth of each turn, worked out by playing it; kept for the tasks played last, never changed."""
    benchmark = open_benchmark()
    return _references(benchmark, benchmark.tasks[task_id])


def _references(benchmark: Benchmark, task: Task) -> tuple[Reference, ...]:
    world, state, found = World(benchmark, task), State(), []
    for turn in task.truth:
        calls = [parse_call(text) for text in turn]
        bound = [(call.name, benchmark.tools[call.name].bind(call)) for call in calls]
        results = tuple(world.call(name, arguments) for name, arguments in bound)
        state = _copied(world, state)
        found.append(Reference(tuple(bound), results, state))
    return tuple(found)


def _copied(world: World, before: State) -> State:
    """A copy of the world's state, which shares with the turn before what has not changed."""
    return {
        api: {
            name: before[api][name]
            if name in before.get(api, {}) and before[api][name] == value
            else copy.deepcopy(value)
            for name, value in _public(instance).items()
        }
        for api, instance in world.instances.items()
    }


def judge(world: World, results: Sequence[str], expected: Reference, *, called: bool, forced: bool = False) -> Verdict:
    """The verdict on a turn that ends with ``world`` after ``results``, those of all turns so far."""
    if not expected.calls:
        return Verdict(expects_calls=False, called=called, state=True, results=True, forced=forced)
    missing = collections.Counter(expected.results) - collections.Counter(results)
    return Verdict(
        expects_calls=True,
        called=called,
        state=_is_same(world.instances, expected.state),
        results=not missing,
        forced=forced,
    )


def _is_same(instances: Mapping[str, Any], state: State) -> bool:
    try:
        return all(
            getattr(instances[api], name) == value for api, part in state.items() for name, value in part.items()
        )
    except RecursionError:  # a directory that was copied into itself
        return False


def _public(instance: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(instance).items() if not name.startswith("_")}
