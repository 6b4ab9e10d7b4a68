"""The critic: the policy's trunk with one number in place of the output head.

The trunk is a copy of the policy and is trained on its own; the head begins at zero, so that the first values
are 0 and the first advantages plain returns. Under LoRA the copy has the adapter, and only that and the head learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from agentgym.learn.batch import Microbatch
from agentgym.learn.distributed import ALONE, World, share_of
from agentgym.learn.forward import predictive_hidden
from agentgym.learn.rows import Row
from agentgym.learn.settings import Sharing
from agentgym.learn.sharding import computing
from agentgym.learn.sharing import shares

__all__ = ["Critic", "estimate", "values"]


class Critic(torch.nn.Module):
    """Estimates the return that follows each prefix of a sequence. ``policy`` becomes its own: give it a clone."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.trunk = policy.get_base_model() if hasattr(policy, "get_base_model") else policy
        self.trunk.set_output_embeddings(torch.nn.Identity())
        self.head = torch.nn.Linear(self.trunk.config.get_text_config().hidden_size, 1)
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)
        self.to(policy.device)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.head.weight.device


def values(critic: Critic, batch: Microbatch) -> torch.Tensor:
    """Its estimates [N] of the return from each trained token on, made before the token."""
    hidden_ND = predictive_hidden(critic.trunk, batch)
    estimates: torch.Tensor = critic.head(hidden_ND.to(critic.head.weight.dtype))[:, 0]
    return estimates


@torch.no_grad()
def estimate(
    critic: Critic, rows: Sequence[Row], *, max_tokens: int, world: World = ALONE, share_prefixes: Sharing = "off"
) -> list[float]:
    """Write ``values`` into ``rows``, for every token; returns the estimate after each row's last token.

    That one is what an episode goes on with that was cut short there. All of ``world`` call it with the same rows.
    """
    everywhere = [_everywhere(row) for row in rows]
    found = [np.zeros(len(row.token_ids), np.float32) for row in rows]
    shared = shares(critic, everywhere, share_prefixes)
    with computing(critic):
        for batch in share_of(world, everywhere, [1.0] * len(rows), max_tokens=max_tokens, shares=shared):
            for index, after in batch.per_row(values(critic, batch.to(critic.device))):  # after each token of the row
                found[index] = after
    found = world.put_together(found, critic.device)
    for row, after in zip(rows, found, strict=True):
        row.values = np.concatenate([[np.float32(0)], after[:-1]])
    return [float(after[-1]) for after in found]


def _everywhere(row: Row) -> Row:
    """``row`` and one more token, each of them looked at."""
    ids = np.append(row.token_ids, np.int32(0))
    zeros = np.zeros(len(ids))
    return Row(
        token_ids=ids,
        loss_mask=np.ones(len(ids), np.bool_),
        behavior_logprobs=zeros,
        advantages=zeros,
        media=row.media,
        episode=row.episode,
    )
