"""One episode that can be taken back: what a person plays, moment by moment.

A ``Game`` knows nothing of terminals. It keeps a ``Moment`` for the reset and one for each turn, so that undoing,
branching and showing a policy the history are all the same thing: a shorter or another list of moments. Whatever
goes wrong inside the environment comes out as a ``GameError``, with the game back at the last good moment.

Not covered: undoing turns of an ``async`` environment without ``get_state``, which cannot be replayed here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from agentgym.curriculum import TaskOrder
from agentgym.env import Env, Expert, Snapshot
from agentgym.errors import AgentGymError, ParseError, SnapshotError
from agentgym.protocol import Protocol
from agentgym.types import Action, Message, Observation, TaskId

__all__ = ["Game", "GameError", "Moment", "told"]

T = TypeVar("T")


class GameError(AgentGymError):
    """Something that was asked for did not work; the game stands where it stood."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What one turn led to; the first moment of an episode is its reset."""

    observation: Observation
    info: dict[str, Any]
    snapshot: Snapshot | None
    """None where the environment cannot be saved: there is no way back to here."""
    reply: str | None = None
    """What the policy said, verbatim; None for a turn played by hand, and for the reset."""
    action: Action | None = None
    """None where the reply could not be parsed, and for the reset."""
    problem: str | None = None
    """What was wrong with the reply or the action."""
    reward: float = 0.0
    total: float = 0.0
    """Rewards so far."""
    terminated: bool = False
    truncated: bool = False

    @property
    def done(self) -> bool:
        """The episode is over."""
        return self.terminated or self.truncated

    @property
    def success(self) -> bool:
        """As a rollout would judge the end."""
        return self.done and bool(self.info.get("success", self.total >= 1))


