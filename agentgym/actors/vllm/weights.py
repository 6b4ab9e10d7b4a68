"""The learner's weights on disk, in the form that vLLM loads: a whole model a version, or a LoRA adapter a version.

The directory lies in /dev/shm where there is one, so that writing costs a copy in memory. What a version wrote stays
until a newer one is live and nothing in flight names it: it is what a restarted engine begins with.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from transformers.utils.logging import disable_progress_bar

from agentgym.engine import NamedWeights
from agentgym.errors import ConfigError
from agentgym.vision import images_of
from agentgym.weights import blank

__all__ = ["LORA_RANKS", "Published", "State", "Weights", "private_directory"]

disable_progress_bar()  # one for each version would drown the run's own

State: TypeAlias = Mapping[str, torch.Tensor]
"""Weights by the names of the module's state dict, a shared one once."""

_WRAPPED = "base_model.model."
"""What peft puts before the names of the model that it wraps."""

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM makes room for; an adapter takes the least that holds it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """The weights of one version."""

    version: int
    number: int
    """Counts what was written, from 1: no two have the same, so a version that is published twice is two."""
    model: Path
    """A directory that transformers can load."""
    adapter: Path | None = None


def private_directory() -> Path:
    """A new directory for this user alone, in memory if possible."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK | os.X_OK) else None
    return Path(tempfile.mkdtemp(prefix="agentgym-vllm-", dir=place))


class Weights:
    """Writes versions of ``module``, a transformers causal LM or a peft model around one, below ``directory``.

    Of the module only its shape is kept; the weights come with each version.
    """

    def __init__(self, module: Any, directory: Path) -> None:
        self.directory = directory
        self.module = blank(module, device="meta")
        self.base = self.module.get_base_model() if is_adapted(module) else self.module
        self.images = images_of(module)
        self.lora = _lora_rank(module) if self.images is None else None
        """Rank of the adapter where vLLM can serve it as one, else None: whole models are written.

        A model that sees has its layers called otherwise in vLLM, whose adapters go by names.
        """
        self._number = 0

    @property
    def dtype(self) -> str:
        """As vLLM calls it: "float32", "bfloat16"."""
        return str(next(self.base.parameters()).dtype).removeprefix("torch.")

    def write(self, version: int, weights: NamedWeights, *, base: Published | None = None) -> Published:
        """``weights`` as ``version``. ``base`` is where the adapter's frozen model lies already."""
        self._number += 1
        state = dict(weights)
        if self.lora is None:
            return Published(version, self._number, self._model(f"model-{self._number}", state, merged=True))
        model = base.model if base else self._model("base", state, merged=False)
        adapter = self.directory / f"adapter-{self._number}"
        self.module.save_pretrained(adapter, state_dict=state)
        return Published(version, self._number, model, adapter)

    def remove(self, published: Published) -> None:
        """Free what ``published`` alone uses."""
        shutil.rmtree(published.adapter or published.model, ignore_errors=True)

    def _model(self, name: str, state: State, *, merged: bool) -> Path:
        path = self.directory / name
        if is_adapted(self.module):
            state = _plain_state(state, dict(_deltas(self.module, state)) if merged else None)
        self.base.save_pretrained(path, state_dict=dict(state))
        if self.images is not None:
            self.images.processor.save_pretrained(path)
        return path


def is_adapted(module: Any) -> bool:
    """Whether it is a peft model."""
    return hasattr(module, "peft_config")


def _lora_rank(module: Any) -> int | None:
    """The rank vLLM must make room for; None where the adapter's effect has to be merged into whole models.

    Raises ConfigError for what can be neither.
    """
    if not is_adapted(module):
        return None
    if len(module.active_adapters) != 1:
        found = ", ".join(module.active_adapters) or "none"
        raise ConfigError(f"the vllm engine serves a model with one active adapter, found {found}")
    config = module.peft_config[module.active_adapters[0]]
    kind = "DoRA" if getattr(config, "use_dora", False) else str(getattr(config.peft_type, "value", config.peft_type))
    if kind != "LORA":
        raise ConfigError(f"the vllm engine serves LoRA adapters, found {kind}; type: --engine embedded")
    if any(getattr(layer, "lora_embedding_A", None) for layer in module.modules()):
        raise ConfigError("the vllm engine serves LoRA on linear layers, found it on an embedding")
    head = module.get_base_model().get_output_embeddings()
    if config.bias != "none" or config.modules_to_save or config.rank_pattern or hasattr(head, "lora_A"):
        return None
    return next((rank for rank in LORA_RANKS if rank >= config.r), None)


def _plain_state(state: State, added: State | None) -> dict[str, torch.Tensor]:
    """``state`` of a peft model as the model's under the adapter, with its own names.

    ``added`` is what the adapter adds to the weights of layers; without it what the adapter trains is left out.
    """
    plain, trained = {}, {}
    for name, tensor in state.items():
        name = name.removeprefix(_WRAPPED)
        if ".lora_" in name:
            continue
        if ".modules_to_save." in name:
            owner, _, rest = name.partition(".modules_to_save.")
            trained[f"{owner}.{rest.partition('.')[2]}"] = tensor
            continue
        owner = name.partition(".base_layer.")[0]
        delta = added.get(owner) if added and name.endswith("base_layer.weight") else None
        plain_name = name.replace(".base_layer.", ".").replace(".original_module.", ".")
        plain[plain_name] = tensor if delta is None else tensor + delta.to(tensor.dtype)
    return plain if added is None else {**plain, **trained}


def _deltas(module: Any, state: State) -> Iterator[tuple[str, torch.Tensor]]:
    """(layer's name, what its adapter in ``state`` adds to its weight); the layers keep the adapter."""
    module.load_state_dict({name: t for name, t in state.items() if ".lora_" in name}, strict=False, assign=True)
    for name, layer in module.get_base_model().named_modules():
        if hasattr(layer, "lora_A"):
            for adapter in set(layer.active_adapters) & set(layer.lora_A):
                yield name, layer.get_delta_weight(adapter).detach()
