"""Sampling from a part of the vocabulary: which tokens are kept, by hand."""

from __future__ import annotations

import asyncio
import math

import pytest
import torch

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.actors.embedded.sampling import truncated
from agentgym.engine import Prompt, Sampling
from tests.kit import one_thread, tiny_model

__all__ = ["one_thread"]

PROBABILITIES = [0.05, 0.4, 0.3, 0.05, 0.2]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"top_k": 1}, [1]),
        ({"top_k": 3}, [1, 2, 4]),
        ({"top_k": 99}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.4}, [1]),  # the first alone has this much
        ({"top_p": 0.41}, [1, 2]),
        ({"top_p": 0.9}, [1, 2, 4]),
        ({"top_p": 1e-9}, [1]),
        ({"min_p": 0.5}, [1, 2, 4]),
        ({"min_p": 0.7}, [1, 2]),
        ({"min_p": 1.0}, [1]),
        ({"top_k": 3, "top_p": 0.5}, [1, 2]),  # of 0.4, 0.3, 0.2 the first has 0.44
        ({"top_k": 2, "min_p": 0.8}, [1]),
    ],
)
def test_what_is_kept_is_renormalized(filters: dict[str, float], kept: list[int]) -> None:
    sampling = Sampling(**filters)  # type: ignore[arg-type]
    assert sampling.is_truncated or filters == {"top_k": 99}
    found = truncated(torch.tensor(PROBABILITIES).log(), sampling).exp().tolist()
    total = sum(PROBABILITIES[i] for i in kept)
    expected = [p / total if i in kept else 0.0 for i, p in enumerate(PROBABILITIES)]
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_engine_samples_the_kept_and_reports_their_log_probabilities() -> None:
    module = tiny_model()
    prompt = [3, 1, 4]

    async def sampled(**filters: float) -> list[tuple[int, float]]:
        engine = EmbeddedEngine(module, max_sessions=64)
        requests = [
            engine.generate(Prompt(prompt), Sampling(max_tokens=1, seed=n, **filters), session=str(n))  # type: ignore[arg-type]
            for n in range(64)
        ]
        return [(c.token_ids[0], c.logprobs[0]) for c in await asyncio.gather(*requests)]

    with torch.no_grad():
        logprobs = module(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
    best = logprobs.argsort(descending=True)[:2].tolist()
    found = asyncio.run(sampled(top_k=2))
    assert {token for token, _ in found} == set(best)
    total = math.log(sum(math.exp(logprobs[i]) for i in best))
    for token, logprob in found:
        assert logprob == pytest.approx(float(logprobs[token]) - total, abs=1e-4)
    assert len({token for token, _ in asyncio.run(sampled())}) > 2


def test_without_filters_nothing_is_left_out() -> None:
    assert not Sampling().is_truncated
    assert not Sampling(top_p=1.0, top_k=0, min_p=0.0).is_truncated
