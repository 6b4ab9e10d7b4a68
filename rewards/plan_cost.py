"""What plans cost, so that a policy plans when a plan is worth it.

Learning When to Plan (arXiv 2509.03581): a reply may write a plan before it acts, or go on with the plan that it has;
what planning gains is to be set against its tokens, the time they take, and what a change of plans upsets. So

    cost of a turn = token_cost · tokens of its plans + plan_cost if it has any

What is a plan in a reply is told by marks: those of the paper, or others, such as ``<think>`` and ``</think>``, or
``Thought:`` and the end of the line for the protocol ``react``. A plan without an end goes on to the end of the reply,
and a mark that ends nothing is text. Between the marks may stand what is no plan, and outside of them a plan: what they
are for is the policy's to keep to, and a warm start's to teach. Tokens are not on record with their text: those of a
plan are its share of the reply's characters times the reply's tokens. The paper's costs are not known to us, and these
defaults are ours. Not policy-invariant.
"""

from __future__ import annotations

import re
from typing import Annotated

import numpy as np
from pydantic import Field

from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.reward import EpisodeShaper
from agentgym.types import Trajectory

__all__ = ["PlanCost"]

_Text = Annotated[str, Field(min_length=1)]
_Cost = Annotated[float, Field(ge=0)]


@register
class PlanCost(EpisodeShaper):
    """-0.001 for each token of a plan."""

    def __init__(
        self, *, begin: _Text = "<plan>", end: _Text = "</plan>", token_cost: _Cost = 0.001, plan_cost: _Cost = 0.0
    ) -> None:
        r"""Choose what a plan is, and what it costs.

        Args:
            begin: text that begins a plan.
            end: text that ends it; "\n" for the end of the line.
            token_cost: of each token of a plan.
            plan_cost: of a turn that has a plan, however long.
        """
        if not (token_cost or plan_cost):
            raise ConfigError(
                "token_cost and plan_cost are 0: plans would cost nothing; type for instance: "
                "--rewards.plan-cost.plan_cost 0.01"
            )
        self.token_cost, self.plan_cost = token_cost, plan_cost
        self._plan = re.compile(f"{re.escape(begin)}.*?(?:{re.escape(end)}|\\Z)", re.DOTALL)

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """What each turn costs."""
        return [
            -(self.token_cost * self._share(turn.reply) * tokens + self.plan_cost * bool(self._plan.search(turn.reply)))
            for turn, tokens in zip(trajectory.turns, _tokens(trajectory), strict=True)
        ]

    def _share(self, reply: str) -> float:
        """Of a reply's characters those in plans, marks among them."""
        return sum(len(plan[0]) for plan in self._plan.finditer(reply)) / max(len(reply), 1)


def _tokens(trajectory: Trajectory) -> list[int]:
    """Tokens of each reply."""
    spoken = [sample.turn_index[sample.loss_mask] for sample in trajectory.samples]
    turns = np.concatenate([*spoken, np.zeros(0, np.int32)])
    return [int(np.count_nonzero(turns == number)) for number in range(len(trajectory.turns))]