class Game:
    """Plays ``env``. Without a task or a split the environment picks a task by the seed."""

    def __init__(self, env: Env, *, task: TaskId | None = None, split: str | None = None, seed: int = 0) -> None:
        self.env, self.task, self.split, self.seed = env, task, split, seed
        self.chosen: TaskId | None = None
        """The task being played; None where the environment picked one."""
        self.moments: list[Moment] = []
        self.branches: dict[str, list[Moment]] = {}
        self._expert: Expert | None = None
        self._runner = asyncio.Runner()

    @property
    def now(self) -> Moment:
        """The present moment."""
        return self.moments[-1]

    @property
    def num_turns(self) -> int:
        """Turns played so far."""
        return len(self.moments) - 1

    def start(self, **changes: Any) -> None:
        """Begin an episode, after changing ``task``, ``split`` or ``seed``; they stay as they were if that fails."""
        task, split, seed = (changes.get(name, getattr(self, name)) for name in ("task", "split", "seed"))
        chosen: TaskId | None = None

        def begin() -> Moment:
            nonlocal chosen
            if task is not None:
                chosen = self._task_id(task)
            elif split is not None:
                chosen = TaskOrder(self.env.tasks(split), seed=seed)[0].task
            observation, info = self._call(
                self.env.reset, seed=seed, options=None if chosen is None else {"task": chosen}
            )
            return Moment(observation=observation, info=info, snapshot=self._snapshot())

        self.moments = [self._safely(begin)]
        self.task, self.split, self.seed, self.chosen, self._expert = task, split, seed, chosen, None

    def act(self, action: Action, *, reply: str | None = None) -> Moment:
        """One turn."""
        self._must_go_on()

        def step() -> Moment:
            observation, reward, terminated, truncated, info = self._call(self.env.step, action)
            return Moment(
                observation=observation,
                info=info,
                snapshot=self._snapshot(),
                reply=reply,
                action=action,
                problem=str(info["invalid_action"]) if "invalid_action" in info else None,
                reward=reward,
                total=self.now.total + reward,
                terminated=terminated,
                truncated=truncated,
            )

        self.moments.append(self._safely(step))
        return self.now

    def hear(self, reply: str, protocol: Protocol) -> Moment:
        """One turn by a policy; a reply that cannot be parsed does not step the environment."""
        self._must_go_on()
        try:
            action = protocol.parse(reply)
        except ParseError as error:
            here = dataclasses.replace(self.now, reply=reply, action=None, problem=str(error), reward=0.0)
            self.moments.append(here)
            return here
        return self.act(action, reply=reply)

    def expert_action(self) -> Action:
        """What the environment's expert would do now."""

        self._must_go_on()

        def ask() -> Action:
            # Kept while the episode goes forward, as a rollout does; made anew wherever it was taken back to.
            self._expert = self._expert or self.env.expert()
            if self._expert is None:
                raise GameError(f"{self.env.name} has no expert()")
            said = self._expert(self.now.observation)
            return said if isinstance(said, Action) else Action(said)

        return self._safely(ask)

    def undo(self, num_turns: int = 1) -> None:
        """Take turns back, at most to the reset."""
        if self.num_turns == 0:
            raise GameError("nothing to undo: this is the first observation")
        self._return_to(self.moments[: max(1, len(self.moments) - num_turns)])

    def keep(self, name: str) -> None:
        """Remember this moment, and how it came about, as ``name``."""
        self.branches[name] = list(self.moments)

    def goto(self, name: str) -> None:
        """Go back to a kept moment; the present line stays only if it was kept too."""
        self._return_to(self.branches[name])

    def conversation(self, protocol: Protocol) -> list[Message]:
        """The episode so far as a policy sees it."""
        first, *turns = self.moments
        messages = [*protocol.opening(self.env.instructions), protocol.show(first.observation)]
        for turn in turns:
            said = turn.reply if turn.reply is not None else protocol.format(turn.action or Action(""))
            unread = turn.action is None and turn.problem is not None
            messages += [
                protocol.said(said),
                protocol.complain(str(turn.problem)) if unread else protocol.show(turn.observation),
            ]
        return messages

    def close(self) -> None:
        """Let go of the event loop; the environment is the caller's."""
        self._runner.close()

    def _task_id(self, typed: TaskId) -> TaskId:
        """What was typed, as a number where the environment's tasks are numbers."""
        tasks = self.env.tasks("train")
        numbered = len(tasks) > 0 and not isinstance(tasks[0], str)
        return int(typed) if numbered and isinstance(typed, str) and typed.isdecimal() else typed

    def _must_go_on(self) -> None:
        if self.now.done:
            raise GameError("the episode is over: :undo takes the last turn back, :restart begins it again")

    def _return_to(self, moments: Sequence[Moment]) -> None:
        self._safely(lambda: self._restore(moments[-1]))
        self.moments, self._expert = list(moments), None

    def _restore(self, moment: Moment) -> None:
        if moment.snapshot is None:
            raise SnapshotError(f"{self.env.name} could not be saved at that moment; :restart begins the episode again")
        self.env.restore(moment.snapshot)

    def _snapshot(self) -> Snapshot | None:
        try:
            return self.env.snapshot()
        except Exception:  # an author's get_state may raise anything: better to play on without undo than not at all
            return None

    def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        return self._runner.run(_awaited(result)) if inspect.isawaitable(result) else result

    def _safely(self, action: Callable[[], T]) -> T:
        """Do ``action``; when it fails or is interrupted, the environment goes back to the present moment."""
        try:
            return action()
        except GameError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if not self.moments:
                raise
            after = self._recover()
            raise GameError(told(error) + after) from error

    def _recover(self) -> str:
        try:
            self._restore(self.now)
        except Exception as error:
            return f"\nand it could not be put back as it was: {told(error)}\n:restart begins the episode again"
        return ""


async def _awaited(result: Any) -> Any:
    return await result


def told(error: BaseException) -> str:
    """An error in words; for one that nobody meant, also where it came from."""
    if isinstance(error, AgentGymError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
