"""A host that answers from a list, hosts that keep what becomes of each, actors with given replies, and a clock.

In ``timeless`` no time passes but what is waited for: a deadline of an hour is over at once where nobody does anything
else, and never before.
"""

from __future__ import annotations

import asyncio
import dataclasses
import selectors
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from agentgym.engine import Completion
from agentgym.hosts import Host, Hosts
from agentgym.protocols.plain import Plain
from agentgym.rollout import Actor, Episode, EpisodeSpec, Limits, Rollout
from agentgym.rollout.play import Play
from agentgym.snapshot import Mark
from agentgym.stream import TokenStream
from agentgym.types import Action, Observation, StepResult, TaskId, Trajectory
from tests.kit import chat

TOKENIZER = chat()
T = TypeVar("T")


class _Jumps(selectors.SelectSelector):
    """Goes on at once to when there is something to do."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for something that will not come"
        self.now += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now


def timeless(main: Coroutine[Any, Any, T]) -> T:
    """What ``main`` returns, without waiting; it fails where it would wait for ever."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


def seen(
    text: str = "seen", reward: float = 0.0, *, over: bool = False, cut: bool = False, images: Any = (), **info: Any
) -> StepResult:
    """What a step gives."""
    return StepResult(Observation(text, images=images), reward, over, cut, info)


class Stage(Host):
    """Gives ``results`` one step after another, the last for ever; raises those that are errors.

    A call named in ``hangs`` waits for days, and is in ``cancelled`` where that is too long for somebody.
    """

    name, instructions, max_turns, corpus_episodes = "Stage", "", 99, 200

    def __init__(self, *results: StepResult | BaseException, hangs: Iterable[str] = (), first: Any = "go") -> None:
        self.results, self.hangs, self.first = list(results) or [seen(over=True)], set(hangs), Observation.of(first)
        self.info: dict[str, Any] = {}
        self.resets: list[tuple[int, dict[str, Any] | None]] = []
        self.actions: list[str] = []
        self.loaded: list[str] = []
        self.saved = 0
        self.forgotten: list[str] = []
        self.cancelled: list[str] = []
        self.began = asyncio.Event()
        """A step was asked for."""
        self.num_closed = self.num_killed = 0

    async def tasks(self, split: str) -> Sequence[TaskId]:
        return range(3)

    async def has_expert(self) -> bool:
        return False

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        self.resets.append((seed, options))
        await self._wait("reset")
        return self.first, self.info

    async def step(self, action: Action) -> StepResult:
        self.actions.append(str(action))
        self.began.set()
        await self._wait("step")
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, BaseException):
            raise result
        return result

    async def expert(self, observation: Observation) -> Action | None:
        return None

    async def save(self) -> Mark:
        await self._wait("save")
        self.saved += 1
        return Mark(seed=0, options={}, actions=(), digests=("",), id=f"mark {self.saved}", rung="native")

    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        await self._wait("load")
        self.loaded.append(mark.id)
        return Observation("back"), {}

    async def forget(self, *marks: Mark) -> None:
        self.forgotten += [mark.id for mark in marks]

    async def close(self) -> None:
        self.num_closed += 1

    def kill(self) -> None:
        self.num_killed += 1

    async def _wait(self, call: str) -> None:
        await asyncio.sleep(0)
        if call in self.hangs:
            try:
                await asyncio.sleep(10**6)
            except asyncio.CancelledError:
                self.cancelled.append(call)
                raise


class Stages(Hosts):
    """Opens ``stages`` one after another, or raises those that are errors; then plain ones."""

    def __init__(self, *stages: Stage | BaseException) -> None:
        self.waiting = list(stages)
        self.opened: list[Stage] = []
        self.num_closed = 0

    async def open(self) -> Host:
        stage = self.waiting.pop(0) if self.waiting else Stage()
        if isinstance(stage, BaseException):
            raise stage
        self.opened.append(stage)
        return stage

    async def close(self) -> None:
        self.num_closed += 1


@dataclasses.dataclass
class Says:
    """An actor: its replies one after another, the last for ever. Keeps how much room each had, and what was shown."""

    replies: list[str]
    version: int = 3
    room: list[int] = dataclasses.field(default_factory=list)
    shown: list[list[str]] = dataclasses.field(default_factory=list)
    summaries: list[bool] = dataclasses.field(default_factory=list)

    async def __call__(self, episode: Episode) -> Completion:
        self.room.append(episode.max_tokens)
        self.shown.append([str(message["content"]) for message in episode.messages])
        self.summaries.append(episode.wants_summary)
        await asyncio.sleep(0)
        return said(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0], self.version)


def said(text: str, version: int = 3) -> Completion:
    """A completion that ended."""
    ids = [*TOKENIZER.encode(text), TOKENIZER.stop_token_ids[0]]
    return Completion(
        token_ids=ids, logprobs=[-0.5] * len(ids), policy_versions=[version] * len(ids), finish_reason="stop"
    )


def says(*replies: str) -> Says:
    return Says(list(replies) or ["on"])


def spec(name: str = "e", **changes: Any) -> EpisodeSpec:
    return EpisodeSpec(**{"task": None, "seed": 7, "episode_id": name, **changes})


def play_of(
    host: Host,
    actor: Actor | None = None,
    limits: Limits | None = None,
    *,
    of: EpisodeSpec | None = None,
    max_context: int = 4096,
    release: Callable[[str], None] = lambda session: None,
    beat: Callable[[], None] = lambda: None,
) -> Play:
    """An attempt at an episode."""
    of = of or spec()
    trajectory = Trajectory(env=host.name, task=of.task, seed=of.seed, episode_id=of.episode_id)
    return Play(
        host,
        of,
        actor or says(),
        Plain(),
        TokenStream(TOKENIZER),
        trajectory,
        limits=limits or Limits(),
        max_context=max_context,
        release=release,
        beat=beat,
    )


def rollout_on(hosts: Stages, **options: Any) -> Rollout:
    """A rollout whose environments are ``hosts``."""
    rollout = Rollout(Stage, TOKENIZER, Plain(), **{"max_context": 4096, **options})
    rollout.hosts = hosts
    return rollout
