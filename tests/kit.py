"""What several tests build on: episodes and rows made by hand, tokenizers, tiny models, readers of runs, patience.

Nothing is downloaded, and nothing waits for a fixed time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from agentgym.engine import Sampling
from agentgym.learn.byte_tokenizer import CHATML
from agentgym.learn.byte_tokenizer import byte_tokenizer as bytes_and_chatml
from agentgym.learn.rows import Row
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Sample, StopReason, Trajectory, Turn

__all__ = [
    "BELL",
    "CHATML",
    "FORGETFUL",
    "NIGHTLY",
    "RESERVED",
    "ROOT",
    "SPECIAL",
    "Notes",
    "answered",
    "byte_tokenizer",
    "chat",
    "episode",
    "eventually",
    "metrics",
    "one_thread",
    "report",
    "row",
    "sample",
    "sampling",
    "tiny_model",
    "until",
]

ROOT = Path(__file__).parents[1]
BELL = str(ROOT / "examples" / "new_environment.py")
"""The smallest environment there is: one turn, four answers."""

NIGHTLY = (pytest.mark.slow, pytest.mark.nightly)
"""Of a parameter for which others stand at each change."""

FORGETFUL = (
    "{% for m in messages %}{% set c = m['content'] %}"
    "{% if m['role'] == 'assistant' and '</think>' in c and not loop.last %}"
    "{% set c = c.split('</think>')[-1] %}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ c }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Strips the reasoning of earlier replies, as Qwen3's template does."""

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
RESERVED = "<|reserved|>"
"""Special as Llama 3's header tokens are: flagged in the vocabulary, but in no list of special tokens."""


class Notes:
    """A reporter that keeps what it is told, and presses Ctrl-C when step ``at`` of stage ``interrupt`` is done."""

    def __init__(self, interrupt: str = "", at: int = -1) -> None:
        self.interrupt, self.at = interrupt, at
        self.stage = ""
        self.begun: list[tuple[str, int, str]] = []
        self.advanced: list[tuple[str, int, dict[str, float]]] = []
        self.notes: list[str] = []

    def begin(self, stage: str, total: int, unit: str) -> None:
        self.stage = stage
        self.begun.append((stage, total, unit))

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        self.advanced.append((self.stage, done, dict(values)))
        if (self.stage, done) == (self.interrupt, self.at):
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def alarms(self) -> list[str]:
        return [note for note in self.notes if note.startswith("alarm: ")]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For every test of a module or folder that imports it: small matrices are slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def byte_tokenizer(template: str = CHATML) -> PreTrainedTokenizerFast:
    """One token a byte, and the special tokens."""
    return bytes_and_chatml(template, reserved=[RESERVED])


def chat(template: str = CHATML) -> ChatTokenizer:
    """A ``ChatTokenizer`` of single bytes."""
    return ChatTokenizer(byte_tokenizer(template))


def tiny_model(seed: int = 0, **changes: Any) -> Any:
    """A decoder of two layers with weights large enough that its choices are sharp."""
    settings: dict[str, Any] = {
        "vocab_size": 37,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "tie_word_embeddings": True,
        "pad_token_id": None,
        "eos_token_id": None,
        "bos_token_id": None,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(Qwen2Config(**{**settings, **changes})).eval()


# -- made by hand ------------------------------------------------------------------------------------------


def sample(replies: Sequence[Sequence[int]], *, version: int = 0, prompt: int = 1, logprob: float = -0.5) -> Sample:
    """For each turn one token of the environment's, ``prompt`` and the turn's number, and then its reply."""
    tokens = [
        (token, trained, turn)
        for turn, reply in enumerate(replies)
        for token, trained in [(prompt + turn, False), *((token, True) for token in reply)]
    ]
    return Sample(
        token_ids=[token for token, _, _ in tokens],
        loss_mask=[trained for _, trained, _ in tokens],
        logprobs=[logprob * trained if version >= 0 else 0.0 for _, trained, _ in tokens],
        turn_index=[turn for _, _, turn in tokens],
        policy_versions=[version if trained else -1 for _, trained, _ in tokens],
    )


def episode(
    *rewards: float, stop: StopReason = StopReason.TERMINATED, shaped: float = 0.0, **changes: Any
) -> Trajectory:
    """An episode of one turn for each of the environment's ``rewards``; a shaper adds ``shaped`` to every turn.

    It has no tokens, and ends as ``stop`` says; ``changes`` are fields of the record.
    """
    turns = [
        Turn(
            observation=f"seen {number}",
            reply=f"said {number}",
            action=f"said {number}",
            reward=reward + shaped,
            breakdown={"environment": reward} | ({"shaper": shaped} if shaped else {}),
        )
        for number, reward in enumerate(rewards)
    ]
    ended = {"terminated": stop is StopReason.TERMINATED, "truncated": stop.is_truncated}
    given = {"env": "toy", "task": 0, "seed": 0, "episode_id": "e0", "turns": turns, "stop_reason": stop}
    return Trajectory(**{**given, **ended, **changes})


def answered(calls: int = 0, failed: int = 0) -> dict[str, Any]:
    """What a step's info says of calls of tools that were answered, and how many of them failed."""
    return {"channels": {"calls": float(calls), "failed_calls": float(failed)}}


def row(length: int, salt: int = 0, **changes: Any) -> Row:
    """Ids, mask, log-probs and advantages that differ from place to place."""
    given = {
        "token_ids": [(5 * i + 7 * salt + i * i) % 37 for i in range(length)],
        "loss_mask": [(i + salt) % 3 != 0 for i in range(length)],
        "behavior_logprobs": [-3.0 - ((i + salt) % 5) / 5 for i in range(length)],
        "advantages": [((i * 3 + salt) % 7 - 3) / 2 for i in range(length)],
    }
    return Row(**{**given, **changes})


def sampling(**changes: Any) -> Sampling:
    """At temperature 1, with a seed."""
    return Sampling(**{"temperature": 1.0, "max_tokens": 8, "seed": 1, **changes})


# -- runs that are done ------------------------------------------------------------------------------------


def report(run: Path) -> dict[str, Any]:
    """What report.json says."""
    found: dict[str, Any] = json.loads((run / "report.json").read_text())
    return found


def metrics(run: Path, stage: str | None = None) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, or those of a stage."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if stage in (None, line["stage"])]


# -- patience ----------------------------------------------------------------------------------------------


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something is so, now or within ``seconds``: as soon as it is on a quiet machine, still on a busy one."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """The same where an event loop runs. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)
