"""The estimate of memory: by hand, against a measured peak, and what is said when it does not fit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen2Config

from agentgym.errors import UserError
from agentgym.learn import footprint
from agentgym.learn.footprint import available, check_fits, estimate

CPU = torch.device("cpu")


def config(**changes: Any) -> Qwen2Config:
    sizes: dict[str, Any] = {
        "vocab_size": 100,
        "hidden_size": 8,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 10,
    }
    return Qwen2Config(**{**sizes, **changes})


def small(**changes: Any) -> dict[str, int]:
    settings: dict[str, Any] = {
        "num_parameters": 1000,
        "num_trained": 600,
        "max_microbatch_tokens": 50,
        "max_context": 20,
        "sessions": 4,
    }
    return estimate(config(), **{**settings, **changes})


def test_by_hand() -> None:
    """A head has 8 / 4 = 2 numbers, keys 2 × 2 = 4.

    Weights 4 × 1000, gradients 4 × 600, Adam's two moments 8 × 600. A layer keeps 6 × 8 + 2 × 8 + 2 × 4 + 4 × 10 = 112
    numbers of a token, and the gradients of one layer take as much: 50 × (3 + 1) × 112 × 4 = 89,600. 50 × 100 logits
    are kept, and two more chunks, which here are as large: 3 × 5000 × 4. Keys and values: 2 × 4 bytes × 4 sessions ×
    20 tokens × 3 layers × 4.
    """
    assert small() == {
        "weights": 4000,
        "gradients": 2400,
        "optimizer": 4800,
        "activations": 89_600,
        "logits": 60_000,
        "cache": 7680,
    }


def test_halves_and_layers_made_again_by_hand() -> None:
    """In halves: 48 numbers of 4 bytes and 64 of 2, 50 × 4 × 320. Under autocast the weights' copies, 2 × 1000, too.

    Trained in copies: 4 × 600 for the sums of gradients, 12 × 600 for copies and moments. With adapters of four bytes
    on weights of two no copies: 8 × 600.

    Made again: two layers' worth, and 8 numbers between each two of three: 50 × (2 × 448 + 4 × 24).
    """
    halves = {"weights": 2000, "gradients": 2400, "optimizer": 7200, "activations": 64_000, "cache": 3840}
    assert small(element_size=2) == {**small(), **halves}
    assert small(element_size=2, trained_size=4) == {**small(), **halves, "optimizer": 4800}
    doubles = {"weights": 8000, "gradients": 4800, "optimizer": 9600}
    assert {**small(element_size=8), **doubles} == small(element_size=8)
    assert small(autocast=True) == {**small(), "activations": 66_000}
    assert small(gradient_checkpointing=True) == {**small(), "activations": 49_600}
    assert estimate(
        config(head_dim=6), num_parameters=0, num_trained=0, max_microbatch_tokens=1, max_context=1, sessions=1
    )["cache"] == 2 * 4 * 3 * (2 * 6)


def test_what_lowers_which_item() -> None:
    base = small()

    def changed(**changes: Any) -> set[str]:
        other = small(**changes)
        assert all(other[name] <= base[name] for name in base)
        return {name for name in base if other[name] < base[name]}

    assert changed(num_trained=10) == {"gradients", "optimizer"}
    assert changed(gradient_checkpointing=True) == {"activations"}
    assert changed(max_microbatch_tokens=20) == {"activations", "logits"}
    assert changed(sessions=1) == changed(max_context=10) == {"cache"}


def test_one_row_may_be_longer_than_a_microbatch() -> None:
    assert small(max_context=200, sessions=0)["activations"] == 4 * small(sessions=0)["activations"]


def test_many_logits_are_not_kept() -> None:
    """2,000 tokens × 100,000 are above the limit of 2²⁶; left are two chunks of 256 tokens."""
    needed = estimate(
        config(vocab_size=100_000), num_parameters=1, num_trained=1, max_microbatch_tokens=2000, max_context=1
    )
    assert needed["logits"] == 4 * 2 * 256 * 100_000


@pytest.mark.parametrize(
    ("item", "remedy"),
    [
        ("weights", "--model"),
        ("optimizer", "--lora"),
        ("activations", "--trainer.max_microbatch_tokens"),
        ("logits", "--trainer.max_microbatch_tokens"),
        ("cache", "--rollout.concurrency or --engine.max_context"),
    ],
)
def test_what_does_not_fit_is_told_with_what_to_lower(item: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "available", lambda device: 2 * 2**30)
    check_fits({"gradients": 2**30, item: 2**30}, CPU)
    with pytest.raises(
        UserError, match=rf"about 4\.0 GiB .* 2\.0 GiB are free on cpu: {item} 3\.0 GiB, .*{re.escape(remedy)}"
    ):
        check_fits({"gradients": 2**30, item: 3 * 2**30}, CPU)


def test_what_cannot_be_told_is_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available(torch.device("meta")) is None
    check_fits({"weights": 2**60}, torch.device("meta"))


@pytest.mark.parametrize(
    ("kilobytes", "limit", "used", "left"),
    [
        (5, None, None, 5120),
        (5, "max", "300", 5120),
        (5, "1000", "300", 700),
        (5, "6000", "300", 5120),
        (5, "200", "300", 0),
        (5, "1000", None, 5120),
        (None, "1000", "300", 700),
        (None, None, None, None),
    ],
)
def test_the_less_of_what_the_machine_and_its_container_have_is_free(
    kilobytes: int | None,
    limit: str | None,
    used: str | None,
    left: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = "MemTotal: 99 kB\n" + ("" if kilobytes is None else f"MemAvailable:   {kilobytes} kB\n") + "Cached: 7 kB\n"
    files = {"proc/meminfo": told, "sys/fs/cgroup/memory.max": limit, "sys/fs/cgroup/memory.current": used}
    for name, text in files.items():
        if text is not None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(footprint, "Path", lambda path: tmp_path / path.lstrip("/"))
    assert available(CPU) == left
    (tmp_path / "proc/meminfo").unlink()
    assert available(CPU) is None


def test_what_fits_to_the_byte_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "available", lambda device: 1000)
    check_fits({"weights": 600, "cache": 400}, CPU)
    with pytest.raises(UserError, match="choose a smaller --model"):
        check_fits({"weights": 601, "cache": 400}, CPU)


def test_sizes_are_told_in_the_unit_that_suits_them() -> None:
    assert [footprint.told(size) for size in (2**20, 2**29 - 2**20, 2**29, 3 * 2**30)] == [
        "1 MiB",
        "511 MiB",
        "0.5 GiB",
        "3.0 GiB",
    ]


def test_on_a_gpu_what_pytorch_keeps_for_later_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier stage has left 300 of 500 bytes unused, and the device has 70 more: 370."""
    for name, found in {"mem_get_info": (70, 1000), "memory_reserved": 500, "memory_allocated": 200}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, found=found: found)
    assert available(torch.device("cuda")) == 370


