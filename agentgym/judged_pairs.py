"""Preference pairs that critics and judges make, where rewards alone make none, or none to trust.

    corrected_pairs   a small critic orders the episodes of a task, a large one is asked about those that it sets apart,
                      and has the last word (TS-Align's teacher and student, in one pass)
    revised_pair      a judge criticizes an episode's last reply and writes it anew: the revision is preferred to the
                      original (Critique-Post-Edit), off-policy data for ``dpo --trainer.reference model`` and for a
                      reward model

Departs from TS-Align in that the student is not trained here on what the teacher said: what is returned is what
``reward-model`` is trained on for that. Departs from Critique-Post-Edit in that one reply is revised, not the turns
after it, which would have gone otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agentgym.critic import Critic
from agentgym.errors import DataError, JudgeError
from agentgym.judge import Asking
from agentgym.loops import together
from agentgym.moments import last_moment
from agentgym.pairs import Pair, only_turn
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Sample, Trajectory
from agentgym.verdict import question, quoted

__all__ = ["Corrected", "corrected_pairs", "revised_pair"]


class Corrected(NamedTuple):
    """Two episodes, and which one the large critic prefers."""

    chosen: Trajectory
    rejected: Trajectory
    chance: float
    """That the chosen one is better, as the large critic says: more than 0.5."""
    is_reversed: bool
    """Whether the small one preferred the other."""


async def corrected_pairs(
    small: Critic, large: Critic, group: Sequence[Trajectory], *, num: int = 1, least: float = 0.0
) -> list[Corrected]:
    """At most ``num`` pairs of a group: its best against its worst by ``small``, and inward, as ``large`` decides.

    Left out are pairs that ``small`` does not tell apart by more than ``least``, and those that ``large`` does not
    tell apart. Raises JudgeError where either fails. The other calls are not gone on with then.
    """
    scores = await small.score(group)
    order = sorted(range(len(group)), key=lambda place: -scores[place])
    sides = [(order[place], order[-1 - place]) for place in range(min(num, len(order) // 2))]
    asked = [(one, other) for one, other in sides if scores[one] - scores[other] > least]
    chances = await together(large.compare(group[one], group[other]) for one, other in asked)
    found = []
    for (one, other), chance in zip(asked, chances, strict=True):
        if chance > 0.5:
            found.append(Corrected(group[one], group[other], chance, False))
        elif chance < 0.5:
            found.append(Corrected(group[other], group[one], 1 - chance, True))
    return found


async def revised_pair(judge: Asking, trajectory: Trajectory, rubric: str, tokenizer: ChatTokenizer) -> Pair:
    """The last reply of an episode as the judge would have it, preferred to the reply as it was.

    Both follow the same tokens. The revision has log-probability 0 and counts as an expert's: no policy of ours sampled
    it. Raises JudgeError where the judge writes none, or the very same; DataError for an episode of another tokenizer.
    """
    if trajectory.tokenizer != tokenizer.fingerprint:
        raise DataError(
            f"episode {trajectory.episode_id}: its token ids are those of another tokenizer "
            f"({trajectory.tokenizer or 'unknown'}), expected {tokenizer.fingerprint}; take the policy's that played it"
        )
    sample, moment = last_moment(trajectory)
    original = only_turn(sample, moment.turn)
    shown = trajectory.model_copy(update={"turns": trajectory.turns[: moment.turn + 1], "final_observation": ""})
    asked = question(
        f"{rubric}\n\nSay what is wrong with the last reply of the episode, judged by what was known then. Then write "
        "that reply anew, as it should have been, in the same form.",
        "revised",
        {"episode": quoted(shown)},
    )
    lines = f'"begin {asked.mark} reply" and "end {asked.mark} reply"'
    messages = [*asked.messages[:-1], {**asked.messages[-1]}]
    messages[-1]["content"] += f"\nBefore that last line, write the new reply between the lines {lines}."
    said = await judge.reply(dataclasses.replace(asked, messages=messages))
    asked.verdict(said)
    revised = asked.passage(said.rstrip().rpartition("\n")[0], "reply")
    ids = [*tokenizer.encode_reply(revised), tokenizer.stop_token_ids[0]]
    chosen = _instead(original, ids, moment.turn)
    if np.array_equal(chosen.token_ids, original.token_ids):
        raise JudgeError("the judge wrote the same reply again; expected a revision")
    return Pair(
        chosen=chosen,
        rejected=original,
        turn=moment.turn,
        by_expert=(True, moment.turn in trajectory.shown),
    )


def _instead(sample: Sample, ids: Sequence[int], turn: int) -> Sample:
    """``sample``, which ends with one reply, with ``ids`` in place of that."""
    start, num = int(sample.loss_mask.argmax()), len(ids)
    return Sample(
        token_ids=np.append(sample.token_ids[:start], np.asarray(ids, np.int32)),
        loss_mask=np.append(sample.loss_mask[:start], np.ones(num, np.bool_)),
        logprobs=np.append(sample.logprobs[:start], np.zeros(num, np.float32)),
        turn_index=np.append(sample.turn_index[:start], np.full(num, turn, np.int32)),
        policy_versions=np.append(sample.policy_versions[:start], np.full(num, -1, np.int32)),
        media=sample.media,
    )
