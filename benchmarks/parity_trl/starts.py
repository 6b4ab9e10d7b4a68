"""The model that both sides begin with: small and made from nothing, or SmolLM2, with Qwen3's chat template.

The small one is the nano policy's decoder with a tokenizer that loses nothing, as a template with JSON in it wants: a
token a word, and one for each text that is the same in every episode (what the template says of the tools, what opens
and closes a call), as nano's own tokenizer has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from agentgym.learn.nano import NanoConfig, build_model
from agentgym.learn.policy import load_policy
from agentgym.types import Action
from agentgym.visit import Player
from benchmarks.parity_trl.through import Through

__all__ = ["pretrained", "small"]

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TAGS = ("<tool_call>", "</tool_call>")
CALL = ('{"name": "act", "arguments": {"action": "', '"}}')
EPISODES = 200
"""Of the expert, whose words make the vocabulary."""


def template() -> str:
    """Qwen3's, as it comes with TRL."""
    return (files("trl") / "chat_templates" / "qwen3.jinja").read_text(encoding="utf-8")


def small(folder: Path, env: Through, *, seed: int) -> Path:
    """Write a policy of nano's size for ``env``; its weights depend on ``seed``."""
    hf = _tokenizer(list(_texts(env)), env)
    model = build_model(len(hf), NanoConfig(), seed=seed)
    end = hf.convert_tokens_to_ids(SPECIAL[2])
    model.config.eos_token_id = model.generation_config.eos_token_id = end
    model.config.pad_token_id = model.generation_config.pad_token_id = hf.pad_token_id
    model.save_pretrained(folder)
    hf.save_pretrained(folder)
    return folder


def pretrained(folder: Path, source: str) -> Path:
    """Write the model ``source`` (a directory or a GGUF file) with Qwen3's template; it must know ChatML's marks."""
    policy = load_policy(source, device="cpu")
    policy.tokenizer.hf.chat_template = template()
    policy.save(folder)
    return folder


def _texts(env: Through) -> Iterator[str]:
    """What is seen and done in episodes of the expert, each behind its role, as templates write it."""
    with Player(env) as player:
        for task in list(env.tasks("train"))[:EPISODES]:
            yield f"system\nuser\n{player.reset(task, 0)}"
            while player.goes_on:
                action = player.expert()
                assert isinstance(action, Action)
                said = [str(call.arguments["action"]) for call in action.tool_calls] or [str(action)]
                yield from (f"assistant\n{words}" for words in said)
                yield f"user\n{player.step(action).observation}"


def _tokenizer(texts: Sequence[str], env: Through) -> PreTrainedTokenizerFast:
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words.train_from_iterator(
        texts, trainers.BpeTrainer(initial_alphabet=alphabet, special_tokens=list(SPECIAL), show_progress=False)
    )
    hf = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=SPECIAL[0], eos_token=SPECIAL[2], chat_template=template()
    )
    hf.add_tokens([*TAGS, *CALL, _preamble(hf, env)])
    return hf


def _preamble(hf: Any, env: Through) -> str:
    """What the template tells of the tools."""
    told = hf.apply_chat_template([{"role": "user", "content": ""}], tools=[env.tool], tokenize=False)
    return str(told).removeprefix(f"{SPECIAL[1]}system\n").partition(SPECIAL[2])[0]