@pytest.mark.gpu  # left out where there is no CUDA device: see pyproject.toml
def test_what_a_gpu_has_freed_is_free_again() -> None:
    device = torch.device("cuda")
    before = available(device)
    taken = torch.zeros(2**28, dtype=torch.uint8, device=device)
    during = available(device)
    del taken
    after = available(device)
    assert before is not None
    assert during is not None
    assert after is not None
    assert before - during >= 2**28
    assert after - during >= 2**28


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="reads Linux's /proc")
def test_there_is_some_memory() -> None:
    free = available(CPU)
    assert free is not None
    assert 2**20 < free < 2**50


_MEASURE = """
import json
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM
from agentgym.learn.rows import Row
from agentgym.learn.footprint import estimate
from agentgym.learn.learner import Learner

torch.set_num_threads(1)
config = Qwen2Config(vocab_size=4000, hidden_size=128, num_hidden_layers=6, num_attention_heads=4,
                     num_key_value_heads=2, intermediate_size=512, tie_word_embeddings=True)
model = Qwen2ForCausalLM(config).eval()
size = sum(p.numel() for p in model.parameters())
learner = Learner(model, learning_rate=1e-5, gradient_checkpointing=True)

def update(lengths):
    rows = [Row(token_ids=[(i + n) % 4000 for i in range(n)], loss_mask=[True] * n, behavior_logprobs=[0.0] * n,
                advantages=[1.0] * n) for n in lengths]  # which begin with nothing alike
    learner.update(rows, lambda predictions, batch: (-predictions.logprobs_N, {}))
    status = open("/proc/self/status").read()  # ru_maxrss would be that of the process that started this one
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

tiny = update([3, 2])  # makes gradients and moments, and loads what is loaded on first use
lengths, found = list(range(150, 250, 4)), []
for checkpointing in (True, False):
    if not checkpointing:
        model.gradient_checkpointing_disable()
    needed = estimate(config, num_parameters=size, num_trained=size, max_microbatch_tokens=sum(lengths),
                      max_context=250, gradient_checkpointing=checkpointing)
    found.append([needed["activations"] + needed["logits"], update(lengths) - tiny])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_a_measured_peak_is_within_a_factor_of_two() -> None:
    """What a large update adds to a tiny one, with gradient checkpointing and then without."""
    done = subprocess.run([sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    for estimated, measured in found:
        assert estimated / 2 < measured < 2 * estimated
    assert found[0][1] < found[1][1]
