"""Whether the engine samples from the weights that it says it does.

After every update the engine and the learner score the same few tokens. With the same weights they differ by the
arithmetic alone; an engine that is a version behind, or that kept keys and values of older weights, differs by far
more, whatever the age of the episodes that are trained on.
"""

from __future__ import annotations

import numpy as np

from agentgym.engine import Engine, Prompt
from agentgym.learn.learner import Learner
from agentgym.learn.rows import Row
from agentgym.vision import forbidden

__all__ = ["engine_gap"]


async def engine_gap(engine: Engine, learner: Learner, prompt: Prompt) -> float:
    """The largest difference of a token's log-probability, at temperature 1, between engine and learner, in nats.

    Tokens that stand for images are left out: neither would sample them.
    """
    ids = list(prompt.token_ids)
    zeros, shown = np.zeros(len(ids)), [media.digest for media in prompt.media]
    row = Row(
        token_ids=ids,
        loss_mask=np.ones(len(ids), np.bool_),
        behavior_logprobs=zeros,
        advantages=zeros,
        media=shown,
    )
    sampled = await engine.score(prompt) if ids else []
    (learned,) = learner.score([row])
    said = ~np.isin(ids, forbidden(learner.module.config))[1:]
    return float(np.abs(np.asarray(sampled) - learned)[1:][said].max(initial=0.0))
