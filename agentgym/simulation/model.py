"""The events of a run, one after the other, from a heap.

An episode waits for a place, in the order in which episodes begin, resets, and then takes its turns: the process that
plays works for it (``overhead``), an engine decodes its reply, the environment answers. A group is there when all its
episodes are. The learner publishes its weights, admits what may begin, waits for an update's groups and learns, as the
loop of every trainer does; in sync mode too, where nothing is played ahead.

A heap of our own: simpy, where each episode is a process and each place a resource, took 88 microseconds a turn without
an engine whose speed depends on its load, against about 10 here, and 100,000 actors take some million turns.

Not in the model: environments that break, what playing and learning take from each other on one machine, a task whose
turns are all slow (durations are independent), prompts that are read.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from agentgym.simulation.admission import Admission
from agentgym.simulation.durations import drawn
from agentgym.simulation.engine import Decoder
from agentgym.simulation.outcome import Outcome, Update
from agentgym.simulation.plan import Plan
from agentgym.simulation.workload import Workload

__all__ = ["Simulation", "simulate"]

_STEP, _ASK, _DECODED, _STUDIED, _PUBLISHED = range(5)
"""What an event is: the environment has answered, the engine is asked, it has someone's tokens, the learner is done,
the engines have its weights."""


def simulate(plan: Plan, workload: Workload, *, seed: int = 0) -> Outcome:
    """What ``plan`` makes of ``workload``; the same for the same seed."""
    return Simulation(plan, workload, seed=seed).run()


class _Episode:
    """One that has a place. ``tokens`` and ``version`` are those of the reply that is being decoded."""

    __slots__ = ("began", "engine", "group", "left", "said", "shard", "tokens", "version")

    began: float
    engine: Decoder
    group: int
    left: int
    said: float
    shard: int
    tokens: float
    version: int


def _held(engine: Decoder) -> int:
    return engine.held


class Simulation:
    """One run of a plan."""

    def __init__(self, plan: Plan, workload: Workload, *, seed: int = 0) -> None:
        self.plan, self.workload = plan, workload
        streams = [np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(4)]
        self._turns = drawn(workload.turns, streams[0])
        self._tokens = drawn(workload.reply_tokens, streams[1])
        self._steps = drawn(workload.step, streams[2])
        self._resets = drawn(workload.reset, streams[3])
        self.admission = Admission(plan)
        self.engines = [Decoder(workload.speed) for _ in range(plan.engines)]
        self.updates: list[Update] = []
        self.durations: list[float] = []
        """Seconds of each episode from when it has a place, in the order of their ends."""
        self.tokens: list[float] = []
        """That each of them said."""
        self.version = 0
        self._now = 0.0
        self._events: list[tuple[float, int, int, Any]] = []
        self._number = 0
        self._waiting: deque[int] = deque()
        """Groups of the episodes that wait for a place, one entry each."""
        self._free = plan.actors
        self._free_at = [0.0] * plan.shards
        self._next_shard = 0
        self._left = dict[int, int]()
        """Group → episodes of it that are not there yet."""
        self._ages = dict[int, list[float]]()
        """Group → its tokens, the sum of their versions, and the oldest of these."""
        self._waits_since: float | None = None
        self._busy = self._shard_seconds = self._busy_at = 0.0
        self._marks: list[tuple[float, ...]] = []
        """What was counted until each update was published."""

    # -- time ------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """All events."""
        handlers: dict[int, Callable[[Any], None]] = {
            _STEP: self._stepped,
            _ASK: self._ask,
            _DECODED: self._decoded,
            _STUDIED: self._studied,
            _PUBLISHED: self._published,
        }
        self._at(self.workload.publish, _PUBLISHED, None)
        events, pop = self._events, heapq.heappop
        while events and len(self.updates) < self.plan.updates:
            self._now, _, kind, what = pop(events)
            handlers[kind](what)
        return self._outcome()

    def _at(self, when: float, kind: int, what: Any) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, kind, what))

    # -- episodes --------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give free places to those that wait."""
        while self._free and self._waiting:
            self._count_places()
            self._free -= 1
            episode = _Episode()
            episode.group, episode.began, episode.said = self._waiting.popleft(), self._now, 0.0
            episode.left = max(1, round(next(self._turns)))
            episode.engine = min(self.engines, key=_held)
            episode.engine.held += 1
            episode.shard = self._next_shard
            self._next_shard = (self._next_shard + 1) % self.plan.shards
            self._at(self._now + next(self._resets), _STEP, episode)

    def _stepped(self, episode: _Episode) -> None:
        """The environment has answered: the process that plays takes its time, then the engine is asked."""
        if episode.left == 0:
            self._end(episode)
            return
        overhead = self.workload.overhead
        if not overhead:
            self._ask(episode)
            return
        ready = max(self._now, self._free_at[episode.shard]) + overhead
        self._free_at[episode.shard] = ready
        self._shard_seconds += overhead
        self._at(ready, _ASK, episode)

    def _ask(self, episode: _Episode) -> None:
        engine = episode.engine
        episode.tokens, episode.version = next(self._tokens), self.version
        self._number += 1
        engine.add(self._now, episode.tokens, self._number, episode)
        self._wake(engine)

    def _wake(self, engine: Decoder) -> None:
        """See to it that the engine is looked at when its next sequence ends, or before."""
        when = engine.next_end()
        if when < engine.wakes_at:
            engine.wakes_at = when
            self._at(when, _DECODED, engine)

    def _decoded(self, engine: Decoder) -> None:
        if self._now < engine.wakes_at:  # it was to be looked at later, and was already
            return
        engine.wakes_at = float("inf")
        for episode in engine.ended(self._now):
            self._said(episode)
        self._wake(engine)

    def _said(self, episode: _Episode) -> None:
        """A reply is there. Where the weights have changed meanwhile, half of its tokens are held to be of either."""
        ages, tokens = self._ages[episode.group], episode.tokens
        ages[0] += tokens
        ages[1] += tokens * (episode.version + self.version) / 2
        ages[2] = min(ages[2], episode.version)
        episode.left -= 1
        episode.said += tokens
        self._at(self._now + next(self._steps), _STEP, episode)

    def _end(self, episode: _Episode) -> None:
        self._count_places()
        self._free += 1
        episode.engine.held -= 1
        self.durations.append(self._now - episode.began)
        self.tokens.append(episode.said)
        self._left[episode.group] -= 1
        if not self._left[episode.group]:
            del self._left[episode.group]
            self.admission.ended(episode.group)
            self._study_if_ready()
        self._fill()

    def _count_places(self) -> None:
        self._busy += (self.plan.actors - self._free) * (self._now - self._busy_at)
        self._busy_at = self._now

    # -- learning --------------------------------------------------------------------------------------

    def _published(self, _: None) -> None:
        """The engines have the weights of ``version``: begin what may begin, and wait for the next update."""
        self._mark()
        for group in self.admission.admit(self.version):
            self._left[group] = self.plan.group_size
            self._ages[group] = [0.0, 0.0, float("inf")]
            self._waiting.extend([group] * self.plan.group_size)
        self._waits_since = self._now
        self._fill()
        self._study_if_ready()

    def _study_if_ready(self) -> None:
        if self._waits_since is None or (groups := self.admission.collect(self.version)) is None:
            return
        seconds = self.workload.learn * self.plan.per_update / self.plan.learners
        tokens, versions, oldest = (list(column) for column in zip(*map(self._ages.pop, groups), strict=True))
        age = self.version - sum(versions) / max(1e-12, sum(tokens))
        oldest_age = self.version - int(min(oldest))
        times = self._waits_since, self._now, self._now + seconds
        update = Update(*times, sum(tokens), age, oldest_age, groups)
        self.updates.append(update)
        self._waits_since = None
        self._at(self._now + seconds, _STUDIED, None)

    def _studied(self, _: None) -> None:
        self.version += 1
        for engine in self.engines:
            engine.stall(self._now, self.workload.publish)
        self._at(self._now + self.workload.publish, _PUBLISHED, None)

    # -- what came of it -------------------------------------------------------------------------------

    def _mark(self) -> None:
        self._count_places()
        for engine in self.engines:
            engine.advance(self._now)
        busy = sum(engine.busy for engine in self.engines)
        sequences = sum(engine.sequence_seconds for engine in self.engines)
        self._marks.append((self._now, self._busy, busy, sequences, self._shard_seconds, len(self.durations)))

    def _outcome(self) -> Outcome:
        plan, steady = self.plan, self.plan.steady
        first, last = self._marks[steady.start], self._marks[steady.stop]
        seconds, places, busy, sequences, shards, _ = (b - a for a, b in zip(first, last, strict=True))
        updates = self.updates[steady.start : steady.stop]
        tokens = sum(update.tokens for update in updates)
        durations = self.durations[int(first[-1]) : int(last[-1])] or self.durations
        return Outcome(
            seconds_per_update=seconds / len(updates),
            episodes_per_second=plan.per_update * len(updates) / seconds,
            tokens_per_second=tokens / seconds,
            staleness=sum(update.staleness * update.tokens for update in updates) / max(1e-12, tokens),
            max_staleness=max(update.max_staleness for update in self.updates),
            actors_busy=places / seconds / plan.actors,
            engines_busy=busy / seconds / plan.engines,
            sequences=sequences / seconds / plan.engines,
            shards_busy=shards / seconds / plan.shards,
            learner_busy=sum(update.ended - update.began for update in updates) / seconds,
            publish_share=self.workload.publish * len(updates) / seconds,
            episode_seconds=sum(durations) / len(durations),
        )
