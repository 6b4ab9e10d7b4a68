"""Images of odd sizes, as processors take them."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym import vision
from agentgym.actors.embedded import EmbeddedEngine
from agentgym.media import as_media
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor, expert_actor
from agentgym.types import Observation, StopReason
from tests import seeing


@pytest.mark.parametrize("family", seeing.FAMILIES)
@pytest.mark.parametrize("size", [(1, 1), (1, 20), (3, 3), (3, 20), (2, 2), (20, 3000), (3000, 20)])
def test_images_of_any_size_are_seen(family: str, size: tuple[int, int]) -> None:
    policy = seeing.policy(family)
    assert policy.tokenizer.images is not None
    seen = policy.tokenizer.images.seen(as_media(seeing.picture(0, *size)))
    (features,) = vision.encode(policy.module, [seen])
    wanted = seen.token_ids.count(policy.tokenizer.images.token_id)
    assert {len(layer) for layers in features.values() for layer in layers} == {wanted}


def test_three_rows_of_pixels_are_not_three_channels() -> None:
    """A stripe three pixels high is seen as it is, not lying on its side."""
    images = seeing.policy("llava").tokenizer.images
    assert images is not None
    stripe = np.zeros((3, 16, 3), np.uint8)
    stripe[..., 0] = 255
    pixels = images.seen(as_media(stripe)).inputs["pixel_values"][0]
    assert [float(channel.max()) for channel in pixels] == [float(channel.min()) for channel in pixels]
    assert pixels[0].max() > pixels[1].max() == pixels[2].max()


class Panorama(agentgym.Env):
    """Shows what Qwen's processor does not take: more than 200 times as wide as high."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return Observation("Look.", images=[seeing.picture(0, 1, 1000)]), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "Seen.", 1.0, True, False, {}


def test_an_image_that_the_processor_refuses_voids_the_episode_and_is_told() -> None:
    policy = seeing.policy("qwen2_5_vl")
    engine = EmbeddedEngine(policy.module, max_sessions=1)
    limits = Limits(max_reply_tokens=5, max_attempts=1)
    rollout = Rollout(Panorama, policy.tokenizer, Plain(), limits=limits, max_context=engine.max_context)

    async def go() -> agentgym.Trajectory:
        (episode,) = await rollout.run(
            [EpisodeSpec(task=0, seed=0, episode_id="e")], engine_actor(engine, temperature=1.0)
        )
        await rollout.close()
        await engine.close()
        return episode

    episode = asyncio.run(go())
    assert episode.stop_reason is StopReason.ENV_ERROR
    assert episode.error is not None
    assert "an image of 1000 x 1 pixels cannot be shown to this policy" in episode.error


class Quoting(agentgym.Env):
    """Its expert says what looks like an image."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return Observation("Look.", images=[seeing.picture(0)]), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return f"You said {action}.", 1.0, True, False, {}

    def expert(self) -> Any:
        return lambda seen: "an <image>"


def test_an_expert_that_speaks_of_images_shows_none() -> None:
    policy = seeing.policy("llava")
    images = policy.tokenizer.images
    assert images is not None
    rollout = Rollout(Quoting, policy.tokenizer, Plain(), limits=Limits(), max_context=4096)

    async def go() -> agentgym.Trajectory:
        (episode,) = await rollout.run([EpisodeSpec(task=0, seed=0, episode_id="e")], expert_actor(Plain()))
        await rollout.close()
        return episode

    (sample,) = asyncio.run(go()).samples
    shown = images.seen(images.store.get(sample.media[0])).token_ids
    assert list(sample.token_ids).count(images.token_id) == shown.count(images.token_id)
