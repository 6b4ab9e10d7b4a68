"""Models that see: sampler and learner agree, whatever is shown when, and what does not fit is refused."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import agentgym
from agentgym import vision
from agentgym.actors.embedded import EmbeddedEngine
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import DataError, EngineError, UserError
from agentgym.learn import forward
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.learner import Learner
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.rows import Row, rows_of
from agentgym.media import as_media
from agentgym.processor import Images
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Observation, Trajectory
from tests import seeing
from tests.kit import tiny_model

EACH = pytest.mark.parametrize("family", seeing.FAMILIES)
CLOSE = 1e-5


class Gallery(agentgym.Env):
    """Shows none, one or two pictures a turn, of several sizes; the first one is the same for everybody."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.turn = 0
        return Observation("Look.", images=[seeing.picture(0)]), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        number = int(self.np_random.integers(3)) if self.turn < 4 else 2
        sizes = [(32, 32), (48, 16), (16, 64)]
        images = [seeing.picture(int(self.np_random.integers(5)), *sizes[i]) for i in range(number)]
        seen = Observation(f"You said {len(action)} letters.", images=images)
        return seen, float(len(action) % 2), self.turn == 4, False, {}


@functools.cache
def policy_of(family: str) -> Policy:
    return seeing.policy(family)


def played(policy: Policy, num: int, *, engine: EmbeddedEngine | None = None, group: int = 2) -> list[Trajectory]:
    """Episodes of the gallery, two members a task."""

    async def go() -> list[Trajectory]:
        sampler = engine or EmbeddedEngine(policy.module, max_sessions=num)
        rollout = Rollout(
            Gallery,
            policy.tokenizer,
            Plain(),
            limits=Limits(max_reply_tokens=5),
            max_context=sampler.max_context,
        )
        specs = [
            EpisodeSpec(
                task=i // group, seed=i // group, member=i % group, group_id=f"{i // group}", episode_id=f"e{i}"
            )
            for i in range(num)
        ]
        actor = engine_actor(sampler, temperature=1.0)
        episodes = await rollout.run(specs, actor, release=sampler.release)
        await rollout.close()
        await sampler.close()
        return episodes

    return asyncio.run(go())


@functools.cache
def episodes_of(family: str) -> list[Trajectory]:
    return played(policy_of(family), 6)


def rows(episodes: Sequence[Trajectory]) -> list[Row]:
    return [row for episode in episodes for row in rows_of(episode, 1.0)]


def gap(policy: Policy, episodes: Sequence[Trajectory], **options: Any) -> float:
    """The largest difference of a sampled token's log-probability between sampler and learner."""
    wanted = rows(episodes)
    found = forward.score(policy.module, wanted, **options)
    pairs = zip(wanted, found, strict=True)
    return max(float(np.abs(row.behavior_logprobs - logprobs)[row.loss_mask].max()) for row, logprobs in pairs)


@EACH
def test_sampler_and_learner_agree(family: str) -> None:
    policy, episodes = policy_of(family), episodes_of(family)
    shown = [len(sample.media) for episode in episodes for sample in episode.samples]
    assert max(shown) >= 3
    assert min(shown) >= 1
    assert gap(policy, episodes) < CLOSE
    assert gap(policy, episodes, max_tokens=1) < CLOSE  # each sequence alone, in rows of one length
    for row, other in zip(rows(episodes), forward.score(policy.module, rows(episodes)), strict=True):
        assert max(other) > min(other)
        assert len(other) == len(row.token_ids)


