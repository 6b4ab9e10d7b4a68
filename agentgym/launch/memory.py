"""Whether a run fits in memory, told before it begins."""

from __future__ import annotations

from typing import Any

from agentgym.launch.assemble import Parts
from agentgym.launch.settings import TrainSettings
from agentgym.learn import footprint
from agentgym.learn.trainer import TrainerSettings

__all__ = ["refuse_too_large"]


def refuse_too_large(settings: TrainSettings, parts: Parts, trainer: TrainerSettings) -> str:
    """What training will take beside the weights, which are there already, in words.

    The engine's cache grows with the episodes: it is counted for ``engine.max_context`` where that is given, and
    else for sequences that fill a microbatch. Raises UserError, naming what to lower, when there is less.
    """
    module: Any = parts.policy.module
    given = settings.engine.options.get("max_context")
    needed = footprint.estimate(
        module.config,
        num_parameters=parts.policy.num_parameters,
        num_trained=sum(p.numel() for p in module.parameters() if p.requires_grad),
        max_microbatch_tokens=trainer.max_microbatch_tokens,
        max_context=given or min(parts.engine.max_context, trainer.max_microbatch_tokens),
        sessions=settings.rollout.concurrency,
        element_size=next(module.parameters()).element_size(),
        autocast=trainer.precision == "bfloat16",
        gradient_checkpointing=trainer.gradient_checkpointing,
        on_cpu=module.device.type == "cpu",
    )
    del needed["weights"]
    footprint.check_fits(needed, module.device)
    parts_told = ", ".join(f"{name} {footprint.told(size)}" for name, size in needed.items() if size)
    return f"memory beside the weights: about {footprint.told(sum(needed.values()))} at most ({parts_told})"
