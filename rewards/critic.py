"""What a critic says of an episode, on its last turn: a reward model as a reward. Not policy-invariant.

    --rewards.critic 1 --rewards.critic.critic model --rewards.critic.critic.model RUN

The episodes of a group are scored together. Which critics there are, and what each can be told, is in
``agentgym/critics``.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.config import Choice
from agentgym.critic import Critic
from agentgym.judge import Asking
from agentgym.registry import plugins, register
from agentgym.reward import Shaper, on_last_turn
from agentgym.types import Trajectory

__all__ = ["ByCritic"]

_FLAG = "rewards.critic.critic"


@register
class ByCritic(Shaper):
    """The score of a critic on the last turn. One that fails takes the group out of learning."""

    def __init__(self, critic: Choice) -> None:
        """Choose the critic.

        Args:
            critic: its id, with its settings behind it: --rewards.critic.critic model
                --rewards.critic.critic.model RUN.
        """
        plugins("critics").checked(critic.id, critic.options, where=_FLAG)
        self.critic: Critic = plugins("critics").build(critic.id, critic.options)
        if isinstance(self.critic, Asking):
            self.critic.flag = _FLAG

    async def open(self) -> None:
        await self.critic.open()

    async def close(self) -> None:
        await self.critic.close()

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        acted = [member for member in group if member.turns]
        scores = iter(await self.critic.score(acted) if acted else [])
        return [on_last_turn(member, next(scores)) if member.turns else [] for member in group]
