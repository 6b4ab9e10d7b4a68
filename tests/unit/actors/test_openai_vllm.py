"""The engine over a real vLLM server on this machine's CPU: the model's own numbers, before and after an update."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.actors.openai.engine import OpenAIEngine
from agentgym.actors.openai.weights import EXTENSION
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import ConfigError, EngineError
from agentgym.weights import weights_of
from tests.kit import byte_tokenizer, tiny_model
from tests.unit.actors.kit import one_loop, run

pytest.importorskip("vllm", reason="needs the extra vllm")
pytest.importorskip("openai", reason="needs the extra openai")
pytestmark = pytest.mark.vllm

__all__ = ["one_loop"]

START_SECONDS = 180
TOLERANCE = 1e-4


def model(seed: int) -> Any:
    """A model of bytes with a tied output head and heads as large as vLLM's CPU kernels want them."""
    sizes = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2}
    tokenizer = byte_tokenizer()
    return tiny_model(seed, vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **sizes)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of ``model(0)`` that takes commands."""
    directory = tmp_path_factory.mktemp("model")
    model(0).save_pretrained(directory)
    byte_tokenizer().save_pretrained(directory)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--host 127.0.0.1 --port {port} --served-model-name tiny --dtype float32 --max-model-len 256".split()
    options += f"--enforce-eager --logprobs-mode processed_logprobs --worker-extension-cls {EXTENSION}".split()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(directory), *options]
    settings = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    settings |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"}
    log = (directory / "log.txt").open("w")
    process = subprocess.Popen(
        [*command, "--enable-scale-out"], env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/health", process, directory / "log.txt")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            direct.open(url, timeout=5)
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"vLLM did not start: {log.read_text()[-3000:]}")


@pytest.fixture
def connect(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., OpenAIEngine]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    engines = []

    def connected(module: Any = None, **options: Any) -> OpenAIEngine:
        engines.append(OpenAIEngine(module, base_url=server, timeout=60, **options))
        run(engines[-1].start)
        return engines[-1]

    yield connected
    for engine in engines:
        run(engine.close)


def sampling(**changes: Any) -> Sampling:
    return Sampling(**{"max_tokens": 12, "seed": 1, **changes})


@torch.inference_mode()
def logprobs_of(module: Any, ids: Sequence[int], temperature: float = 1.0) -> list[float]:
    """Straight from the model: log-probability of every token, 0 for the first."""
    table = (module(input_ids=torch.tensor([list(ids)])).logits[0, :-1] / temperature).log_softmax(-1)
    return [0.0, *(float(table[i, token]) for i, token in enumerate(ids[1:]))]


def assert_sampled_by(module: Any, prompt: Sequence[int], completion: Completion, temperature: float = 1.0) -> None:
    expected = logprobs_of(module, [*prompt, *completion.token_ids], temperature)[len(prompt) :]
    assert completion.logprobs == pytest.approx(expected, abs=TOLERANCE)


def test_finds_out_what_it_is(connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()
    assert (engine.model, engine.max_context, engine.speaks_text, engine.found.tempered) == ("tiny", 256, False, True)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_logprobs_are_the_model_s(connect: Callable[..., OpenAIEngine], temperature: float) -> None:
    engine, prompt = connect(), [5, 9, 200, 31]
    completion = run(lambda: engine.generate(Prompt(prompt), sampling(temperature=temperature), session="s"))
    assert len(completion.token_ids) == 12
    assert_sampled_by(model(0), prompt, completion, temperature or 1.0)


def test_scores_are_the_model_s(connect: Callable[..., OpenAIEngine]) -> None:
    engine, ids = connect(), [5, 9, 200, 31, 7, 7]
    assert run(lambda: engine.score(Prompt(ids))) == pytest.approx(logprobs_of(model(0), ids), abs=TOLERANCE)


def test_a_seed_repeats_a_completion_whatever_else_runs(connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()

    async def many(seeds: range) -> list[list[int]]:
        asked = (engine.generate(Prompt([1, 2, i]), sampling(seed=i), session=str(i)) for i in seeds)
        return [completion.token_ids for completion in await asyncio.gather(*asked)]

    together = run(lambda: many(range(16)))
    assert [run(functools.partial(many, range(i, i + 1)))[0] for i in range(16)] == together
    assert len(set(map(tuple, together))) > 1


def test_stop_tokens_end_a_completion_and_are_part_of_it(connect: Callable[..., OpenAIEngine]) -> None:
    """Among them one that is no end-of-text token; and end-of-text alone, unasked, ends nothing."""
    engine = connect()
    free = run(lambda: engine.generate(Prompt([5, 9]), sampling(max_tokens=40), session="s"))
    stop = free.token_ids[10]
    where = free.token_ids.index(stop) + 1
    stopped = run(lambda: engine.generate(Prompt([5, 9]), sampling(max_tokens=40, stop_token_ids=(stop,)), session="s"))
    assert (stopped.token_ids, stopped.finish_reason) == (free.token_ids[:where], "stop")
    assert len(stopped.logprobs) == where


def test_chats(connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect(form="text")
    assert run(lambda: engine.chat([{"role": "user", "content": "hi"}], sampling(temperature=0.0)))


def test_weights_follow_the_learner(connect: Callable[..., OpenAIEngine], tmp_path: Path) -> None:
    """Also in the middle of a completion: its later tokens are the new model's, and say so."""
    first, second, prompt = model(1), model(2), [5, 9, 200]
    learner = model(1)
    engine = connect(learner, weights=tmp_path)
    assert_sampled_by(first, prompt, run(lambda: engine.generate(Prompt(prompt), sampling(), session="s")))

    async def update_in_flight() -> list[Completion]:
        """Begun one after the other: when the first is over, the update meets others in the middle."""
        begun = []
        for number in range(16):
            asked = engine.generate(Prompt(prompt), sampling(max_tokens=120, seed=number), session=str(number))
            begun.append(asyncio.create_task(asked))
            await asyncio.sleep(0.03)
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        learner.load_state_dict(second.state_dict())
        await engine.update_weights(4, weights_of(learner))
        return await asyncio.gather(*begun)

    met = 0
    for completion in run(update_in_flight):
        versions, ids = completion.policy_versions, [*prompt, *completion.token_ids]
        assert versions == sorted(versions)
        assert set(versions) <= {0, 4}
        turned = versions.count(0)
        before, after = (logprobs_of(module, ids)[len(prompt) :] for module in (first, second))
        assert completion.logprobs == pytest.approx([*before[:turned], *after[turned:]], abs=TOLERANCE)
        met += 0 < turned < len(versions)
    assert met > 0
    assert run(lambda: engine.score(Prompt(ids[:100]))) == pytest.approx(logprobs_of(second, ids[:100]), abs=TOLERANCE)