@EACH
def test_padded_and_packed_agree(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, episodes = policy_of(family), episodes_of(family)
    packs = []
    real = forward._packs
    monkeypatch.setattr(forward, "_packs", lambda module, batch: packs.append(real(module, batch)))
    assert gap(policy, episodes) < CLOSE
    assert True in packs, "the family is packed where it may be"


@EACH
def test_what_is_seen_matters(family: str) -> None:
    """With other pictures in their place the same words have other probabilities."""
    policy, episodes = policy_of(family), episodes_of(family)
    blank = as_media(np.full((32, 48, 3), 90, np.uint8))
    policy.tokenizer.store.put(blank)
    one = rows(episodes)[:1]
    before = forward.score(policy.module, one)
    one[0].media = [blank.digest, *one[0].media[1:]]
    after = forward.score(policy.module, one)
    assert max(abs(a - b) for a, b in zip(before[0], after[0], strict=True)) > 1e-3


@EACH
def test_gradients_reach_the_eyes(family: str) -> None:
    policy = seeing.policy(family)
    episodes = played(policy, 2)
    learner = Learner(policy.module, learning_rate=1e-3)
    before = {name: value.clone() for name, value in policy.module.state_dict().items()}
    learner.update(rows(episodes), lambda p, b: (-b.advantages_N * p.logprobs_N, {}))
    moved = {name for name, value in policy.module.state_dict().items() if not torch.equal(value, before[name])}
    assert any("vis" in name and "patch_embed" in name for name in moved)


@EACH
def test_new_weights_are_seen_with(family: str) -> None:
    """Features of images are those of the weights that sample."""
    policy = seeing.policy(family)

    async def go() -> tuple[list[float], list[float]]:
        engine = EmbeddedEngine(policy.module)
        prompt = shown(policy, "What?", seeing.picture(1))
        sampling = Sampling(max_tokens=4, seed=1)
        await engine.generate(prompt, sampling, session="a")
        with torch.no_grad():
            for parameter in policy.module.parameters():
                parameter.mul_(1.3)
        await engine.update_weights(1, policy.weights())
        said = await engine.generate(prompt, sampling, session="a")
        fresh = EmbeddedEngine(policy.module)
        scored = await fresh.score(Prompt([*prompt.token_ids, *said.token_ids], prompt.media))
        return said.logprobs, scored[len(prompt.token_ids) :]

    sampled, scored = asyncio.run(go())
    assert sampled == pytest.approx(scored, abs=CLOSE)


def shown(policy: Policy, text: str, *images: Any) -> Prompt:
    """A prompt of one message."""
    stream = TokenStream(policy.tokenizer)
    stream.extend([Plain().show(Observation(text, images=list(map(as_media, images))))])
    for image in stream.prompt.media:
        policy.tokenizer.store.put(image)
    return stream.prompt


@EACH
def test_saved_and_loaded_it_sees_the_same(family: str, tmp_path: Path) -> None:
    policy = policy_of(family)
    policy.save(tmp_path)
    loaded = load_policy(tmp_path, device="cpu")
    assert type(loaded.module) is type(policy.module)
    prompts = [shown(one, "What is it?", seeing.picture(3)) for one in (policy, loaded)]
    assert prompts[0] == prompts[1]

    async def scores(one: Policy) -> list[float]:
        return await EmbeddedEngine(one.module).score(prompts[0])

    assert asyncio.run(scores(policy)) == pytest.approx(asyncio.run(scores(loaded)), abs=CLOSE)


@EACH
def test_an_image_token_is_never_sampled(family: str) -> None:
    policy = seeing.policy(family)
    images = policy.tokenizer.images
    assert images is not None
    with torch.no_grad():  # what such a token would say next is all that the head has
        policy.module.get_output_embeddings().weight[images.token_id] = 50.0

    async def go() -> list[int]:
        engine = EmbeddedEngine(policy.module)
        prompt = shown(policy, "What?", seeing.picture(1))
        asked = (
            engine.generate(prompt, Sampling(max_tokens=20, seed=i, temperature=t), session=f"{i}{t}")
            for i in range(8)
            for t in (0.0, 1.0, 3.0)
        )
        return [token for said in await asyncio.gather(*asked) for token in said.token_ids]

    assert not set(asyncio.run(go())) & set(vision.forbidden(policy.module.config))
    assert gap(policy, played(policy, 2)) < CLOSE


# -- placeholders -----------------------------------------------------------------------------------------


@EACH
def test_placeholders_expand_and_collapse(family: str) -> None:
    policy = policy_of(family)
    images = policy.tokenizer.images
    assert images is not None
    pictures = [as_media(seeing.picture(i, *size)) for i, size in enumerate([(32, 32), (48, 16), (32, 32)])]
    prompt = shown(policy, "a", *pictures)
    bare = images.collapsed(prompt.token_ids, pictures)
    assert bare.count(images.token_id) == 3
    assert images.expanded(bare, pictures) == prompt.token_ids
    with pytest.raises(DataError, match=r"3 placeholders .* for 2 images"):
        images.expanded(bare, pictures[:2])


@EACH
def test_text_that_looks_like_an_image_is_none(family: str) -> None:
    policy = policy_of(family)
    images = policy.tokenizer.images
    assert images is not None
    for marker in images.markers:
        prompt = shown(policy, f"see {marker} here", seeing.picture(0))
        plain = shown(policy, "see here", seeing.picture(0))
        assert list(prompt.token_ids).count(images.token_id) == list(plain.token_ids).count(images.token_id)
        said = {"role": "assistant", "content": f"I see {marker}"}
        assert images.placeholder not in policy.tokenizer.render([said]) or marker != images.placeholder


def test_another_image_in_the_same_place_forks_the_stream() -> None:
    policy = policy_of("qwen2_5_vl")
    stream = TokenStream(policy.tokenizer)
    first, second = (Plain().show(Observation("a", images=[as_media(seeing.picture(i))])) for i in (0, 1))
    stream.extend([first])
    ids = [*policy.tokenizer.encode("hm"), policy.tokenizer.stop_token_ids[0]]
    stream.append(Completion(token_ids=ids, logprobs=[0.0] * 3, policy_versions=[0] * 3, finish_reason="stop"))
    said = Plain().said("hm")
    stream.extend([first, said, second])
    assert stream.num_forks == 0
    assert stream.samples[0].media == [as_media(seeing.picture(i)).digest for i in (0, 1)]
    stream.extend([second, said, second])
    assert stream.num_forks == 1
    assert stream.samples[1].media == [as_media(seeing.picture(1)).digest] * 2


def test_a_template_that_leaves_images_out_of_tool_messages_gets_them_in_a_user_message() -> None:
    images = policy_of("qwen2_5_vl").tokenizer.images
    assert images is not None
    hf = byte_tokenizer(
        seeing.QWEN_TEMPLATE.replace(
            "{% if m['content'] is string %}",
            "{% if m['role'] == 'tool' %}{{ m['content'] }}{% elif m['content'] is string %}",
        ),
        reserved=seeing._QWEN_TOKENS,
    )
    tokenizer = ChatTokenizer(hf, images)
    media = as_media(seeing.picture(0))
    parts = [{"type": "image", "image": media}, {"type": "text", "text": "done"}]
    text = tokenizer.render([{"role": "user", "content": "go"}, {"role": "tool", "content": parts}])
    assert "<|im_start|>tool\ndone<|im_end|>" in text
    assert "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|><|im_end|>" in text


def test_a_template_without_images_is_refused() -> None:
    images = policy_of("qwen2_5_vl").tokenizer.images
    with pytest.raises(UserError, match="leaves images out"):
        ChatTokenizer(byte_tokenizer(reserved=seeing._QWEN_TOKENS), images)


# -- what does not fit ------------------------------------------------------------------------------------


def test_image_tokens_that_are_not_the_images_stop_the_run_and_say_where() -> None:
    policy, episodes = policy_of("qwen2_5_vl"), episodes_of("qwen2_5_vl")
    row = max(rows(episodes), key=lambda row: len(row.media))
    small = as_media(seeing.picture(0, 16, 16))
    policy.tokenizer.store.put(small)
    row.media = [row.media[0], small.digest, *row.media[2:]]
    with pytest.raises(DataError, match=rf'episode "{row.episode}", turn \d: \d+ image tokens .* the image has \d'):
        forward.score(policy.module, [row])
    row.media = row.media[:1]
    with pytest.raises(DataError, match="the image has 0 features"):
        forward.score(policy.module, [row])
    large, alone = as_media(seeing.picture(0, 64, 64)), rows(episodes)[0]
    policy.tokenizer.store.put(large)
    alone.media = [large.digest, *alone.media[1:]]
    with pytest.raises(DataError, match=r"turn 0: 6 image tokens in a row, the image has 16 features"):
        forward.score(policy.module, [alone])


def test_a_model_that_sees_nothing_refuses_images() -> None:
    blind = tiny_model(50)
    prompt = Prompt([1, 2], [as_media(seeing.picture(0))])
    with pytest.raises(EngineError, match="1 images came for a Qwen2ForCausalLM, which sees none"):
        asyncio.run(EmbeddedEngine(blind).score(prompt))
    columns = {"token_ids": [1, 2], "loss_mask": [False, True], "behavior_logprobs": [0, 0], "advantages": [0, 0]}
    row = Row.model_validate(columns)
    with pytest.raises(DataError, match="a Qwen2ForCausalLM sees none"):
        forward.score(blind, [row.model_copy(update={"media": ["a"]})])


def test_a_prompt_whose_tokens_are_not_its_images_is_refused() -> None:
    policy = policy_of("llava")
    images = policy.tokenizer.images
    assert images is not None
    ids, media = shown(policy, "a", seeing.picture(0))
    cut = list(ids)[list(ids).index(images.token_id) + 1 :]
    engine = EmbeddedEngine(policy.module)
    for wrong in (Prompt(cut, media), Prompt(ids, [*media, *media]), Prompt([*ids, images.token_id])):
        with pytest.raises(
            EngineError, match=r"\d images have \d+ tokens, the prompt has 1\d and must not end with one"
        ):
            asyncio.run(engine.score(wrong))


def test_a_model_whose_features_are_not_counted_by_its_processor_is_refused() -> None:
    policy = seeing.policy("llava")
    processor = policy.tokenizer.images.processor  # type: ignore[union-attr]
    processor.patch_size = 16
    with pytest.raises(
        UserError, match="its processor writes 4 tokens for an image, its vision part gives 16 features"
    ):
        vision.attach(policy.module, Images(processor))


# -- branches ---------------------------------------------------------------------------------------------


async def alone(policy: Policy, prompt: Prompt, seed: int) -> Completion:
    """What an engine says that computes everything itself."""
    return await EmbeddedEngine(policy.module).generate(prompt, Sampling(max_tokens=3, seed=seed), session="s")


def assert_same(found: Completion, expected: Completion) -> None:
    assert found.token_ids == expected.token_ids
    assert found.logprobs == pytest.approx(expected.logprobs, abs=CLOSE)


@EACH
def test_a_forked_session_has_seen_what_its_past_shows(family: str) -> None:
    policy = policy_of(family)
    prompt, tail = (shown(policy, "What?", seeing.picture(n), seeing.picture(n + 1)) for n in (1, 2))

    async def go() -> None:
        engine = EmbeddedEngine(policy.module)
        first = await engine.generate(prompt, Sampling(max_tokens=3, seed=1), session="a")
        await engine.fork("a", "b")
        further = Prompt([*prompt.token_ids, *first.token_ids, *tail.token_ids], [*prompt.media, *tail.media])
        for session in ("b", "a"):
            said = await engine.generate(further, Sampling(max_tokens=3, seed=2), session=session)
            assert_same(said, await alone(policy, further, 2))

    asyncio.run(go())


@EACH
def test_openings_are_shared_where_they_show_the_same(family: str) -> None:
    policy = policy_of(family)
    one, other = (shown(policy, "What?", seeing.picture(1), seeing.picture(n)) for n in (2, 3))
    assert one.token_ids == other.token_ids

    async def go() -> None:
        engine = EmbeddedEngine(policy.module, share_openings=True)
        asked = [(one, 1), (one, 2), (other, 2), (one, 3)]
        said = await asyncio.gather(
            *(
                engine.generate(prompt, Sampling(max_tokens=3, seed=s), session=f"{i}")
                for i, (prompt, s) in enumerate(asked)
            )
        )
        assert engine.new_tokens == 2 * len(one.token_ids)
        for found, (prompt, seed) in zip(said, asked, strict=True):
            assert_same(found, await alone(policy, prompt, seed))

    asyncio.run(go())
