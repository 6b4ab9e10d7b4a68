"""Whether the engine samples from the weights that it says it does.

After every update the engine and the learner score the same few tokens. With the same weights they differ by the
arithmetic alone; an engine that is a version behind, or that kept keys and values of older weights, differs by far
more, whatever the age of the episodes that are trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agentgym.engine import Engine
from agentgym.learn.forward import score
from agentgym.learn.learner import Learner
from agentgym.learn.rows import Row

__all__ = ["engine_gap"]


async def engine_gap(engine: Engine, learner: Learner, token_ids: Sequence[int]) -> float:
    """The largest difference of a token's log-probability, at temperature 1, between engine and learner, in nats.

    All processes that learn together call it, also one without tokens: 0 there.
    """
    ids = list(token_ids)
    zeros = np.zeros(len(ids))
    row = Row(token_ids=ids, loss_mask=np.ones(len(ids), np.bool_), behavior_logprobs=zeros, advantages=zeros)
    sampled = await engine.score(ids) if ids else []
    (learned,) = score(learner.module, [row], max_tokens=learner.max_microbatch_tokens, world=learner.world)
    return float(np.abs(np.asarray(sampled) - learned)[1:].max(initial=0.0))
