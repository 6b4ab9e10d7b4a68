"""Chat templates in the style of models that people train, each with the tokens that it uses; written for the tests."""

from __future__ import annotations

import dataclasses

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from agentgym.tokenizer import ChatTokenizer
from tests.kit import CHATML, byte_tokenizer

__all__ = ["FAMILIES", "Family", "chat_of", "tokenizer_of"]


@dataclasses.dataclass(frozen=True)
class Family:
    """A template, its tokens that are flagged special, those that are only added, and the tokenizer's eos."""

    template: str
    special: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    eos: str = "<|endoftext|>"


FAMILIES = {
    "llama3": Family(
        "{% set date = strftime_now('%d %b %Y') %}{{ bos_token }}"
        "{% if messages[0]['role'] == 'system' %}{% set rules = messages[0]['content'] | trim %}"
        "{% set messages = messages[1:] %}{% else %}{% set rules = '' %}{% endif %}"
        "<|start_header_id|>system<|end_header_id|>\n\nToday Date: {{ date }}\n\n{{ rules }}<|eot_id|>"
        "{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
        "{% if loop.first and tools %}{% for t in tools %}{{ t | tojson }}\n{% endfor %}{% endif %}"
        "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        special=("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"),
        eos="<|eot_id|>",
    ),
    "qwen3": Family(
        "{% if tools %}<|im_start|>system\n{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}\n\n"
        "{% endif %}<tools>{% for t in tools %}\n{{ t | tojson }}{% endfor %}\n</tools><|im_end|>\n"
        "{% elif messages[0]['role'] == 'system' %}<|im_start|>system\n{{ messages[0]['content'] }}<|im_end|>\n"
        "{% endif %}{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m['role'] == 'user' and not "
        "(m['content'].startswith('<tool_response>') and m['content'].endswith('</tool_response>')) %}"
        "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
        "{% for m in messages %}{% set c = m['content'] %}{% if m['role'] == 'assistant' %}"
        "{% if '</think>' in c and loop.index0 < ns.last %}{% set c = c.split('</think>')[-1].lstrip('\n') %}"
        "{% endif %}<|im_start|>assistant\n{{ c }}<|im_end|>\n"
        "{% elif m['role'] == 'user' %}<|im_start|>user\n{{ c }}<|im_end|>\n"
        "{% elif m['role'] == 'tool' %}<|im_start|>user\n<tool_response>\n{{ c }}\n</tool_response><|im_end|>\n"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        plain=("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
        eos="<|im_end|>",
    ),
    "thinking": Family(
        CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}"),
        plain=("<think>", "</think>"),
        eos="<|im_end|>",
    ),
    "mistral": Family(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('Only user and assistant roles are "
        "supported!') }}{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "{% if m['role'] == 'user' %}{% if loop.last and tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}"
        "[/AVAILABLE_TOOLS]{% endif %}[INST] {{ m['content'] }}[/INST]"
        "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}",
        special=("<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]"),
        eos="</s>",
    ),
    "gemma": Family(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}"
        "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        special=("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
        plain=("<table>", "\n\n", "zebra"),
        eos="<eos>",
    ),
    "glm": Family(
        "[gMASK]<sop>{% if tools %}<|system|>\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}{% endif %}"
        "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        special=("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    ),
    "smollm2": Family(
        "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}<|im_start|>system\n"
        "You are a helpful AI assistant.<|im_end|>\n{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        eos="<|im_end|>",
    ),
    "parts": Family(
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}"
        "<image>{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        eos="<|im_end|>",
    ),
}


def tokenizer_of(name: str) -> PreTrainedTokenizerFast:
    """Single bytes, and the tokens of the family."""
    family = FAMILIES[name]
    hf = byte_tokenizer(family.template)
    hf.add_tokens([AddedToken(text, special=True, normalized=False) for text in family.special], special_tokens=True)
    hf.add_tokens([AddedToken(text, special=False, normalized=False) for text in family.plain])
    hf.eos_token = family.eos
    if family.special and family.special[0] in ("<|begin_of_text|>", "<s>", "<bos>"):
        hf.bos_token = family.special[0]
    return hf


def chat_of(name: str) -> ChatTokenizer:
    """A ``ChatTokenizer`` of the family."""
    return ChatTokenizer(tokenizer_of(name))
