"""The nano policy of an environment with pictures: the same decoder and, before it, a small transformer over patches.

A picture is one token a patch. The decoder begins as it does without pictures, copying what it looks at; what a patch
means in its words is left to be learned.
"""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import AddedToken
from transformers import LlavaConfig, LlavaForConditionalGeneration, PreTrainedTokenizerFast
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from agentgym.learn.nano import build_model
from agentgym.learn.nano_settings import NanoConfig
from agentgym.learn.policy import Policy
from agentgym.processor import Images
from agentgym.tokenizer import ChatTokenizer
from agentgym.vision import attach

__all__ = ["seeing"]

_IMAGE = "<|image|>"
_CONTENT = (
    "{%- macro said(c) -%}{%- if c is string -%}{{ c }}{%- else -%}{%- for p in c -%}"
    "{%- if p['type'] == 'image' -%}" + _IMAGE + "{%- else -%}{{ p['text'] }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{%- endmacro -%}"
)


def seeing(tokenizer: PreTrainedTokenizerFast, config: NanoConfig, *, seed: int) -> Policy:
    """A policy with fresh weights around a nano tokenizer, which learns a token for pictures."""
    tokenizer.add_tokens([AddedToken(_IMAGE, special=True, normalized=False)])
    template = str(tokenizer.chat_template).replace("{{ m['content'] }}", "{{ said(m['content']) }}")
    tokenizer.chat_template = _CONTENT + template
    processor = LlavaProcessor(
        SiglipImageProcessorPil(size={"height": config.image_size, "width": config.image_size}),
        tokenizer,
        patch_size=config.patch_size,
        vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
        image_token=_IMAGE,
    )
    images, module = Images(processor), _model(tokenizer, config, seed)
    attach(module, images)
    return Policy(module, ChatTokenizer(tokenizer, images))


def _model(tokenizer: PreTrainedTokenizerFast, config: NanoConfig, seed: int) -> Any:
    decoder = build_model(len(tokenizer), config, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = LlavaForConditionalGeneration(
            LlavaConfig(
                text_config=decoder.config,
                vision_config={
                    "model_type": "siglip_vision_model",
                    "hidden_size": config.width,
                    "intermediate_size": config.feed_forward,
                    "num_hidden_layers": config.vision_layers,
                    "num_attention_heads": config.heads,
                    "image_size": config.image_size,
                    "patch_size": config.patch_size,
                    "vision_use_head": False,
                },
                image_token_index=len(tokenizer) - 1,
                vision_feature_select_strategy="full",
                vision_feature_layer=-1,
                tie_word_embeddings=True,
            )
        )
    module.model.language_model.load_state_dict(decoder.model.state_dict())
    module.tie_weights()
    return module.eval()
