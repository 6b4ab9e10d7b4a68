"""Who plays the episodes that a trainer asks for: the policy, where a spec says so after the expert, or the expert."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence

from agentgym.curriculum import Curriculum
from agentgym.engine import Engine
from agentgym.loops import together
from agentgym.rollout import Actor, EpisodeSpec, Limits, Rollout, engine_actor, expert_actor, led_actor
from agentgym.rollout.shaping import together as alike
from agentgym.search import Search, Table
from agentgym.types import Trajectory

__all__ = ["Players"]


async def _nothing() -> None: ...


class Players:
    """Plays training episodes. ``draws`` says which, ``limits`` are those of the policy's episodes."""

    def __init__(
        self, rollout: Rollout, engine: Engine, draws: Curriculum, *, limits: Limits, temperature: float = 1.0
    ) -> None:
        self.rollout, self.engine, self.draws = rollout, engine, draws
        self.limits, self.temperature = limits, temperature
        self._costs: dict[str, float] = {}
        self.search: Search | None = None
        """How the policy's episodes branch; None where they do not."""
        self.before_policy: Callable[[], Awaitable[None]] = _nothing
        """Awaited before the policy plays."""

    async def policy(self, specs: Sequence[EpisodeSpec], *, engine: Engine | None = None) -> list[Trajectory]:
        """Episodes of the policy in training, or of the one in ``engine``.

        The first ``shown_turns`` replies of those that have some are the expert's.
        """
        await self.before_policy()
        engine = engine or self.engine
        actor = engine_actor(engine, temperature=self.temperature)
        if any(spec.shown_turns for spec in specs):
            actor = led_actor(expert_actor(self.rollout.protocol), actor)
        if self.search is None:
            return await self._play(specs, actor, engine, self.limits)
        table = Table(rollout=self.rollout, engine=engine, actor=actor, limits=self.limits)
        groups: dict[str, list[EpisodeSpec]] = {}
        for spec in specs:
            groups.setdefault(alike(spec), []).append(spec)
        play = functools.partial(self._searched, self.search, table)
        return [line for lines in await together(map(play, groups.values())) for line in lines]

    async def _searched(self, search: Search, table: Table, specs: Sequence[EpisodeSpec]) -> list[Trajectory]:
        """The lines of a group's tree, with their rewards."""
        found = await search.play(table, specs)
        for name, value in found.spent.figures().items():
            self._costs[name] = self._costs.get(name, 0.0) + value
        await self.rollout.shape(found.lines, factors=specs[0].rewards)
        return found.lines

    def costs(self) -> dict[str, float]:
        """What searches have cost since this was asked last, by name; nothing where there were none."""
        costs, self._costs = self._costs, {}
        return costs

    async def expert(self, specs: Sequence[EpisodeSpec], *, shaped: bool = True) -> list[Trajectory]:
        """Episodes of the environment's expert; their behavior log-probabilities are 0.

        Without ``shaped`` they have the environment's reward alone: enough to imitate them. No limit on turns holds for
        them, nor that of a curriculum.
        """
        limits = Limits(  # it may say what it has to say; the environment ends its episodes
            max_reply_tokens=2**20,
            step_seconds=self.limits.step_seconds,
            episode_seconds=self.limits.episode_seconds,
            shaping_seconds=self.limits.shaping_seconds,
        )
        shown = [dataclasses.replace(spec, role="expert", max_turns=None) for spec in specs]
        return await self._play(shown, expert_actor(self.rollout.protocol), self.engine, limits, shaped=shaped)

    async def shaped(self, recorded: list[Trajectory]) -> list[Trajectory]:
        """Episodes that were played at another time, group by group with the rewards of this run, where it has some."""
        await self.rollout.shape(recorded)
        return recorded

    async def _play(
        self, specs: Sequence[EpisodeSpec], actor: Actor, engine: Engine, limits: Limits, *, shaped: bool = True
    ) -> list[Trajectory]:
        return await self.rollout.run(specs, actor, release=engine.release, limits=limits, shaped=shaped)
