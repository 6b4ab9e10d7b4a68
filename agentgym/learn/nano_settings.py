"""Size of the nano policy, and what a run with it wants where the user says nothing; read without torch.

What it wants of a trainer, and an engine of it, is in that trainer's or engine's own ``nano``.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from agentgym.config import Settings

__all__ = ["WISHES", "NanoConfig"]


class NanoConfig(Settings):
    """Size of the nano policy."""

    width: int = Field(96, ge=8)
    """Size of the residual stream; a multiple of ``heads``."""
    layers: int = Field(2, ge=2)
    """Number of layers: copying takes two."""
    heads: int = Field(2, ge=2)
    """Attention heads a layer; few and wide, since a head matches words in its own share of the width."""
    feed_forward: int = Field(256, ge=1)
    """Hidden size of the feed-forward blocks."""
    max_context: int = Field(2048, ge=1)
    """Longest sequence, in tokens."""
    max_vocabulary: int = Field(4096, ge=1)
    """Words kept, most frequent first."""
    image_size: int = Field(32, ge=8)
    """Side of the square, in pixels, that pictures are brought to, in an environment that shows some."""
    patch_size: int = Field(8, ge=1)
    """Side of the square that one token sees; it divides ``image_size``."""
    vision_layers: int = Field(1, ge=1)
    """Layers of the part that sees."""

    @model_validator(mode="after")
    def _heads_fit(self) -> NanoConfig:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} must be a multiple of twice the heads ({self.heads})")
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} must be a multiple of patch_size ({self.patch_size})")
        return self


WISHES: dict[str, Any] = {
    "rewards": {"success": {"weight": 2.0}},
    "threads": 1,
    "protocol": {"id": "plain"},
    "warm_start": {"demonstrations": 3000},
    "rollout": {"max_reply_tokens": 24, "max_invalid_actions": 3, "concurrency": 128},
}
"""Settings of the run, by group: a small policy made from nothing has little to say and gains little by threads.

An episode goes on after an action without effect: one that ended there would teach not to try what is hard to spell.
"""
