"""How a policy may be sampled: what would have no effect, or a wrong one.

Where the likeliest tokens alone are sampled from, log-probabilities are among the kept tokens, while the learner
computes them over the whole vocabulary; the ratio of the two is the kept mass instead of 1, and the gradient wrong
without a sign of it. As long as no learner here takes a mask of the kept tokens, such sampling is for evaluation.
"""

from __future__ import annotations

from typing import Any

from agentgym.errors import ConfigError
from agentgym.launch.sections import EpisodeSettings
from agentgym.launch.settings import MeasureSettings
from agentgym.protocol import Protocol

__all__ = ["refuse_filters", "refuse_greedy", "refuse_overflow", "sampling_filters"]


def sampling_filters(rollout: EpisodeSettings) -> dict[str, Any]:
    """The settings that leave out less likely tokens, where they do."""
    return {key: getattr(rollout, key) for key in ("top_p", "top_k", "min_p") if rollout.changed(key)}


def refuse_greedy(settings: MeasureSettings, *, samples: int, temperature: float) -> None:
    """Raise ConfigError where episodes at temperature 0 would be equal, or filters without effect."""
    filters = sampling_filters(settings.rollout)
    if settings.search.id != "flat" and temperature == 0:
        raise ConfigError(
            f"search {settings.search.id} proposes several replies at a moment, and at temperature 0, which is greedy, "
            "they are all the same; add --temperature 1"
        )
    if samples > 1 and temperature == 0:
        raise ConfigError(
            f"samples {samples} at temperature 0, which is greedy, are {samples} equal episodes of each task; add "
            "--temperature 1, or type --samples 1"
        )
    if filters and temperature == 0:
        raise ConfigError(
            f"rollout.{min(filters)} has no effect at temperature 0, which is greedy; add --temperature 1"
        )


def refuse_overflow(rollout: EpisodeSettings, protocol: Protocol, id: str) -> None:
    """Raise ConfigError where contexts would be shortened in a second way."""
    if protocol.keep_observations is not None and rollout.on_overflow != "stop":
        raise ConfigError(
            f'rollout.on_overflow "{rollout.on_overflow}" does not go with --protocol {id}, which leaves out earlier '
            "observations itself; leave it out"
        )


def refuse_filters(rollout: EpisodeSettings) -> None:
    """Raise ConfigError where training would sample from a part of the vocabulary."""
    for key, value in sampling_filters(rollout).items():
        raise ConfigError(
            f"rollout.{key} {value} cannot be trained with: the sampler's log-probabilities would be those among the "
            "tokens that were kept, the learner's those among all, and their ratio wrong; leave it out (it is for "
            "agentgym eval and record)"
        )
