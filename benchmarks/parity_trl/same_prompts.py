"""Are the two sides of a race asked the same? The first two prompts of episodes, token by token.

The first reply is given, the expert's; all else is what each side makes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from trl import GRPOTrainer

from agentgym.engine import Completion
from agentgym.interop import trl_reward
from agentgym.launch.parts import Parts, assembled
from agentgym.launch.resolving import settings_for
from agentgym.rollout import Episode
from agentgym.rollout.actors import expert_actor
from benchmarks.parity_trl.race import Race
from benchmarks.parity_trl.racing_theirs import trainer
from benchmarks.parity_trl.through import FAREWELL

__all__ = ["DifferentPromptsError", "check"]

Said: TypeAlias = list[list[int]]
"""Tokens of the first prompt, of the reply to it, and of the second prompt."""


class DifferentPromptsError(AssertionError):
    """The sides would play other episodes."""


def check(race: Race, folder: Path) -> int:
    """How many prompts are the same, which is all that were looked at. Raises DifferentPromptsError."""
    own = asyncio.run(_ours(race))
    theirs = _theirs(race, folder, [said[1] for said in own])
    for which in (0, 2):
        for number, (said, other) in enumerate(zip(own, theirs, strict=True)):
            _compare(race, f"prompt {1 + which // 2} of episode {number}", said[which], other[which])
    return 2 * len(own)


def _compare(race: Race, what: str, own: list[int], other: list[int]) -> None:
    if own == other:
        return
    from agentgym.learn.policy import load_tokenizer

    at = next((i for i, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), min(len(own), len(other)))
    tokenizer = load_tokenizer(race.start)
    before, mine, yours = (tokenizer.decode(ids) for ids in (own[max(0, at - 8) : at], own[at:], other[at:]))
    raise DifferentPromptsError(
        f"{what}: {len(own)} tokens of ours, {len(other)} of TRL's; from token {at} on, behind {before!r}, ours is "
        f"{mine[:200]!r}, TRL's is {yours[:200]!r}"
    )


async def _ours(race: Race) -> list[Said]:
    """Of the first update's groups."""
    async with assembled(settings_for(race.said, race.start, seed=race.seed)) as parts:
        await parts.env.fetch("train")
        specs = race.specs(parts.env.tasks("train"), 0)
        seen: dict[str, Said] = {spec.episode_id: [] for spec in specs}
        await parts.rollout.run(specs, _watched(parts, seen))
        return list(seen.values())


def _watched(parts: Parts, seen: dict[str, Said]) -> Any:
    """Says what the expert says, then farewell; notes both prompts."""
    expert, tokenizer = expert_actor(parts.protocol), parts.policy.tokenizer

    async def act(episode: Episode) -> Completion:
        said = seen[episode.spec.episode_id]
        said.append(list(episode.stream.token_ids))
        if len(said) == 1:
            completion = await expert(episode)
            said.append(list(completion.token_ids))
            return completion
        ids = [*tokenizer.encode_reply(FAREWELL), tokenizer.stop_token_ids[0]]
        zeros, versions = [0.0] * len(ids), [-1] * len(ids)
        return Completion(token_ids=ids, logprobs=zeros, policy_versions=versions, finish_reason="stop")

    return act


def _theirs(race: Race, folder: Path, replies: Sequence[list[int]]) -> list[Said]:
    """The same in TRL's loop."""
    seen: list[Said] = [[] for _ in replies]

    class Given(GRPOTrainer):  # type: ignore[misc]
        def _generate_single_turn(self, prompt_ids: Sequence[list[int]], *_: Any, **__: Any) -> Any:
            groups = [list(ids) for ids in prompt_ids[:: race.group_size]]
            if len(groups) != len(seen):
                raise DifferentPromptsError(f"TRL reads a call in {len(groups)} of {len(seen)} replies of ours")
            is_first = not seen[0]
            farewell = [*self.processing_class.encode(FAREWELL), self.processing_class.eos_token_id]
            given = replies if is_first else [farewell] * len(groups)
            for said, ids, reply in zip(seen, groups, given, strict=True):
                said += [ids, list(reply)]
            return [list(reply) for reply in given for _ in range(race.group_size)], None

    made = trainer(Given, race, folder, trl_reward, 1)
    made.model.train()
    made._generate_and_score_completions([row for row in made.train_dataset for _ in range(race.group_size)])
    return seen
