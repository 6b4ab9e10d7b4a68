"""Images on their way to vLLM, whose processor makes of them what the policy's does, or they are refused.

vLLM expands placeholders by itself, so a prompt goes there with one token an image. An image is named by its digest,
under which vLLM keeps what it was made into (``CACHE_GIB``): a page that many turns show is processed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image
from vllm.inputs import TokensPrompt
from vllm.model_executor.models.registry import ModelRegistry

from agentgym.errors import ConfigError, EngineError
from agentgym.media import pixels_of
from agentgym.processor import Images
from agentgym.types import Media

__all__ = ["CACHE_GIB", "image_settings", "rendered"]

CACHE_GIB = 0.5
"""For images that vLLM has processed."""


def image_settings(model: str, device: str) -> dict[str, Any]:
    """For ``AsyncEngineArgs`` of the class ``model``, beside those of one that reads alone.

    Raises ConfigError where vLLM's part for the model cannot be imported.
    """
    known: Any = ModelRegistry.models.get(model)
    try:
        known.load_model_cls()
    except Exception as error:  # whatever its imports raise
        problem = f"{type(error).__name__}: {error}" if known else "there is none"
        raise ConfigError(
            f"vLLM's part for {model}, a model that sees, cannot be imported here ({problem}); many want a torchvision "
            "that fits torch, that for Idefics3ForConditionalGeneration (SmolVLM) does not; type: --engine embedded"
        ) from error
    # Processors want their tokenizer. What the largest images take is looked at where that decides how much is left
    # for keys and values.
    return {"skip_tokenizer_init": False, "mm_processor_cache_gb": CACHE_GIB, "skip_mm_profiling": device == "cpu"}


async def rendered(llm: Any, images: Images, token_ids: Sequence[int], media: Sequence[Media]) -> Any:
    """What ``AsyncLLM.generate`` takes for ``token_ids`` that show ``media``.

    Raises EngineError where vLLM stands other tokens for an image than the policy's processor.
    """
    prompt = TokensPrompt(
        prompt_token_ids=images.collapsed(token_ids, media),
        multi_modal_data={"image": [Image.fromarray(pixels_of(one)) for one in media]},
        multi_modal_uuids={"image": [one.digest for one in media]},
    )
    [made] = await llm.renderer.render_cmpl_async([prompt])
    if list(made["prompt_token_ids"]) != list(token_ids):
        raise EngineError(
            f"vLLM makes {len(made['prompt_token_ids'])} tokens of a prompt with {len(media)} images for which the "
            f"policy's {type(images.processor).__name__} makes {len(token_ids)}, or other ones; use --engine embedded"
        )
    return made
