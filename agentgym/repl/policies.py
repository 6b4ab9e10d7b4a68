"""From the name of a model to a policy that can be watched: a run, a model, or ``openai:URL`` for one of a server."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from agentgym.config import Choice
from agentgym.repl.policy import EnginePolicy

if TYPE_CHECKING:
    from agentgym.launch.parts import Parts

__all__ = ["opened", "policy_of"]


@asynccontextmanager
async def opened(
    model: str, settings: Mapping[str, Any], *, seed: int, temperature: float
) -> AsyncIterator[tuple[EnginePolicy, Choice]]:
    """The policy of ``model``, and the environment that its settings choose. Raises UserError where there is none."""
    from agentgym.launch.early import refuse_unplayable
    from agentgym.launch.resolving import settings_for
    from agentgym.launch.settings import PolicySettings

    chosen = settings_for(settings, model, seed=seed, kind=PolicySettings, note=_warn)
    await refuse_unplayable(chosen)
    from agentgym.launch.parts import assembled  # torch

    async with assembled(chosen) as parts:
        yield policy_of(parts, model, seed=seed, temperature=temperature), chosen.env


def policy_of(parts: Parts, name: str, *, seed: int, temperature: float) -> EnginePolicy:
    """The policy of what is assembled."""
    return EnginePolicy(
        parts.engine,
        parts.policy.tokenizer,
        parts.protocol,
        temperature=temperature,
        max_tokens=parts.limits.max_reply_tokens,
        seed=seed,
        name=name,
        rollout=parts.rollout,
    )


def _warn(text: str) -> None:
    print(text, file=sys.stderr)
