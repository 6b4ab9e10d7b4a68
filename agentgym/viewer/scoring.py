"""What the policy that a run kept makes of the tokens of an episode: how likely they are now, and how sure it was."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agentgym.errors import UserError
from agentgym.learn.head import outputs_of
from agentgym.learn.policy import load_policy
from agentgym.types import Sample

__all__ = ["scores"]

_ONE_AT_A_TIME = threading.Lock()


def scores(policy: Path, sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log-probability of each token given those before it, and entropy of what could have been in its place, in nats.

    Both are 0 for the first token. Raises UserError where there is no policy, or the tokens stand for images.
    """
    if not policy.is_dir():
        raise UserError(f"there is no {policy}: entropy and behavior gap come from the policy that a run kept")
    if sample.media:
        raise UserError("this episode shows images, and what a policy makes of them is not computed here")
    with _ONE_AT_A_TIME, torch.no_grad():
        module = _loaded(policy.resolve())
        ids = torch.from_numpy(sample.token_ids.astype(np.int64)).to(module.device)
        if len(ids) < 2:
            return np.zeros(len(ids), np.float32), np.zeros(len(ids), np.float32)
        logits = module(input_ids=ids[None]).logits[0, :-1]
        logprobs, entropies, _ = outputs_of(logits, ids[1:], 1.0)
    return _behind_first(logprobs), _behind_first(entropies)


def _behind_first(values: torch.Tensor) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(1, np.float32), values.float().cpu().numpy()])


@functools.lru_cache(maxsize=1)
def _loaded(policy: Path) -> Any:
    return load_policy(policy).module
