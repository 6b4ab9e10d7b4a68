"""What a model can be told: the nano policy, or one that is loaded; read without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from agentgym.config import Settings
from agentgym.learn.nano_settings import NanoConfig

__all__ = ["HFSettings", "model_settings"]


class HFSettings(Settings):
    """Options of ``--model`` when it is a Hugging Face id or a directory."""

    lora: bool = False
    """Train a low-rank adapter instead of all weights (arXiv 2106.09685); --lora for short."""
    lora_rank: int = Field(16, ge=1)
    """Rank of the adapter."""
    device: str = "auto"
    """A torch device; "auto" takes a GPU if there is one."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights. Those of bfloat16 are trained in float32 copies, which take 18 bytes a weight, not 16."""

    @model_validator(mode="after")
    def _has_effect(self) -> HFSettings:
        if "lora_rank" in self.model_fields_set and not self.lora:
            raise ValueError("lora_rank has no effect without LoRA; add --lora")
        return self


def model_settings(id: str) -> type[Settings]:
    """Settings of the model of that id."""
    return NanoConfig if id == "nano" else HFSettings
