"""One episode that can be taken back: what a person plays, moment by moment.

A ``Game`` knows nothing of terminals. It keeps a ``Moment`` for the reset and one for each turn, so that undoing,
branching and showing a policy the history are all the same thing: a shorter or another list of moments. Whatever
goes wrong inside the environment, an interrupt among it, comes out as a ``GameError``, with the game back at the last
good moment.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from agentgym.blame import place
from agentgym.curriculum import TaskOrder
from agentgym.env import Env
from agentgym.errors import AgentGymError, ParseError, SnapshotError
from agentgym.protocol import Protocol
from agentgym.repl.interrupt import Interrupt
from agentgym.repl.policy import Reply
from agentgym.snapshot import Mark
from agentgym.types import Action, Message, Observation, TaskId
from agentgym.visit import Standing, Visit

__all__ = ["Game", "GameError", "Moment", "told"]

T = TypeVar("T")


class GameError(AgentGymError):
    """Something that was asked for did not work; the game stands where it stood."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What one turn led to; the first moment of an episode is its reset."""

    standing: Standing
    mark: Mark | None
    """None where the environment cannot be saved: there is no way back to here."""
    reply: str | None = None
    """What the policy said, verbatim; None for a turn played by hand, and for the reset."""
    action: Action | None = None
    """None where the reply could not be parsed, and for the reset."""
    problem: str | None = None
    """What was wrong with the reply or the action."""
    spoken: Reply | None = None
    """The reply with its tokens, where it is as a policy sampled it."""
    number: int = 0
    """By which it can be gone back to: no other moment of the game has it."""
    label: str = ""
    """Of a reset: task and seed."""

    @property
    def observation(self) -> Observation:
        """What is seen."""
        return self.standing.observation


