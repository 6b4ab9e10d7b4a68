"""What episodes that measure come to: in numbers, in words, and by one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import BaseModel, Field

from agentgym.errors import UserError
from agentgym.launch.intervals import clustered, rounded
from agentgym.types import StopReason, Trajectory, Turn

__all__ = ["Score", "advice", "outcomes", "sample_of", "score", "told", "told_void"]

_MANY = 0.1
"""Share of turns beyond which it is said what may help."""
_SHOWN_TURNS, _SHOWN_CHARS = 4, 300


class Score(BaseModel):
    """Success and reward over episodes."""

    success: float
    """Share of episodes with success."""
    ci95: tuple[float, float]
    """95 % interval of the success, over tasks: Wilson's, where each has one episode."""
    reward: float
    """Mean undiscounted reward of the environment itself, whatever was added to it for training."""
    episodes: int
    """Episodes counted."""
    tasks: int
    """Tasks that they are of: several of one task say less than as many of different ones."""
    void: int
    """Episodes whose environment broke: not counted."""
    turns: float
    """Mean turns an episode."""
    unread_turns: float = 0.0
    """Share of turns whose reply could not be read: it had no action in the protocol's form."""
    invalid_turns: float = 0.0
    """Share of turns whose action had no effect, as the environment said."""
    stop_reasons: dict[str, int] = Field(default_factory=dict)
    """How many episodes ended why, void ones too."""
    temperature: float | None = None
    """That the replies were sampled at, 0 is greedy; None where that is not known or not one."""


def score(trajectories: Sequence[Trajectory]) -> Score:
    """Sum up episodes. Raises UserError when none counts, and for an augmented one: that measures something else."""
    if strong := [each for each in trajectories if each.strength]:
        raise UserError(
            f"episode {strong[0].episode_id} was played with augmentations of strength {strong[0].strength:g}; what is "
            "measured is played at strength 0"
        )
    counted = _counted(trajectories)
    if not counted:
        first = next((trajectory.error for trajectory in trajectories if trajectory.error), "there were no episodes")
        broke = "its environment broke in every episode, so that none counts; " if trajectories else ""
        raise UserError(f"nothing to measure: {broke}{first}")
    num, by_task, turns = len(counted), _by_task(counted), _turns(counted)
    limits = clustered([sum(outcomes) for outcomes in by_task], [len(outcomes) for outcomes in by_task])
    temperatures = {each.sampling.temperature if each.sampling else None for each in counted}
    return Score(
        success=sum(trajectory.success for trajectory in counted) / num,
        ci95=rounded(*limits),
        reward=sum(trajectory.environment_reward for trajectory in counted) / num,
        episodes=num,
        tasks=len(by_task),
        void=len(trajectories) - num,
        turns=len(turns) / num,
        unread_turns=sum(_is_unread(turn) for turn in turns) / max(1, len(turns)),
        invalid_turns=sum(turn.error is not None and not _is_unread(turn) for turn in turns) / max(1, len(turns)),
        stop_reasons=dict(Counter(trajectory.stop_reason.value for trajectory in trajectories).most_common()),
        temperature=temperatures.pop() if len(temperatures) == 1 else None,
    )


def outcomes(trajectories: Sequence[Trajectory]) -> list[bool | None]:
    """Whether each is a success; None for a void one."""
    return [None if trajectory.stop_reason.is_void else trajectory.success for trajectory in trajectories]


