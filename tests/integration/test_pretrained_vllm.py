"""A pretrained model on vLLM: trained there, whole and by an adapter, and loaded by it once the adapter is merged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentgym.launch import train
from agentgym.launch.merging import merge
from agentgym.learn.policy import load_policy
from tests.integration.pretrained import LORA, SETTINGS, moved, said
from tests.integration.pretrained import file as file
from tests.integration.pretrained import words as words

pytestmark = [pytest.mark.vllm, pytest.mark.pretrained]

ENGINE = {"id": "vllm", "max_context": 128, "max_sessions": 8, "kv_cache_gib": 0.1}

_ASK = """
import json, sys
from vllm import LLM, SamplingParams

if __name__ == "__main__":
    directory, ids = sys.argv[1], json.loads(sys.argv[2])
    llm = LLM(directory, dtype="float32", enforce_eager=True, max_model_len=128, max_num_seqs=1, block_size=32,
              kv_cache_memory_bytes=2**27, logprobs_mode="processed_logprobs")
    [answer] = llm.generate({"prompt_token_ids": ids}, SamplingParams(temperature=0, max_tokens=16, logprobs=0))
    tokens = list(answer.outputs[0].token_ids)
    logprobs = [each[token].logprob for each, token in zip(answer.outputs[0].logprobs, tokens)]
    print(json.dumps({"tokens": tokens, "logprobs": logprobs, "text": answer.outputs[0].text}))
"""


def trained(model: dict[str, Any], words: str, output: Path, learning_rate: float) -> Path:
    trainer = {**SETTINGS["trainer"], "learning_rate": learning_rate, "max_microbatch_tokens": 128}
    given = {**SETTINGS, "env": words, "model": model, "trainer": trainer, "engine": ENGINE, "output": output}
    return train({**given, "keep_checkpoints": 1, "checkpoint_seconds": 3600})


def asked(directory: Path, ids: list[int]) -> dict[str, Any]:
    """What vLLM says, greedily, of the model in ``directory``, which it loads as it would any.

    It would take weights of four bytes as two by itself: log-probabilities then differ by 0.07.
    """
    settings = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    settings |= {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", _ASK, str(directory), json.dumps(ids)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.nightly
def test_two_updates_of_all_its_weights(file: Path, words: str, tmp_path: Path) -> None:
    assert max(moved(trained({"id": str(file)}, words, tmp_path / "run", 1e-6))) > 0.5


def test_two_updates_of_an_adapter_and_vllm_says_the_same_of_it_merged(file: Path, words: str, tmp_path: Path) -> None:
    run = trained({"id": str(file), **LORA}, words, tmp_path / "run", 1e-4)
    assert max(moved(run)) > 0
    merge(run, tmp_path / "plain")
    policy = load_policy(run / "policy", device="cpu")
    ids, tokens, logprobs = said(policy, "What is the capital of France?", num=16)
    found = asked(tmp_path / "plain", ids)
    assert found["tokens"] == tokens
    assert found["logprobs"] == pytest.approx(logprobs, abs=1e-4)
    assert found["text"] == policy.tokenizer.decode(tokens).removesuffix("<|im_end|>")
    assert "Paris" in found["text"]
