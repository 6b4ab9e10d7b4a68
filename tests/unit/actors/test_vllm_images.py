"""Images on vLLM: the same numbers as the module's, of old and new weights, and nothing else than what is shown."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from agentgym import vision
from agentgym.engine import Prompt, Sampling
from agentgym.errors import ConfigError, EngineError
from agentgym.learn.policy import Policy
from agentgym.media import as_media
from agentgym.types import Media
from agentgym.weights import weights_of
from tests import seeing
from tests.kit import one_thread as one_thread
from tests.unit.actors.test_vllm import begun, perturb, run

pytestmark = pytest.mark.vllm

CLOSE = 1e-5
IMAGES = [as_media(seeing.picture(i, *size)) for i, size in enumerate([(32, 48), (48, 16), (32, 48)])]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return seeing.policy("idefics3")


@pytest.fixture(scope="module")
def engine(policy: Policy, one_thread: None) -> Iterator[Any]:
    from agentgym.actors.vllm import VLLMEngine

    made = VLLMEngine(policy.module, max_context=256, max_sessions=4, kv_cache_gib=0.1)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.close())


def prompt_of(policy: Policy, *shown: Media) -> Prompt:
    """Words, and the images among them."""
    images = vision.images_of(policy.module)
    assert images is not None
    ids = [5, 6]
    for number, media in enumerate(shown):
        ids += [*images.seen(media).token_ids, 7 + number, 11]
    return Prompt(ids, shown)


@torch.inference_mode()
def logprobs_of(policy: Policy, prompt: Prompt, more: Sequence[int] = ()) -> list[float]:
    """Straight from the module: log-probability of every token but the first, with none for those that mean images."""
    images = vision.images_of(policy.module)
    assert images is not None
    ids = [*prompt.token_ids, *more]
    seen = [images.seen(media) for media in prompt.media]
    shown = vision.given(policy.module, vision.encode(policy.module, seen))
    logits = policy.module(input_ids=torch.tensor([ids]), use_cache=False, **shown).logits[0, :-1]
    table = vision.forbid(logits, vision.forbidden(policy.module.config)).log_softmax(-1)
    return [float(table[i, token]) for i, token in enumerate(ids[1:])]


def apart(policy: Policy, engine: Any, prompt: Prompt, name: str) -> float:
    """The largest difference of sampled tokens' log-probabilities."""
    completion = run(lambda: engine.generate(prompt, Sampling(max_tokens=8), session=name))
    engine.release(name)
    wanted = logprobs_of(policy, prompt, completion.token_ids)[-8:]
    return float(np.abs(np.subtract(completion.logprobs, wanted)).max())


def test_what_is_sampled_has_the_module_s_probabilities_after_each_update(policy: Policy, engine: Any) -> None:
    prompts = [prompt_of(policy, *IMAGES[:number]) for number in (0, 1, 2, 3)]
    for version in range(3):
        for prompt in prompts:
            assert apart(policy, engine, prompt, f"{version}") < CLOSE
        perturb(policy.module, version)
        run(functools.partial(engine.update_weights, version + 1, weights_of(policy.module)))
    for prompt in prompts:
        assert apart(policy, engine, prompt, "end") < CLOSE


def test_what_is_seen_matters(policy: Policy, engine: Any) -> None:
    """Another picture of the same size, under its own name: no features and no keys of the other are found again."""
    one, other = prompt_of(policy, IMAGES[0]), prompt_of(policy, IMAGES[2])
    assert list(one.token_ids) == list(other.token_ids)
    scores = [run(functools.partial(engine.score, prompt)) for prompt in (one, other)]
    for prompt, score in zip((one, other), scores, strict=True):
        assert score[1:] == pytest.approx(logprobs_of(policy, prompt), abs=CLOSE, rel=1e-6)  # some are of -1e4
    assert np.abs(np.subtract(*scores)).max() > 1e-3


def test_a_turn_computes_what_is_new(policy: Policy, engine: Any) -> None:
    """The picture of the turn before is found again with the words around it, up to whole blocks."""
    first = prompt_of(policy, *IMAGES)
    said = run(lambda: engine.generate(first, Sampling(max_tokens=8), session="turns"))
    before = engine.prefill_tokens
    ids = [*first.token_ids, *said.token_ids, 3, 4]
    run(lambda: engine.generate(Prompt(ids, first.media), Sampling(max_tokens=2), session="turns"))
    engine.release("turns")
    assert engine.prefill_tokens - before <= 32 + 10


def test_an_update_under_way_shows_the_images_again(policy: Policy, engine: Any) -> None:
    prompt = prompt_of(policy, IMAGES[1])

    def ask() -> list[asyncio.Future[Any]]:
        return [asyncio.ensure_future(engine.generate(prompt, Sampling(max_tokens=128), session="long"))]

    async def go() -> Any:
        [asked] = await begun(engine, 4, ask)
        perturb(policy.module, 50)
        await engine.update_weights(engine.policy_version + 1, weights_of(policy.module))
        return await asked

    completion = run(go)
    engine.release("long")
    new = max(completion.policy_versions)
    assert min(completion.policy_versions) < new
    begins = completion.policy_versions.index(new)
    wanted = logprobs_of(policy, prompt, completion.token_ids)[-128:]
    assert completion.logprobs[begins:] == pytest.approx(wanted[begins:], abs=CLOSE)


def test_a_token_that_means_an_image_has_no_probability(policy: Policy, engine: Any) -> None:
    """What is sampled comes from the same logits as what is scored."""
    prompt = prompt_of(policy, IMAGES[0])
    scores = dict(zip(prompt.token_ids, run(lambda: engine.score(prompt)), strict=True))
    [image] = vision.forbidden(policy.module.config)
    assert scores.pop(image) < -1000
    assert min(scores.values()) > -100


def test_a_session_does_not_go_on_with_another_picture(policy: Policy, engine: Any) -> None:
    prompt = prompt_of(policy, IMAGES[0])
    said = run(lambda: engine.generate(prompt, Sampling(max_tokens=2), session="same"))
    ids = [*prompt.token_ids, *said.token_ids, 3]
    with pytest.raises(EngineError, match="do not extend"):
        run(lambda: engine.generate(Prompt(ids, [IMAGES[2]]), Sampling(max_tokens=2), session="same"))
    run(lambda: engine.generate(Prompt(ids, [IMAGES[0]]), Sampling(max_tokens=2), session="same"))
    engine.release("same")


@pytest.mark.parametrize("shown", [(), (IMAGES[0], IMAGES[2])], ids=["fewer", "more"])
def test_images_that_are_not_what_the_tokens_show_are_refused(
    shown: tuple[Media, ...], policy: Policy, engine: Any
) -> None:
    prompt = Prompt(prompt_of(policy, IMAGES[0]).token_ids, shown)
    with pytest.raises(EngineError, match=f"{len(shown)} images have"):
        run(lambda: engine.generate(prompt, Sampling(max_tokens=2), session="misfit"))
    with pytest.raises(EngineError, match=f"{len(shown)} images have"):
        run(lambda: engine.score(prompt))


def test_a_model_that_vllm_has_no_part_for_is_told() -> None:
    from agentgym.actors.vllm.images import image_settings

    with pytest.raises(ConfigError, match=r"part for Eyes, .* \(there is none\); .* --engine embedded"):
        image_settings("Eyes", "cpu")