def test_a_failed_update_leaves_the_old_weights(
    connect: Callable[..., OpenAIEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, prompt = model(3), [5, 9, 200]
    engine = connect(learner, weights=tmp_path)
    save = type(learner).save_pretrained

    def save_half(shape: Any, directory: Path, **options: Any) -> None:
        save(shape, directory, **options)
        file = Path(directory) / "model.safetensors"
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    monkeypatch.setattr(type(learner), "save_pretrained", save_half)
    learner.load_state_dict(model(2).state_dict())
    with pytest.raises(EngineError, match="version 1 was not taken up, the old one goes on"):
        run(lambda: engine.update_weights(1, weights_of(learner)))
    completion = run(lambda: engine.generate(Prompt(prompt), sampling(), session="s"))
    assert_sampled_by(model(3), prompt, completion)
    assert completion.policy_versions == [0] * 12


def test_a_first_update_that_fails_leaves_what_the_server_started_with(
    connect: Callable[..., OpenAIEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, prompt = model(3), [5, 9, 200]
    with monkeypatch.context() as patch:
        patch.setattr(type(learner), "save_pretrained", lambda shape, directory, **_: Path(directory).mkdir())
        with pytest.raises(ConfigError, match="the weights cannot follow the learner through"):
            connect(learner, weights=tmp_path)
    engine = connect()
    assert_sampled_by(model(0), prompt, run(lambda: engine.generate(Prompt(prompt), sampling(), session="s")))


def test_an_adapter_follows_merged(connect: Callable[..., OpenAIEngine], tmp_path: Path) -> None:
    peft, prompt = pytest.importorskip("peft", reason="needs the extra lora"), [5, 9, 200]
    learner = peft.get_peft_model(model(3), peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"]))
    engine = connect(learner, weights=tmp_path)
    with torch.no_grad():
        for name, parameter in learner.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.linspace(-0.3, 0.3, parameter.numel()).view_as(parameter))
    learner.eval()
    run(lambda: engine.update_weights(1, weights_of(learner)))
    completion = run(lambda: engine.generate(Prompt(prompt), sampling(), session="s"))
    assert_sampled_by(learner, prompt, completion)
    ids = [*prompt, *completion.token_ids]
    assert logprobs_of(model(3), ids) != pytest.approx(logprobs_of(learner, ids), abs=0.1)
