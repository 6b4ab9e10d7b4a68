"""One attempt at one episode.

A reply that cannot be parsed does not step the environment: the policy is told what was wrong and the turn is
marked. Whatever the environment does wrong, taking too long among it, voids the attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from agentgym.conversation import keep_last
from agentgym.engine import Completion
from agentgym.errors import EnvError, ParseError, UserError
from agentgym.hosts import Host
from agentgym.hosts.failures import bounded
from agentgym.protocol import Protocol
from agentgym.rollout.actors import Actor, Episode
from agentgym.rollout.context import asked_to_summarize, clipped, resumed_from
from agentgym.rollout.deadline import in_time
from agentgym.rollout.latencies import Latencies
from agentgym.rollout.specs import EpisodeSpec, Limits
from agentgym.snapshot import Mark
from agentgym.stream import Extension, TokenStream
from agentgym.types import Action, Observation, StopReason, Trajectory, Turn, succeeded

__all__ = ["Play"]

R = TypeVar("R")


class Play:
    """Plays ``spec`` on ``host`` into ``trajectory``; ``release`` is told each session that is done with.

    ``run`` does all; ``begin`` and ``turn`` are its steps, and ``prepare``, ``reply`` and ``act`` those of a turn, for
    whoever wants to stop in between; ``fork`` branches.
    ``beat`` is called at every sign of progress, ``latencies`` is told what was waited for.
    """

    def __init__(
        self,
        host: Host,
        spec: EpisodeSpec,
        actor: Actor,
        protocol: Protocol,
        stream: TokenStream,
        trajectory: Trajectory,
        *,
        limits: Limits,
        max_context: int,
        release: Callable[[str], None],
        beat: Callable[[], None],
        latencies: Latencies | None = None,
    ) -> None:
        self.latencies = latencies or Latencies()
        self.host, self.spec, self.actor, self.protocol = host, spec, actor, protocol
        self.stream, self.trajectory, self.limits = stream, trajectory, limits
        self.max_context, self.release, self.beat = max_context, release, beat
        self.num_invalid = 0
        self.has_begun = self.is_over = self.is_prepared = False
        self.mark: Mark | None = None
        """Where a fork begins."""

    @property
    def session(self) -> str:
        """Name of the engine's session that holds the running sample."""
        return f"{self.spec.episode_id}/{self.stream.num_forks}"

    async def run(self, until: int | None = None) -> None:
        """Play to the end, whatever it is, or until so many turns are on record."""
        async with self.guard():
            if not self.has_begun:
                await self.begin()
            while not self.is_over and (until is None or len(self.trajectory.turns) < until):
                await self.turn()
        self.record()

    @contextlib.asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """While entered, what the environment does wrong, or a deadline that passes, voids the episode."""
        try:
            async with asyncio.timeout(self.limits.episode_seconds) as deadline:
                yield
        except EnvError as error:
            self.trajectory.error = str(error)
            self._stop(StopReason.ENV_ERROR)
        except TimeoutError:
            if not deadline.expired():
                raise
            self.trajectory.error = (
                f"the episode took longer than {self.limits.episode_seconds:g} s; raise --rollout.episode_seconds"
            )
            self._stop(StopReason.DEADLINE)

    def record(self) -> Trajectory:
        """The record, with all tokens so far."""
        self.trajectory.samples = self.stream.samples
        return self.trajectory

    async def begin(self) -> None:
        """Reset the environment, or bring it to where a fork goes on, and show what there is to see."""
        self.has_begun = True
        if self.mark is not None:
            await self._within_deadline(self.host.load(self.mark), "going back")
            return
        reset = self.host.reset(self.spec.seed, self.spec.reset_options)
        with self.latencies.waiting("reset"):
            observation, info = await self._within_deadline(reset, "reset")
        self.trajectory.channels = info.get("channels", {})
        self.opening = self.protocol.prologue(self.host.instructions, self.spec.preface)
        self.episode = Episode(self.spec, self.host, self.stream, observation, list(self.opening))
        self.episode.step_seconds = self.limits.step_seconds
        self._show(observation)

    async def turn(self) -> bool:
        """One reply and its consequence; True when the episode is over. An EnvError voids it, and is the caller's."""
        if await self.prepare():
            await self.act(await self.reply())
        return self.is_over

    async def prepare(self) -> bool:
        """Bring the stream up to where the next reply follows; False where that has no room, and the episode is over.

        A fork of a prepared episode is prepared.
        """
        if not self.is_prepared and not await self._is_ready():
            self._cut(StopReason.CONTEXT_LIMIT)
            return False
        self.is_prepared = True
        return True

    async def reply(self) -> Completion:
        """What is said next, by whoever plays; the episode stays where it is until it is told to ``act``."""
        with self.latencies.replying() as tokens:
            completion = await self.actor(self.episode)
            if (completion.policy_versions or [-1])[0] >= 0:  # an expert's say nothing of an engine
                tokens.append(len(completion.token_ids))
        self.trajectory.sampling = self.episode.sampling
        self.beat()
        return completion

    async def act(self, completion: Completion) -> None:
        """Take a reply in, and have its consequence."""
        self.is_prepared = False
        if not await self._say_and_step(completion) and len(self.trajectory.turns) >= self._max_turns:
            self._cut(StopReason.TURN_LIMIT)
        elif self.trajectory.truncated:
            self._show_end()

    def read(self, completion: Completion) -> str:
        """A reply's text."""
        return self.stream.tokenizer.decode_reply(completion.token_ids)

    async def save(self) -> Mark:
        """Keep this moment of the environment, for forks. Raises SnapshotError where there is no way back."""
        return await self._within_deadline(self.host.save(), "saving")

    def fork(self, spec: EpisodeSpec, host: Host, mark: Mark | None = None) -> Play:
        """The same episode so far, to go on in another way: as ``spec``, from ``mark``, which was saved at this moment.

        ``host`` may be this one's own, once this episode is done with it: a fork goes there only when it ``run``s.
        Without a mark ``host`` gets there by itself. Raises ValueError when the episode is over.
        """
        if self.is_over:
            raise ValueError(f"episode {self.spec.episode_id} is over: there is nothing to go on with")
        trajectory = self.trajectory.model_copy(
            update={
                "episode_id": spec.episode_id,
                "parent_id": self.spec.episode_id,
                "branch_turn": len(self.trajectory.turns),
                "turns": [turn.model_copy(deep=True) for turn in self.trajectory.turns],
            }
        )
        twin = copy.copy(self)
        twin.host, twin.spec, twin.stream, twin.trajectory = host, spec, self.stream.fork(), trajectory
        twin.episode = dataclasses.replace(
            self.episode, spec=spec, host=host, stream=twin.stream, messages=list(self.episode.messages)
        )
        twin.has_begun, twin.mark = mark is None, mark
        return twin

    @property
    def _max_turns(self) -> int:
        limit = self.limits.max_turns or self.host.max_turns
        return limit if self.spec.max_turns is None else min(limit, self.spec.max_turns)

    def _show(self, observation: Observation, *, had_no_effect: bool = False) -> None:
        for image in observation.images:
            self.stream.tokenizer.store.put(image)
        self.episode.observation = clipped(observation, self.limits.max_observation_chars)
        self.episode.messages.append(self.protocol.shown(self.episode.observation, had_no_effect=had_no_effect))
        self.episode.messages = self.protocol.kept(self.episode.messages, len(self.opening))

    # -- context -------------------------------------------------------------------------------------

    async def _is_ready(self) -> bool:
        """Whether the next reply has room. The conversation is on the stream then, shortened if need be."""
        budget = min(self.limits.context_tokens or self.max_context, self.max_context)
        extension = self._prepared()
        if extension.num_tokens >= budget:
            if not self.trajectory.turns:
                raise UserError(
                    f"the first observation takes {extension.num_tokens} tokens, the context holds {budget}; choose a "
                    f"larger --engine.max_context (or a model with a longer context){self._or_fewer_shots}"
                )
            if self.limits.on_overflow == "keep-last":
                extension = self._with_last(budget)
            elif self.limits.on_overflow == "summarize":
                if not await self._summarize():
                    return False
                extension = self._prepared()
        room = budget - extension.num_tokens
        if room < 1:  # nothing is written that no reply follows
            return False
        self._take(extension)
        self.episode.max_tokens = min(self.limits.max_reply_tokens, room)
        return True

    @property
    def _or_fewer_shots(self) -> str:
        num = self.protocol.prompt.shots
        return f", or fewer examples: --protocol.shots {num - 1}" if num else ""

    def _cut(self, reason: StopReason) -> None:
        self._stop(reason)
        self._show_end()

    def _show_end(self) -> None:
        """Put on the stream what the next reply would have followed, where that is wanted and there is room for it."""
        if not self.spec.shows_end:
            return
        extension = self._prepared()
        if extension.num_tokens <= min(self.limits.context_tokens or self.max_context, self.max_context):
            self._take(extension)

    def _prepared(self) -> Extension:
        return self.stream.prepare(self.episode.messages, self.episode.observation.tools)

    def _take(self, extension: Extension) -> None:
        session = self.session
        self.stream.take(extension)
        if self.session != session:
            self.release(session)

    def _with_last(self, budget: int) -> Extension:
        """The conversation with as many of the last observations as fit, ``keep_observations`` at most."""
        for num in range(self.limits.keep_observations, 0, -1):
            self.episode.messages = keep_last(self.episode.messages, len(self.opening), num)
            extension = self._prepared()
            if extension.num_tokens < budget:
                break
        return extension

    async def _summarize(self) -> bool:
        """Have the policy sum up, and go on from there; False when there is no room even for that."""
        episode, last = self.episode, self.episode.messages[-1]
        episode.messages = asked_to_summarize(episode.messages)
        extension = self._prepared()
        room = self.max_context - extension.num_tokens
        if room < 1:
            return False
        self._take(extension)
        episode.max_tokens, episode.wants_summary = min(self.limits.max_reply_tokens, room), True
        reply = self._said(await self.reply())
        episode.wants_summary = False
        self.trajectory.turns.append(self._recorded(reply, is_summary=True))
        episode.messages = resumed_from(reply, self.opening, last)
        return True

    # -- turns ---------------------------------------------------------------------------------------

    def _said(self, completion: Completion) -> str:
        """A reply that is taken into the stream."""
        self.stream.append(completion)
        return self.read(completion)

    def _recorded(self, reply: str, *, is_summary: bool = False) -> Turn:
        is_shown = len(self.trajectory.turns) < self.spec.shown_turns
        return Turn(
            observation=str(self.episode.observation),
            reply=reply,
            media=[image.digest for image in self.episode.observation.images],
            role="expert" if is_shown else None,
            is_summary=is_summary,
        )

    async def _say_and_step(self, completion: Completion) -> bool:
        reply = self._said(completion)
        turn = self._recorded(reply)
        self.trajectory.turns.append(turn)
        self.episode.messages.append(self.protocol.said(reply))
        try:
            action = self.protocol.parse(reply)
        except ParseError as error:
            turn.error = str(error)
            self.episode.messages.append(self.protocol.refused(str(error), self.episode.observation))
            return self._too_many_invalid()
        return await self._step(turn, action)

    async def _step(self, turn: Turn, action: Action) -> bool:
        turn.action, turn.tool_calls = str(action), list(action.tool_calls)
        with self.latencies.waiting("step"):
            step = self._within_deadline(self.host.step(action), "step")
            observation, reward, terminated, truncated, info = await step
        self.beat()
        turn.reward, turn.breakdown = reward, {"environment": reward}
        turn.channels = info.get("channels", {})
        self._show(observation, had_no_effect="invalid_action" in info)
        if "invalid_action" in info:
            turn.error = bounded(info["invalid_action"])
        if terminated or truncated:
            self.trajectory.success = succeeded(info, self.trajectory.reward)
            self._stop(StopReason.TERMINATED if terminated else StopReason.TRUNCATED)
            return True
        return turn.error is not None and self._too_many_invalid()

    def _too_many_invalid(self) -> bool:
        self.num_invalid += 1
        limit = self.limits.max_invalid_actions
        if limit is None or self.num_invalid <= limit:
            return False
        self._stop(StopReason.INVALID_LIMIT)
        return True

    def _stop(self, reason: StopReason) -> None:
        self.is_over, self.trajectory.stop_reason = True, reason
        self.trajectory.terminated = reason in (StopReason.TERMINATED, StopReason.INVALID_LIMIT)
        self.trajectory.truncated = reason.is_truncated
        self.trajectory.final_observation = "" if reason.is_void else str(self.episode.observation)

    async def _within_deadline(self, call: Awaitable[R], what: str) -> R:
        """What the host answers. Where it takes too long the episode is void, and whoever made the host kills it."""
        where = f" (task {self.spec.task!r}, seed {self.spec.seed})"
        return await in_time(call, self.limits.step_seconds, f"{self.host.name}: {what}", where=where)
