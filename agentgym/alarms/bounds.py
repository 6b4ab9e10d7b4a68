"""Where the alarms' bounds lie. They are ours where no source is named."""

from __future__ import annotations

from pydantic import Field

from agentgym.config import Settings

__all__ = ["Bounds"]


class Bounds(Settings):
    """When an alarm goes off."""

    window: int = Field(5, ge=1)
    """Updates that an alarm looks at together, where one alone would be noise."""
    entropy: float = Field(0.1, ge=0, le=1)
    """The entropy of what is said has collapsed below this share of that in the first update, unless the tasks are
    solved."""
    solved: float = Field(0.8, ge=0, le=1)
    """From this success on a policy may be certain of what it does."""
    old_kl: float = Field(0.1, gt=0)
    """KL of a token from the policy that began the update; 0.1 is a typical ratio of exp(±0.45), beyond any usual
    clip, since the divergence is about half the square of the log-ratio."""
    reference_kl: float = Field(1.0, gt=0)
    """KL of a token from the reference policy, which then gives what is sampled a probability e times lower."""
    kl_growth: float = Field(3.0, gt=1)
    """That KL runs away when it grows by this factor from one window to the next, above a tenth of its bound."""
    clip_fraction: float = Field(0.3, ge=0, le=1)
    """Share of tokens without a gradient because of the clip."""
    informative_groups: float = Field(0.1, ge=0, le=1)
    """Share of groups with differing rewards; the others teach nothing, and at 0.1 they cost nine tenths of the time
    spent on playing."""
    reply_fill: float = Field(0.9, gt=0, le=1)
    """Tokens of a reply, on average, over those it may have; so near to 1 most are cut off."""
    reply_growth: float = Field(3.0, gt=1)
    """Replies explode at so many times their length in the first update, and shrink at that length over this."""
    rise: float = Field(0.25, gt=0, le=1)
    """How far the share of truncated or of invalid episodes may rise above that of the first update."""
    grad_norm: float = Field(5.0, gt=1)
    """The gradient's norm over its running median. A published collapse went from 0.3 to 2.9 (arXiv 2510.10197)."""
    moved: float = Field(0.01, ge=0, le=1)
    """Share of the trained weights that a step changes, where the learning rate is above 0. Nearly all of them change
    in a healthy run; of an adapter half in the first step."""
    mismatch: float | None = Field(None, gt=0)
    """Difference of a token's log-probability between sampler and learner with the same weights. None: 1e-3 in
    float32, where the embedded engine differs by 1e-5 or less, 5e-2 in bfloat16, which has three digits, and 0.5 with
    an ``engine.dtype`` that is not the model's: tokens of a pretrained model then differ by up to 0.27."""
    staleness: float = Field(8.0, ge=0)
    """Mean age, in versions of the weights, of what is trained on."""
    forward_kl: float | None = Field(None, gt=0)
    """KL(base ‖ policy) of a token beyond two standard errors. None: 0.5 for a pretrained model, of whose tokens the
    policy has then given up 40 %; no bound for a model made from nothing, which has nothing to forget."""
    void: float = Field(0.05, ge=0, le=1)
    """Share of episodes that are void because their environment broke."""
    unshaped: float = Field(0.05, ge=0, le=1)
    """Share of episodes that are not learned from because a reward could not be judged."""
