"""Advantages: pure functions from rewards to the weight of a log-likelihood gradient.

They work on plain floats, and where there is a number for each token on arrays, because they are computed once for each
update, before anything becomes a tensor; ``entropy_shaped`` alone works on tensors, because entropies are known only in
the forward pass.
"""

from agentgym.learn.advantages.anchors import anchor_advantages
from agentgym.learn.advantages.group import group_zscore, leave_one_out
from agentgym.learn.advantages.merged import merged_advantages
from agentgym.learn.advantages.sets import polychromic
from agentgym.learn.advantages.shaping import difficulty_reweighted, difficulty_weight, entropy_shaped
from agentgym.learn.advantages.temporal import gae, turn_returns
from agentgym.learn.advantages.whitening import whiten

__all__ = [
    "anchor_advantages",
    "difficulty_reweighted",
    "difficulty_weight",
    "entropy_shaped",
    "gae",
    "group_zscore",
    "leave_one_out",
    "merged_advantages",
    "polychromic",
    "turn_returns",
    "whiten",
]
