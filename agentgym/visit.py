"""An environment played by hand: episode after episode, turn by turn, by whoever asks for the next one.

A rollout plays for training: a policy through a protocol, token by token, with retries and deadlines. Everybody else
wants to begin, to act and to see how it stands: a person, a check, a server, another framework's trainer. ``Visit`` is
for those who can await, ``Player`` for those who cannot; the environment may be plain or ``async`` with both.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from agentgym.env import Env
from agentgym.errors import EnvError
from agentgym.hosts.resident import Resident
from agentgym.loops import Blocking, settled
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult, TaskId, succeeded
from agentgym.wrapper import adopted

__all__ = ["NO_EPISODE", "Player", "Standing", "Visit"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an episode stands after one of its turns, or after its reset."""

    observation: Observation
    info: dict[str, Any]
    num_turns: int = 0
    reward: float = 0.0
    """Of the last turn."""
    total: float = 0.0
    """Rewards so far."""
    terminated: bool = False
    truncated: bool = False

    @property
    def is_over(self) -> bool:
        """The environment has ended the episode."""
        return self.terminated or self.truncated

    @property
    def success(self) -> bool:
        """As a rollout would judge the end."""
        return self.is_over and succeeded(self.info, self.total)

    def after(self, result: StepResult) -> Standing:
        """How it stands after one more turn."""
        return Standing(
            observation=result.observation,
            info=result.info,
            num_turns=self.num_turns + 1,
            reward=result.reward,
            total=self.total + result.reward,
            terminated=result.terminated,
            truncated=result.truncated,
        )


NO_EPISODE = Standing(observation=Observation(), info={}, terminated=True)


class _Episodes:
    """What both kinds of visit know of the running episode; without one it is over."""

    def __init__(self, env: Env) -> None:
        self.env, self.now = adopted(env), NO_EPISODE
        self._resident = Resident(self.env)

    @property
    def goes_on(self) -> bool:
        """Whether a rollout would play another turn."""
        return not self.now.is_over and self.now.num_turns < self.env.max_turns

    def _leave(self, task: TaskId | None, seed: int | None) -> Any:
        self.now = NO_EPISODE
        return self._resident.reset(seed, None if task is None else {"task": task})

    def _begun(self, returned: Any) -> Observation:
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise EnvError(f"reset returned {returned!r:.80}, expected (observation, info)")
        observation, info = returned
        if not isinstance(observation, str):
            raise EnvError(f"an observation is text, found {type(observation).__name__} {observation!r:.80}")
        self.now = Standing(observation=Observation.of(observation), info=info)
        return self.now.observation

    def _gone_on(self, returned: Any) -> StepResult:
        if not isinstance(returned, StepResult):
            raise EnvError(f"step returned {returned!r:.80}, past the boundary of agentgym.Env")
        self.now = self.now.after(returned)
        return returned


class Visit(_Episodes):
    """Plays ``env`` for those who can await. Whatever the environment raises comes through.

    Example::

        visit = Visit(agentgym.make("blocksworld"))
        await visit.reset(task=0, seed=1)
        while visit.goes_on:
            await visit.step("look")
        await visit.close()
    """

    async def reset(self, task: TaskId | None = None, seed: int | None = None) -> Observation:
        """Begin an episode, of a task that the environment picks where none is given."""
        return self._begun(await settled(self._leave(task, seed)))

    async def step(self, action: str) -> StepResult:
        """One turn."""
        return self._gone_on(await settled(self.env.step(action)))

    async def expert(self) -> Action | None:
        """What the environment's expert would do now; None where there is none. It is made when it is first asked."""
        said: Action | None = await settled(self._resident.expert(self.now.observation))
        return said

    async def save(self) -> Mark:
        """Keep this moment, to come back to. Raises SnapshotError where there is no way back."""
        mark: Mark = await settled(self._resident.save())
        return mark

    async def load(self, mark: Mark, now: Standing) -> None:
        """Go back to the moment of ``mark``, where the episode stood as ``now``; its expert is made anew there."""
        await settled(self._resident.load(mark))
        self.now = now

    async def close(self) -> None:
        """Close the environment."""
        await settled(self._resident.close())


class Player(_Episodes):
    """``Visit`` for those who cannot await; a plain environment is called directly. Use it in a ``with``, or close it.

    An ``async`` environment has an event loop of its own, which runs during the calls.
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.settled = Blocking()
        """Gives what a method of the environment returned, or what it comes to."""

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self, task: TaskId | None = None, seed: int | None = None) -> Observation:
        """Begin an episode, of a task that the environment picks where none is given."""
        return self._begun(self.settled(self._leave(task, seed)))

    def step(self, action: str) -> StepResult:
        """One turn."""
        return self._gone_on(self.settled(self.env.step(action)))

    def expert(self) -> Action | None:
        """What the environment's expert would do now; None where there is none. It is made when it is first asked."""
        said: Action | None = self.settled(self._resident.expert(self.now.observation))
        return said

    def save(self) -> Mark:
        """Keep this moment, to come back to. Raises SnapshotError where there is no way back."""
        mark: Mark = self.settled(self._resident.save())
        return mark

    def load(self, mark: Mark, now: Standing) -> None:
        """Go back to the moment of ``mark``, where the episode stood as ``now``; its expert is made anew there."""
        self.settled(self._resident.load(mark))
        self.now = now

    def close(self) -> None:
        """Close the environment and the event loop."""
        try:
            self.settled(self._resident.close())
        finally:
            self.settled.close()
