"""What both sides are given: the bytes of a policy and of a reference, ragged multi-turn episodes, preference pairs.

Everything is random and follows from a seed. Tokens are numbers, and the tokenizer's words are those numbers, since a
TRL trainer wants a tokenizer even where it is handed token ids.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.utils.logging import disable_progress_bar

PAD, END, FIRST_WORD = 0, 1, 2
disable_progress_bar()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A prompt, what followed it, and what that was worth."""

    prompt: list[int]
    completion: list[int]
    """Turns of the policy and observations between them."""
    sampled: list[bool]
    """For each token of the completion: whether the policy said it."""
    reward: float

    @property
    def token_ids(self) -> list[int]:
        return self.prompt + self.completion

    @property
    def loss_mask(self) -> list[bool]:
        return [False] * len(self.prompt) + self.sampled


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two episodes with one prompt, the better one first."""

    chosen: Episode
    rejected: Episode


SMALL = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}


def write_model(folder: Path, seed: int, *, initializer_range: float = 0.1, **sizes: int) -> Path:
    """A Qwen3 in float32 with tied embeddings; ``sizes`` replace those of ``SMALL``.

    With the usual range of 0.02 a model this small would say the same of every token.
    """
    options: dict[str, Any] = {**SMALL, **sizes, "initializer_range": initializer_range}
    config = Qwen3Config(**options, tie_word_embeddings=True, pad_token_id=PAD, eos_token_id=END)
    torch.manual_seed(seed)
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


def tokenizer(model: Path) -> PreTrainedTokenizerFast:
    """One whose words are the numbers below the vocabulary size of ``model``."""
    vocabulary = {text([i]): i for i in range(Qwen3Config.from_pretrained(model).vocab_size)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=text([PAD])))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token=text([PAD]), eos_token=text([END]))


def text(token_ids: Sequence[int]) -> str:
    """What the tokenizer reads as ``token_ids``."""
    return " ".join({PAD: "<pad>", END: "<end>"}.get(i, str(i)) for i in token_ids)


def load_model(folder: Path) -> Any:
    """The model as it was written, in evaluation mode."""
    return Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def groups(num_groups: int, group_size: int, *, seed: int = 0) -> list[Episode]:
    """Groups of episodes with one prompt each; one to three turns, completions of 2 to 42 tokens."""
    rng = random.Random(seed)
    vocabulary = SMALL["vocab_size"]
    prompts = [_words(rng, rng.randint(3, 12), vocabulary) for _ in range(num_groups)]
    return [
        _episode(rng, prompt, [(rng.randint(2, 10), rng.randint(1, 6)) for _ in range(rng.randint(1, 3))], vocabulary)
        for prompt in prompts
        for _ in range(group_size)
    ]


def pairs(num: int, *, seed: int = 0) -> list[Pair]:
    """Preference pairs of ragged lengths."""
    drawn = [groups(1, 2, seed=seed + i) for i in range(num)]
    return [Pair(chosen=chosen, rejected=rejected) for chosen, rejected in drawn]


def of_lengths(prompts: Sequence[int], completions: Sequence[int], *, vocabulary: int) -> list[Episode]:
    """One episode for each length of a prompt and of a completion: turns of 24 tokens, observations of 16."""
    rng = random.Random(0)
    episodes = []
    for prompt, length in zip(prompts, completions, strict=True):
        long = _episode(rng, _words(rng, prompt, vocabulary), [(24, 16)] * (1 + length // 24), vocabulary)
        episodes.append(dataclasses.replace(long, completion=long.completion[:length], sampled=long.sampled[:length]))
    return episodes


def _episode(rng: random.Random, prompt: list[int], turns: Sequence[tuple[int, int]], vocabulary: int) -> Episode:
    """Turns of so many tokens, the last of them END, and observations of so many tokens between them."""
    completion: list[int] = []
    sampled: list[bool] = []
    for said, seen in turns:
        completion += [*_words(rng, said - 1, vocabulary), END, *_words(rng, seen, vocabulary)]
        sampled += [True] * said + [False] * seen
    end = len(completion) - turns[-1][1]
    return Episode(
        prompt=prompt, completion=completion[:end], sampled=sampled[:end], reward=round(rng.uniform(-1, 1), 3)
    )


def _words(rng: random.Random, num: int, vocabulary: int) -> list[int]:
    return rng.choices(range(FIRST_WORD, vocabulary), k=num)


@torch.no_grad()
def logprobs(model: Any, token_ids: list[int], *, temperature: float = 1.0) -> list[float]:
    """log π of every token, one plain forward pass for the one sequence; 0 for the first, which nothing predicts."""
    logits_TV = model(input_ids=torch.tensor([token_ids])).logits[0, :-1] / temperature
    picked_T = logits_TV.log_softmax(-1).gather(-1, torch.tensor(token_ids[1:])[:, None])[:, 0]
    return [0.0, *picked_T.tolist()]


def drifted(values: list[float], seed: int, *, scale: float = 0.2) -> list[float]:
    """Log-probs of another policy: normal noise added, so that some ratios fall outside the clip and some inside."""
    rng = random.Random(seed)
    return [value + rng.gauss(0.0, scale) for value in values]
