"""Whether a formula about an episode is so, turn by turn."""

from __future__ import annotations

from agentgym.errors import ConfigError, JudgeError
from agentgym.rewards._channels import refuse_unreported
from agentgym.temporal import Atom, Monitor, parse
from agentgym.tools.patterns import Patterns
from agentgym.types import Trajectory, Turn

__all__ = ["Watched"]


class Watched:
    """Watches episodes with a formula, which is the option ``key`` of ``reward``. Raises ConfigError for none.

    A reply that could not be read has no action and calls no tool; a channel is as it was until it is reported again,
    and one that was never reported compares with nothing: each test of it is false.
    """

    def __init__(self, formula: str, reward: str, key: str) -> None:
        self._reward, self._setting = reward, f"--rewards.{reward}.{key}"
        try:
            self._monitor = Monitor(parse(formula))
        except ConfigError as error:
            raise ConfigError(f"rewards.{reward}.{key}: {error}") from None

    def __call__(self, trajectory: Trajectory) -> list[bool]:
        """Whether it is so in each turn. Raises UserError for a channel that a whole episode does not report.

        Raises JudgeError where a regular expression takes too long for what the policy said.
        """
        named = [atom.channel for atom in self._monitor.atoms if atom.channel]
        refuse_unreported(trajectory, named, self._reward, self._setting)
        state, channels, patterns, so = self._monitor.start, dict(trajectory.channels), Patterns(), list[bool]()
        for turn in trajectory.turns:
            channels |= turn.channels
            is_so, state = self._monitor.step(state, lambda atom: _holds(atom, turn, channels, patterns))  # noqa: B023
            so.append(is_so)
        return so


def _holds(atom: Atom, turn: Turn, channels: dict[str, float], patterns: Patterns) -> bool:
    """Whether a test of a turn is so; of several calls of tools, one is enough."""
    if atom.subject == "channel":
        return atom.channel in channels and atom.compares(channels[atom.channel])
    texts = {
        "action": [] if turn.action is None else [turn.action],
        "reply": [turn.reply],
        "tool": [call.name for call in turn.tool_calls],
    }[atom.subject]
    if atom.relation != "~":
        return (atom.value in texts) is (atom.relation == "==")
    found = [patterns.found(str(atom.value), text) for text in texts]
    if None in found:
        raise JudgeError(f"the expression {atom.value!r} takes too long for what was said: {texts[0]!r:.80}")
    return True in found
