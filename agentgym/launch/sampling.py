"""Which tokens may be sampled, and why training allows all of them.

A sampler that keeps only the likeliest tokens reports log-probabilities among the kept ones, while the learner computes
them over the whole vocabulary: the ratio of the two is then the kept mass instead of 1, and the gradient is wrong
without a sign of it. As long as no learner here takes a mask of the kept tokens, such sampling is for evaluation.
"""

from __future__ import annotations

from typing import Any

from agentgym.errors import ConfigError
from agentgym.launch.settings import RolloutSettings

__all__ = ["refuse_filters", "sampling_filters"]


def sampling_filters(rollout: RolloutSettings) -> dict[str, Any]:
    """The settings that leave out less likely tokens, where they do."""
    return {key: getattr(rollout, key) for key in ("top_p", "top_k", "min_p") if rollout.changed(key)}


def refuse_filters(rollout: RolloutSettings) -> None:
    """Raise ConfigError where training would sample from a part of the vocabulary."""
    for key, value in sampling_filters(rollout).items():
        raise ConfigError(
            f"rollout.{key} {value} cannot be trained with: the sampler's log-probabilities would be those among the "
            "tokens that were kept, the learner's those among all, and their ratio wrong; leave it out (it is for "
            "agentgym eval)"
        )
