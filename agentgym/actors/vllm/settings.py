"""The engine's options: their defaults, whether they fit the model and the machine, and what vLLM is told of them.

Whatever can be told beforehand is told here, in words of the command line; from a process that fails in starting only a
stack trace would come back.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Mapping
from typing import Any, Literal

import torch

from agentgym.actors.vllm.weights import Weights, is_adapted
from agentgym.errors import ConfigError

__all__ = ["Options", "engine_settings", "kv_cache_bytes", "settled"]

HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
"""Sizes of an attention head that vLLM's CPU kernels are compiled for."""

BLOCK = {"cpu": 32, "cuda": 16}
"""Tokens in a block of the key/value cache, the least the kernels take: a prefix is found again up to whole blocks."""

_GIB = 2**30

Transfer = Literal["disk", "nccl", "ipc"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The engine's options, with those filled in that go by the model and its device."""

    max_context: int
    max_sessions: int
    update: Literal["keep", "wait", "abort"]
    kv_cache_gib: float | None
    transfer: Transfer
    port: int | None
    gpu_memory: float | None
    tensor_parallel: int
    sleep: bool
    prefix_caching: bool
    seed: int
    device: Literal["cpu", "cuda"]


def settled(module: Any, given: Mapping[str, Any]) -> Options:
    """``given`` with defaults for what is None. Raises ConfigError for what does not fit the model or the machine."""
    device: Literal["cpu", "cuda"] = "cuda" if module.device.type == "cuda" else "cpu"
    config = module.config.get_text_config()
    transfer = given["transfer"] or ("disk" if device == "cpu" or is_adapted(module) else "ipc")
    options = Options(
        **{
            **given,
            "max_context": _context(config, given["max_context"]),
            "transfer": transfer,
            "device": device,
        }
    )
    _check_device(options)
    if is_adapted(module) and transfer != "disk":
        raise ConfigError(
            f"engine.transfer={transfer} has no effect with LoRA: an adapter goes by disk; leave the option out"
        )
    if device == "cpu" and (size := _head_size(config)) not in HEAD_SIZES:
        known = ", ".join(map(str, HEAD_SIZES))
        raise ConfigError(
            f"the model's attention heads have size {size}; vLLM on a CPU serves {known}: choose a model with one of "
            "these (--model.width is heads times size), or type: --engine embedded"
        )
    return options


def _context(config: Any, given: int | None) -> int:
    limit = int(getattr(config, "max_position_embeddings", 2**31))
    if given is not None and given > limit:
        raise ConfigError(f"engine.max_context is {given}, the model was made for {limit} at most")
    return given or limit


def _check_device(options: Options) -> None:
    if options.port is not None and options.transfer != "nccl":
        raise ConfigError(
            f"engine.port has no effect with engine.transfer={options.transfer}; "
            "it is where nccl's two sides meet: leave it out, or add --engine.transfer nccl"
        )
    if options.device == "cpu":
        for name, is_given in (
            ("transfer", options.transfer != "disk"),
            ("sleep", options.sleep),
            ("gpu_memory", options.gpu_memory is not None),
        ):
            if is_given:
                value = getattr(options, name)
                raise ConfigError(
                    f"engine.{name}={value} needs a GPU, and the model is on the CPU; leave the option out, "
                    "or put the model on one: --model.device cuda"
                )
        return
    if options.transfer == "nccl" and torch.cuda.device_count() <= options.tensor_parallel:
        raise ConfigError(
            f"engine.transfer=nccl needs {options.tensor_parallel} GPUs besides the learner's, found "
            f"{torch.cuda.device_count()} in all; on one GPU leave the option out: weights then go by CUDA IPC"
        )
    if options.transfer == "ipc" and options.tensor_parallel > 1:
        raise ConfigError("engine.transfer=ipc serves one GPU; with engine.tensor_parallel add --engine.transfer nccl")
    if options.port is not None and not _is_free(options.port):
        raise ConfigError(f"engine.port {options.port} is in use; choose another one or leave it out for any free one")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _head_size(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def kv_cache_bytes(config: Any, dtype: str, options: Options, *, available: int | None = None) -> int | None:
    """Bytes for the key/value cache; None leaves it to vLLM and ``gpu_memory``.

    On a CPU, where nothing is said, every session gets its whole context, within a quarter of the memory that is free.
    Raises ConfigError when one context does not fit, or the machine does not have the memory.
    """
    if options.device == "cuda" and options.kv_cache_gib is None:
        return None
    block = BLOCK[options.device]
    context = -(-options.max_context // block) * block * _bytes_per_token(config, dtype) // options.tensor_parallel
    if options.kv_cache_gib is None:
        free = _free_memory() if available is None else available
        wanted = max(context, min(context * options.max_sessions, free // 4))
        if wanted > free:
            raise ConfigError(
                f"the keys and values of one context of {options.max_context} tokens take {context / _GIB:.2f} GiB, "
                f"and {free / _GIB:.2f} GiB of memory are free; lower --engine.max_context"
            )
        return wanted
    given = int(options.kv_cache_gib * _GIB)
    if given < context:
        raise ConfigError(
            f"engine.kv_cache_gib is {options.kv_cache_gib:g}; the keys and values of one context of "
            f"{options.max_context} tokens take {context / _GIB:.4g} GiB: raise --engine.kv_cache_gib or lower "
            "--engine.max_context"
        )
    free = _free_memory() if available is None else available
    if options.device == "cpu" and given > free:
        raise ConfigError(
            f"engine.kv_cache_gib is {options.kv_cache_gib:g}, and {free / _GIB:.2f} GiB of memory are free; lower it "
            f"(one context takes {context / _GIB:.4g} GiB; {options.max_sessions} sessions share the cache: "
            "--engine.max_sessions)"
        )
    return given


def _bytes_per_token(config: Any, dtype: str) -> int:
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * _head_size(config) * getattr(torch, dtype).itemsize)


def _free_memory() -> int:
    with open("/proc/meminfo") as file:
        values = dict(line.split(":") for line in file)
    return int(values["MemAvailable"].split()[0]) * 1024


def engine_settings(module: Any, weights: Weights, options: Options) -> dict[str, Any]:
    """For ``AsyncEngineArgs``, all but the model."""
    settings: dict[str, Any] = {
        "skip_tokenizer_init": True,
        "dtype": weights.dtype,
        "seed": options.seed,
        "max_model_len": options.max_context,
        "max_num_seqs": options.max_sessions,
        "tensor_parallel_size": options.tensor_parallel,
        "enable_prefix_caching": options.prefix_caching,
        "block_size": BLOCK[options.device],
        "kv_cache_memory_bytes": kv_cache_bytes(module.config.get_text_config(), weights.dtype, options),
        "enforce_eager": options.device == "cpu",
        "logprobs_mode": "processed_logprobs",
        "max_logprobs": 1,
        "generation_config": "vllm",
        "worker_extension_cls": "agentgym.actors.vllm.worker.Weights",
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    if weights.images is not None:
        from agentgym.actors.vllm.images import image_settings  # imports vLLM

        settings |= image_settings(type(weights.base).__name__, options.device)
    if weights.lora is not None:  # the present adapter, and those that requests in flight still name
        settings |= {"enable_lora": True, "max_lora_rank": weights.lora, "max_loras": 2, "max_cpu_loras": 4}
    if options.device == "cuda":
        settings |= {"gpu_memory_utilization": options.gpu_memory or 0.45, "enable_sleep_mode": options.sleep}
        if options.transfer != "disk":
            settings["weight_transfer_config"] = {"backend": options.transfer}
    return settings