class Game:
    """Plays ``env``. Without a task or a split the environment picks a task by the seed."""

    def __init__(self, env: Env, *, task: TaskId | None = None, split: str | None = None, seed: int = 0) -> None:
        self.env, self.task, self.split, self.seed = env, task, split, seed
        self.interrupt = Interrupt()
        self.chosen: TaskId | None = None
        """The task being played; None where the environment picked one."""
        self.moments: list[Moment] = []
        self.branches: dict[str, list[Moment]] = {}
        self.left: list[list[Moment]] = []
        """What was played before it was taken back or left."""
        self._numbers = itertools.count()
        self._visit = Visit(env)

    @property
    def now(self) -> Moment:
        """The present moment."""
        return self.moments[-1]

    @property
    def lines(self) -> list[list[Moment]]:
        """All that was played, the present line last."""
        return [*self.left, *self.branches.values(), self.moments]

    @property
    def num_turns(self) -> int:
        """Turns played so far."""
        return len(self.moments) - 1

    async def start(self, **changes: Any) -> None:
        """Begin an episode, after changing ``task``, ``split`` or ``seed``; they stay as they were if that fails."""
        task, split, seed = (changes.get(name, getattr(self, name)) for name in ("task", "split", "seed"))
        chosen: TaskId | None = None

        async def begin() -> Moment:
            nonlocal chosen
            if task is not None:
                chosen = self._task_id(task)
            elif split is not None:
                chosen = TaskOrder(self.env.tasks(split), seed=seed)[0]
            await self._visit.reset(chosen, seed)
            label = f"{'' if chosen is None else f'task {chosen}, '}seed {seed}"
            return Moment(standing=self._visit.now, mark=await self._save(), number=next(self._numbers), label=label)

        moments = [await self._safely(begin)]
        self._leave()
        self.moments = moments
        self.task, self.split, self.seed, self.chosen = task, split, seed, chosen

    async def act(self, action: Action, *, reply: str | None = None, spoken: Reply | None = None) -> Moment:
        """One turn."""
        self.must_go_on()

        async def step() -> Moment:
            info = (await self._visit.step(action)).info
            problem = str(info["invalid_action"]) if "invalid_action" in info else None
            return Moment(
                standing=self._visit.now,
                mark=await self._save(),
                reply=reply,
                action=action,
                problem=problem,
                spoken=spoken,
                number=next(self._numbers),
            )

        self.moments.append(await self._safely(step))
        return self.now

    async def hear(self, reply: str, protocol: Protocol, *, spoken: Reply | None = None) -> Moment:
        """One turn by a policy; a reply that cannot be parsed does not step the environment."""
        self.must_go_on()
        try:
            action = protocol.parse(reply)
        except ParseError as error:
            return self.refuse(reply, str(error), spoken=spoken)
        return await self.act(action, reply=reply, spoken=spoken)

    def refuse(self, reply: str, problem: str, *, spoken: Reply | None = None) -> Moment:
        """One turn by a policy whose reply cannot be parsed: nothing changes but what was said."""
        self.must_go_on()
        here, number = dataclasses.replace(self.now.standing, reward=0.0), next(self._numbers)
        self.moments.append(
            Moment(standing=here, mark=self.now.mark, reply=reply, problem=problem, spoken=spoken, number=number)
        )
        return self.now

    async def expert_action(self) -> Action:
        """What the environment's expert would do now."""
        self.must_go_on()
        action = await self._safely(self._visit.expert)
        if action is None:
            raise GameError(f"{self.env.name} has no expert()")
        return action

    async def undo(self, num_turns: int = 1) -> None:
        """Take turns back, at most to the reset."""
        if self.num_turns == 0:
            raise GameError("nothing to undo: this is the first observation")
        await self.return_to(self.moments[: max(1, len(self.moments) - num_turns)])

    def keep(self, name: str) -> None:
        """Remember this moment, and how it came about, as ``name``."""
        self.branches[name] = list(self.moments)

    async def goto(self, name: str) -> None:
        """Go back to a kept moment; the present line stays only if it was kept too."""
        await self.return_to(self.branches[name])

    async def goto_number(self, number: int) -> None:
        """Go back to any moment that was played. Raises GameError where there is none of that number."""
        for line in self.lines:
            numbers = [moment.number for moment in line]
            if number in numbers:
                await self.return_to(line[: numbers.index(number) + 1])
                return
        raise GameError(f"no moment #{number} was played; :tree shows all")

    def conversation(self, protocol: Protocol, *, before: int = 0) -> list[Message]:
        """The episode so far as a policy sees it; as it did so many turns ago."""
        first, *turns = self.moments[: len(self.moments) - before]
        opening = protocol.prologue(self.env.instructions)
        messages = [*opening, protocol.shown(first.observation)]
        for number, turn in enumerate(turns):
            say = protocol.format if number else protocol.first
            said = turn.reply if turn.reply is not None else say(turn.action or Action(""))
            if turn.action is None and turn.problem is not None:
                told = protocol.refused(str(turn.problem), turn.observation)
            else:
                told = protocol.shown(turn.observation, had_no_effect=turn.problem is not None)
            messages += [protocol.said(said), told]
            messages = protocol.kept(messages, len(opening)) if turn.action is not None else messages
        return messages

    def _task_id(self, typed: TaskId) -> TaskId:
        """What was typed, as a number where the environment's tasks are numbers."""
        tasks = self.env.tasks("train")
        numbered = len(tasks) > 0 and not isinstance(tasks[0], str)
        return int(typed) if numbered and isinstance(typed, str) and typed.isdecimal() else typed

    def must_go_on(self) -> None:
        """Raises GameError where the episode is over."""
        if self.now.standing.is_over:
            raise GameError("the episode is over: :undo takes the last turn back, :restart begins it again")

    async def return_to(self, moments: Sequence[Moment]) -> None:
        """Go back to the last of ``moments``, which came about one after the other."""
        await self._safely(lambda: self._load(moments[-1]))
        self._leave()
        self.moments = list(moments)

    def _leave(self) -> None:
        """Remember the present line, unless it is the beginning of another one."""
        ends = [line[len(self.moments) - 1].number for line in self.left if len(line) >= len(self.moments) > 0]
        if self.moments and self.now.number not in ends:
            self.left.append(self.moments)

    async def _load(self, moment: Moment) -> None:
        if moment.mark is None:
            raise SnapshotError(f"{self.env.name} could not be saved at that moment; :restart begins the episode again")
        await self._visit.load(moment.mark, moment.standing)

    async def _save(self) -> Mark | None:
        try:
            return await self._visit.save()
        except Exception:  # an author's get_state may raise anything: better to play on without undo than not at all
            return None

    async def _safely(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do ``action``; when it fails or is interrupted, the environment goes back to the present moment."""
        try:
            with self.interrupt.open():
                result = await action()
            await asyncio.sleep(0)  # an interrupt that could not reach the environment takes effect here
            return result
        except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:
            if not self.moments:
                raise
            after = await self._recover()
            raise GameError(told(error) + after) from error

    async def _recover(self) -> str:
        try:
            await self._load(self.now)
        except Exception as error:
            return f"\nand it could not be put back as it was: {told(error)}\n:restart begins the episode again"
        return ""


def told(error: BaseException) -> str:
    """An error in words; for one that nobody meant, also where it came from."""
    if isinstance(error, AgentGymError):
        return str(error)
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return "interrupted"
    where = place(error)
    return f"{type(error).__name__}: {error}{f' ({where})' if where else ''}"
