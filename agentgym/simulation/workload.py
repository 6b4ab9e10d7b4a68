"""What is to be done, however many do it: episodes, an engine's speed, an update."""

from __future__ import annotations

import dataclasses

from agentgym.simulation.durations import Constant, Durations

__all__ = ["Speed", "Workload"]

_SHORTEST = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Speed:
    """Seconds in which an engine gives each of ``n`` sequences a token: ``alone + each * n``.

    ``alone`` is what a step costs however many there are (weights that are read), ``each`` what one more adds. A large
    engine has little of the second, and one that serves one reply after the other has nothing else.
    """

    alone: float
    each: float

    def step(self, num: float) -> float:
        """Seconds of a step of ``num`` sequences; not quite nothing, so that time goes on."""
        return max(_SHORTEST, self.alone + self.each * num)

    def share(self, num: float) -> float:
        """Of a step's seconds, those that more engines would save."""
        return self.each * num / self.step(num) if num else 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Of one environment, model and machine. Seconds, unless something else is said."""

    turns: Durations
    """Of an episode: whole numbers, one at least."""
    reply_tokens: Durations
    """Of a turn."""
    step: Durations
    """That the environment takes for an answer."""
    speed: Speed
    """Of one engine."""
    learn: float
    """To learn from one episode, by one learner; an update takes as often that as it has episodes."""
    reset: Durations = dataclasses.field(default=Constant(0.0))
    overhead: float = 0.0
    """Of a turn, in the process that plays, which does one thing at a time: messages, parsing, the token stream."""
    publish: float = 0.0
    """To have the engines sample from new weights; nothing is sampled meanwhile."""

    @property
    def alone(self) -> float:
        """Seconds of an episode that has everything for itself, on the mean."""
        turn = self.overhead + self.reply_tokens.mean * self.speed.step(1) + self.step.mean
        return self.reset.mean + self.turns.mean * turn
