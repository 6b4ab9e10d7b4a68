"""Whether the engine samples from the weights that it says it does.

After every update the engine and the learner score the same few tokens. With the same weights they differ by the
arithmetic alone; an engine that is a version behind, or that kept keys and values of older weights, differs by far
more, whatever the age of the episodes that are trained on.
"""

from __future__ import annotations

from itertools import compress

from agentgym.engine import Engine
from agentgym.learn.forward import score
from agentgym.learn.learner import Learner
from agentgym.learn.rows import Row
from agentgym.types import Prompt
from agentgym.vision import forbidden

__all__ = ["engine_gap"]


async def engine_gap(engine: Engine, learner: Learner, prompt: Prompt) -> float:
    """The largest difference of a token's log-probability, at temperature 1, between engine and learner, in nats."""
    ids, unsaid = list(prompt.token_ids), forbidden(learner.module.config)
    zeros = [0.0] * len(ids)
    shown = [media.digest for media in prompt.media]
    row = Row(token_ids=ids, loss_mask=[True] * len(ids), behavior_logprobs=zeros, advantages=zeros, media=shown)
    sampled = await engine.score(prompt)
    (learned,) = score(learner.module, [row], max_tokens=learner.max_microbatch_tokens)
    said = [token not in unsaid for token in ids[1:]]
    gaps = (abs(one - other) for one, other in zip(sampled[1:], learned[1:], strict=True))
    return max(compress(gaps, said), default=0.0)
