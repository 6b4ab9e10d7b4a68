"""A model without its weights, as bytes: with them another machine makes one like it, and is sent the weights then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers.initialization import no_init_weights

from agentgym.hosts.processes.frames import Packet, framed, unframed
from agentgym.learn.policy import load_tokenizer
from agentgym.learn.processing import load_processor, sees
from agentgym.processor import Images
from agentgym.scratch import scratch
from agentgym.vision import attach, images_of

__all__ = ["blueprint", "built"]


def blueprint(module: Any) -> bytes:
    """Configuration, adapters and image processor of a transformers model, or of a peft model around one."""
    is_adapted = hasattr(module, "peft_config")
    base = module.get_base_model() if is_adapted else module
    head: dict[str, Any] = {"dtype": str(base.dtype).removeprefix("torch."), "adapters": []}
    with scratch() as directory:
        base.config.save_pretrained(directory)
        if base.generation_config is not None:
            base.generation_config.save_pretrained(directory)
        if (images := images_of(base)) is not None:
            images.processor.save_pretrained(directory)
        for adapter, config in (module.peft_config if is_adapted else {}).items():
            config.save_pretrained(directory / "adapters" / adapter)
            head["adapters"].append(adapter)
        files = {
            str(file.relative_to(directory)): file.read_bytes()
            for file in sorted(directory.rglob("*"))
            if file.is_file()
        }
    head["files"] = [[name, len(data)] for name, data in files.items()]
    return framed(Packet(head, b"".join(files.values())))


def built(data: bytes) -> Any:
    """A model like the one that ``blueprint`` was given, in evaluation mode; its weights are still to come."""
    head, attached = unframed(data)
    with scratch() as directory:
        for path, size in head["files"]:
            file = directory / path
            if not file.resolve().is_relative_to(directory.resolve()):
                raise ValueError(f'"{path}" leads out of the model\'s directory')
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(attached[:size])
            attached = attached[size:]
        module = _base(directory, getattr(torch, head["dtype"]))
        return (_adapted(module, directory / "adapters", head["adapters"]) if head["adapters"] else module).eval()


def _base(directory: Path, dtype: torch.dtype) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    kind: Any = AutoModelForImageTextToText if sees(config) else AutoModelForCausalLM
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with no_init_weights(), torch.device(device):
        module = kind.from_config(config, dtype=dtype)
    module.tie_weights()
    if sees(config):
        attach(module, Images(load_processor(str(directory), config, load_tokenizer(str(directory)))))
    return module


def _adapted(module: Any, directory: Path, names: list[str]) -> Any:
    from peft import PeftConfig, PeftModel

    first, *further = [(name, PeftConfig.from_pretrained(str(directory / name))) for name in names]
    adapted = PeftModel(module, first[1], adapter_name=first[0])
    for name, config in further:
        adapted.add_adapter(name, config)
    return adapted