def _counted(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    return [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]


def _turns(trajectories: Iterable[Trajectory]) -> list[Turn]:
    return [turn for trajectory in trajectories for turn in trajectory.turns]


def _is_unread(turn: Turn) -> bool:
    return turn.error is not None and turn.action is None


def _by_task(episodes: Sequence[Trajectory]) -> list[list[bool]]:
    """Successes by task; where an environment has no tasks, by seed, which decides what is played."""
    found: dict[tuple[object, ...], list[bool]] = {}
    for episode in episodes:
        key = (episode.env, episode.seed) if episode.task is None else (episode.env, type(episode.task), episode.task)
        found.setdefault(key, []).append(episode.success)
    return list(found.values())


# -- in words --------------------------------------------------------------------------------------------


def told(seen: Score) -> str:
    """How it went, in a line."""
    (low, high), temperature = seen.ci95, seen.temperature
    how = "" if temperature is None else "greedy, " if temperature == 0 else f"temperature {temperature:g}, "
    ended = ", ".join(f"{name} {num}" for name, num in seen.stop_reasons.items())
    return (
        f"success {seen.success:.3f} [{low:.3f}, {high:.3f}], reward {seen.reward:.3f}, {how}{seen.episodes} episodes, "
        f"{seen.turns:.1f} turns each; {seen.unread_turns:.1%} of the replies could not be read, "
        f"{seen.invalid_turns:.1%} of the actions had no effect; ended: {ended}"
    )


def told_void(trajectories: Sequence[Trajectory]) -> str:
    """That there were void episodes, what that is, and why the first was one; "" without any."""
    void = [each for each in trajectories if each.stop_reason.is_void]
    if not void:
        return ""
    num = f"{len(void)} of {len(trajectories)} episodes are"
    why = next((each.error for each in void if each.error), void[0].stop_reason.value)
    return f"{num} void, that is, not counted, because the environment broke or took too long; the first: {why}"


def advice(trajectories: Sequence[Trajectory], *, max_reply_tokens: int, protocol: str) -> list[str]:
    """What may help where many turns came to nothing."""
    counted = _counted(trajectories)
    turns, said = _turns(counted), list[str]()
    if not turns:
        return said
    unread = [turn for turn in turns if _is_unread(turn)]
    if len(unread) > _MANY * len(turns):
        said.append(
            f'many replies could not be read as the protocol "{protocol}"; the policy was told: "{unread[0].error}"; '
            "show it how: --protocol.example auto, or --protocol.shots 2; or try another --protocol"
        )
    if (cut := sum(_num_cut(each, max_reply_tokens) for each in counted)) > _MANY * len(turns):
        said.append(
            f"{cut} of {len(turns)} replies were cut off; raise --rollout.max_reply_tokens, now {max_reply_tokens}"
        )
    idle = [turn for turn in turns if turn.error is not None and turn.action is not None]
    if len(idle) > _MANY * len(turns):
        said.append(
            f'many actions had no effect, as {idle[0].action!r:.80}: "{_clipped(str(idle[0].error))}"; where the '
            "environment lists its actions, --protocol.actions shown tells them to the policy"
        )
    return said


def _num_cut(episode: Trajectory, max_reply_tokens: int) -> int:
    """Replies that are as long as they may be."""
    lengths = [np.bincount(sample.turn_index[sample.loss_mask]) for sample in episode.samples if sample.num_trained]
    return sum(int((each >= max_reply_tokens).sum()) for each in lengths)


def sample_of(trajectories: Sequence[Trajectory]) -> str:
    """One of them to read: the first that counts and is no success, or else the first."""
    counted = _counted(trajectories)
    if not counted:
        return ""
    shown = next((each for each in counted if not each.success), counted[0])
    outcome = "success" if shown.success else "no success"
    lines = [f"one of them, task {shown.task!r}: {outcome}, reward {shown.environment_reward:g}, {_end(shown)}"]
    for number, turn in enumerate(shown.turns[:_SHOWN_TURNS], 1):
        lines += [f"  {number} seen: {_clipped(turn.observation)}", f"    said: {_clipped(turn.reply)}"]
        lines += [f"    which had no effect: {_clipped(turn.error)}"] if turn.error is not None else []
    if len(shown.turns) > _SHOWN_TURNS:
        lines.append(f"  … {len(shown.turns) - _SHOWN_TURNS} more turns")
    return "\n".join(lines)


def _end(episode: Trajectory) -> str:
    return "ended by the environment" if episode.stop_reason is StopReason.TERMINATED else episode.stop_reason.value


def _clipped(text: str) -> str:
    line = " ⏎ ".join(text.splitlines())
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]} …"
