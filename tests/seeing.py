"""Small models that see, with random weights, and what they need: two families, each with its processor."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.policy import Policy
from agentgym.learn.processing import without_videos
from agentgym.processor import Images
from agentgym.tokenizer import ChatTokenizer
from agentgym.vision import attach

QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PARTS_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Takes parts only, as SmolVLM's does."""

_TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "pad_token_id": None,
}
_QWEN_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
_IDEFICS_TOKENS = [
    "<image>",
    "<fake_token_around_image>",
    "<global-img>",
    "<end_of_utterance>",
    *(f"<row_{i}_col_{j}>" for i in range(1, 5) for j in range(1, 5)),
]
FAMILIES = ("qwen2_5_vl", "qwen3_vl", "idefics3", "llava")


def policy(family: str, *, seed: int = 0) -> Policy:
    """A small policy of ``family`` with random weights that are large enough to have opinions."""
    processor = _PROCESSORS[family]()
    tokenizer = processor.tokenizer
    torch.manual_seed(seed)
    module = _MODELS[family](tokenizer)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3 / parameter.shape[-1] ** 0.25)
    images = Images(processor)
    attach(module.eval(), images)
    return Policy(module, ChatTokenizer(tokenizer, images))


def picture(seed: int, height: int = 32, width: int = 48) -> np.ndarray[Any, Any]:
    """Noise, uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def _qwen_processor(kind: type[Any]) -> Any:
    tokenizer = byte_tokenizer(QWEN_TEMPLATE, reserved=_QWEN_TOKENS)
    images = Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, size={"shortest_edge": 256, "longest_edge": 4096})
    return without_videos(kind)(images, tokenizer, chat_template=QWEN_TEMPLATE)


def _idefics_processor() -> Any:
    tokenizer = byte_tokenizer(PARTS_TEMPLATE, reserved=_IDEFICS_TOKENS)
    images = Idefics3ImageProcessorPil(size={"longest_edge": 32}, max_image_size={"longest_edge": 16})
    return Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=PARTS_TEMPLATE)


def _llava_processor() -> Any:
    tokenizer = byte_tokenizer(PARTS_TEMPLATE, reserved=["<image>"])
    images = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    return LlavaProcessor(
        images, tokenizer, patch_size=8, vision_feature_select_strategy="full", chat_template=PARTS_TEMPLATE
    )


def _qwen_tokens(tokenizer: Any) -> dict[str, Any]:
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    return dict(zip(names, tokenizer.convert_tokens_to_ids(_QWEN_TOKENS), strict=True))


def _rope(sections: list[int]) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": sections}}


def _qwen2_5_vl(tokenizer: Any) -> Any:
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 4,
        "out_hidden_size": 32,
        "patch_size": 8,
        "window_size": 32,
        "fullatt_block_indexes": [1],
    }
    text = {**_TEXT, **_rope([2, 1, 1]), "vocab_size": len(tokenizer)}
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision, **_qwen_tokens(tokenizer))
    )


def _qwen3_vl(tokenizer: Any) -> Any:
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 4,
        "out_hidden_size": 32,
        "patch_size": 8,
        "deepstack_visual_indexes": [0],
        "num_position_embeddings": 64,
    }
    text = {**_TEXT, **_rope([2, 1, 1]), "vocab_size": len(tokenizer), "head_dim": 8}
    return Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(text_config=text, vision_config=vision, **_qwen_tokens(tokenizer))
    )


def _idefics3(tokenizer: Any) -> Any:
    vision = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 16,
        "patch_size": 4,
    }
    heads = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}  # of 32, as vLLM wants on a CPU
    text = {**_TEXT, **heads, "model_type": "llama", "vocab_size": len(tokenizer)}
    config = Idefics3Config(
        text_config=text,
        vision_config=vision,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=None,
    )
    return Idefics3ForConditionalGeneration(config)


def _llava(tokenizer: Any) -> Any:
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    }
    text = {**_TEXT, "model_type": "qwen2", "vocab_size": len(tokenizer)}
    config = LlavaConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    return LlavaForConditionalGeneration(config)


_PROCESSORS: dict[str, Any] = {
    "qwen2_5_vl": functools.partial(_qwen_processor, Qwen2_5_VLProcessor),
    "qwen3_vl": functools.partial(_qwen_processor, Qwen3VLProcessor),
    "idefics3": _idefics_processor,
    "llava": _llava_processor,
}
_MODELS: dict[str, Any] = {"qwen2_5_vl": _qwen2_5_vl, "qwen3_vl": _qwen3_vl, "idefics3": _idefics3, "llava": _llava}
