"""A policy: a language model and its tokenizer, from a Hugging Face id, a directory, or made new.

A model is loaded as what its configuration says that it is: one that sees comes with its processor. What is saved is a
directory that ``transformers`` itself can load; with LoRA, the adapter alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from transformers.utils.logging import disable_progress_bar

from agentgym.errors import UserError
from agentgym.learn.processing import load_processor, sees
from agentgym.processor import Images
from agentgym.tokenizer import ChatTokenizer
from agentgym.vision import attach
from agentgym.weights import put, weights_of

__all__ = ["Policy", "load_policy", "load_tokenizer", "saved_ends"]

disable_progress_bar()  # a bar for each save of a small file would drown the run's own


@dataclasses.dataclass(slots=True)
class Policy:
    """``module`` in evaluation mode on its device, and the tokenizer that belongs to it."""

    module: Any
    tokenizer: ChatTokenizer

    def save(self, directory: Path) -> None:
        """Write weights (safetensors), configuration and tokenizer or processor."""
        self.module.save_pretrained(directory)
        (self.tokenizer.images.processor if self.tokenizer.images else self.tokenizer.hf).save_pretrained(directory)

    def restore(self, directory: Path) -> None:
        """Take up the weights that ``save`` wrote to ``directory``. Raises UserError when there is no such model."""
        dtype: Any = str(self.module.dtype).removeprefix("torch.")
        put(self.module, load_policy(directory, device=str(self.module.device), dtype=dtype).weights())

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """By the names of the module's state dict, a shared one once; no copies."""
        return weights_of(self.module)

    @property
    def num_parameters(self) -> int:
        """All of them, frozen ones too."""
        return sum(parameter.numel() for parameter in self.module.parameters())


def load_policy(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: Literal["float32", "bfloat16"] = "float32",
    lora_rank: int | None = None,
) -> Policy:
    """The model ``source``: a Hugging Face id or a directory, with a fresh adapter if ``lora_rank`` is given.

    Raises UserError when there is no such model, it cannot be read or be shown images, or it has no chat template.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        base = _base_of(source)
        tokenizer, config = load_tokenizer(base), AutoConfig.from_pretrained(base)
        kind: Any = AutoModelForImageTextToText if sees(config) else AutoModelForCausalLM
        module = kind.from_pretrained(base, dtype=getattr(torch, dtype))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f'cannot load the model "{source}": {reason}; expected a run directory, a directory with config.json and '
            "model.safetensors, or a Hugging Face id such as Qwen/Qwen3-0.6B"
        ) from None
    images = None
    if sees(config):
        images = Images(load_processor(base, config, tokenizer))
        tokenizer.chat_template = tokenizer.chat_template or images.processor.chat_template
    chat = ChatTokenizer(tokenizer, images, stops=_ends(module.generation_config))
    module = module.to(device=chosen).eval()
    if images is not None:
        attach(module, images)
    if _is_adapter(source) or lora_rank is not None:
        module = _with_adapter(module, source, lora_rank)
    return Policy(module.to(device=chosen).eval(), chat)


def load_tokenizer(source: str) -> Any:
    """The tokenizer as it was saved. Raises OSError or ValueError where there is none.

    AutoTokenizer would take the class that goes with the model's type (Qwen2) in place of nano's plain one.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    config = Path(source) / "tokenizer_config.json"
    own = config.is_file() and json.loads(config.read_text()).get("tokenizer_class") in (
        "TokenizersBackend",
        "PreTrainedTokenizerFast",
    )
    return (PreTrainedTokenizerFast if own else AutoTokenizer).from_pretrained(source)


def saved_ends(source: str) -> list[int]:
    """The tokens that end a reply as the model ``source`` has it in generation_config.json; none where it has none."""
    from transformers import GenerationConfig

    try:
        return _ends(GenerationConfig.from_pretrained(source))
    except (OSError, ValueError):
        return []


def _ends(generation: Any) -> list[int]:
    """What a configuration of generation calls eos: nothing, a token, or several."""
    found = getattr(generation, "eos_token_id", None)
    return list(found) if isinstance(found, list | tuple) else [] if found is None else [found]


def _is_adapter(source: str | Path) -> bool:
    return (Path(source) / "adapter_config.json").is_file()


def _base_of(source: str | Path) -> str:
    if not _is_adapter(source):
        return str(source)
    from peft import PeftConfig

    return str(PeftConfig.from_pretrained(str(source)).base_model_name_or_path)


def _with_adapter(module: Any, source: str | Path, rank: int | None) -> Any:
    try:
        from peft import LoraConfig, PeftModel, get_peft_model
    except ImportError:
        raise UserError("LoRA needs peft, which is not installed; type: pip install 'agentgym-lab[lora]'") from None
    if _is_adapter(source):
        return PeftModel.from_pretrained(module, str(source), is_trainable=True)
    return get_peft_model(
        module,
        LoraConfig(r=rank or 16, lora_alpha=2 * (rank or 16), target_modules="all-linear", task_type="CAUSAL_LM"),
    )
