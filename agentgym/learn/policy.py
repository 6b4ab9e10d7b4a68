"""A policy: a language model and its tokenizer, from a Hugging Face id, a directory, a GGUF file, or made new.

A model is loaded as what its configuration says that it is: one that sees comes with its processor. What is saved is a
directory that ``transformers`` itself can load; with LoRA, the adapter alone.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from transformers.utils.logging import disable_progress_bar

from agentgym.errors import UserError
from agentgym.learn import lead
from agentgym.learn.distributed import World
from agentgym.learn.processing import load_processor, sees
from agentgym.learn.sharding import is_sharded
from agentgym.learn.sources import (
    base_of,
    directory_of,
    is_adapter,
    loading,
    note_base,
    refuse_no_tokenizer,
    refuse_other_rank,
)
from agentgym.processor import Images
from agentgym.scratch import scratch
from agentgym.tokenizer import ChatTokenizer
from agentgym.vision import attach
from agentgym.weights import part, put, rows_here, weights_of

__all__ = ["Policy", "load_policy", "load_tokenizer", "saved_ends"]

disable_progress_bar()  # a bar for each save of a small file would drown the run's own


@dataclasses.dataclass(slots=True)
class Policy:
    """``module`` in evaluation mode on its device, and the tokenizer that belongs to it."""

    module: Any
    tokenizer: ChatTokenizer

    def save(self, directory: Path) -> None:
        """Write weights (safetensors), configuration and tokenizer or processor.

        All processes call it that the weights are spread over; the first one writes.
        """
        options: dict[str, Any] = {}
        if is_sharded(self.module):
            weights = self.weights(trained=_is_adapted(self.module))
            options["state_dict"] = {name: tensor.cpu() for name, tensor in weights if World.here().is_first}
        if not World.here().is_first:
            return
        with warnings.catch_warnings():
            # peft looks for a configuration beside the base, which a GGUF file has inside; its vocabulary is as it was.
            warnings.filterwarnings("ignore", "Could not find a config file in .* - will assume")
            self.module.save_pretrained(directory, **options)
        if _is_adapted(self.module):
            note_base(directory, str(self.module.get_base_model().name_or_path))
        self._processor.save_pretrained(directory)

    def refuse_unsavable(self) -> None:
        """Raise UserError where ``save`` would fail for another reason than the disk; weights are not written."""
        own = [] if _is_adapted(self.module) else [self.module.config, self.module.generation_config]
        with scratch() as directory:
            for part in [*(part for part in own if part is not None), self._processor]:
                try:
                    part.save_pretrained(directory)
                except Exception as error:
                    reason = " ".join(str(error).split())
                    raise UserError(
                        f"the model cannot be saved, and so not be trained: its {type(part).__name__} is refused by "
                        f"transformers: {reason} Mend that file of the model, for a generation_config.json with "
                        '"do_sample": true'
                    ) from None

    @property
    def _processor(self) -> Any:
        """Of a policy that sees; else its tokenizer."""
        return self.tokenizer.images.processor if self.tokenizer.images else self.tokenizer.hf

    def restore(self, directory: Path) -> None:
        """Take up the weights that ``save`` wrote to ``directory``. Raises UserError when there is no such model.

        Of an adapter these alone are read: a second copy of the model that it is on may have no room. All processes
        call it that the weights are spread over.
        """
        with lead.telling("restore", lambda: {"from": str(directory.resolve())}):
            self._restore(directory)

    def _restore(self, directory: Path) -> None:
        if _is_adapted(self.module):
            with loading(directory):
                _put_adapter(self.module, directory)
            return
        dtype: Any = str(self.module.dtype).removeprefix("torch.")
        put(self.module, load_policy(directory, device=str(self.module.device), dtype=dtype).weights())

    def weights(self, *, trained: bool = False) -> Iterator[tuple[str, torch.Tensor]]:
        """By the names of the module's state dict, a shared one once; no copies. With ``trained`` these alone."""
        with lead.telling("policy", lambda: {"trained": trained}):
            return weights_of(self.module, trained=trained)

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
    """The model ``source``: a Hugging Face id, a directory or a GGUF file; with ``lora_rank`` under a fresh adapter.

    Raises UserError when there is no such model, it cannot be read or be shown images, it has no chat template, or it
    is an adapter of another rank. Code that a model brings is not run.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if is_adapter(source) and lora_rank is not None:
        refuse_other_rank(source, lora_rank)
    base = base_of(source)
    with loading(source, base, source):
        place = directory_of(base)
        tokenizer, config = load_tokenizer(place), AutoConfig.from_pretrained(place, trust_remote_code=False)
        kind: Any = AutoModelForImageTextToText if sees(config) else AutoModelForCausalLM
        module, found = kind.from_pretrained(
            place, dtype=getattr(torch, dtype), trust_remote_code=False, output_loading_info=True
        )
        _refuse_holes(source, found["missing_keys"])
        module.name_or_path = tokenizer.name_or_path = base  # which an adapter keeps, and errors name
        images = None
        if sees(config):
            images = Images(load_processor(place, config, tokenizer))
            tokenizer.chat_template = tokenizer.chat_template or images.processor.chat_template
        chat = ChatTokenizer(tokenizer, images, stops=_ends(module.generation_config))
        module = module.to(device=chosen).eval()
        if images is not None:
            attach(module, images)
        if is_adapter(source) or lora_rank is not None:
            module = _with_adapter(module, source, lora_rank, base)
    return Policy(module.to(device=chosen).eval(), chat)


def _refuse_holes(source: str | Path, missing: Iterable[str]) -> None:
    """Raise UserError for weights that no file has: they would be random."""
    names = sorted(missing)
    if names:
        raise UserError(
            f'cannot load the model "{source}": its files have no weights for {", ".join(names[:3])}'
            f"{f' and {len(names) - 3} more' if len(names) > 3 else ''}, which would be random; download it again, or "
            "choose a model with a language model's head"
        )


def load_tokenizer(source: str) -> Any:
    """The tokenizer as it was saved. Raises OSError or ValueError where there is none.

    AutoTokenizer would take the class that goes with the model's type (Qwen2) in place of nano's plain one.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    refuse_no_tokenizer(Path(source))
    config = Path(source) / "tokenizer_config.json"
    own = config.is_file() and json.loads(config.read_text()).get("tokenizer_class") in (
        "TokenizersBackend",
        "PreTrainedTokenizerFast",
    )
    if own:
        return PreTrainedTokenizerFast.from_pretrained(source)
    return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


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


def _is_adapted(module: Any) -> bool:
    return hasattr(module, "peft_config")


def _put_adapter(module: Any, directory: Path) -> None:
    """Raises ValueError where the adapter in ``directory`` has other weights than that of ``module``."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from peft.utils import load_peft_weights

    found = load_peft_weights(str(directory), device=str(module.device))
    if odd := sorted(found.keys() ^ get_peft_model_state_dict(module).keys()):
        raise ValueError(f'it is another adapter: only one of the two has "{odd[0]}"')
    if is_sharded(module):
        for name, own in get_peft_model_state_dict(module).items():
            part(own).copy_(found[name][rows_here(own)])
        return
    set_peft_model_state_dict(module, found)


def _with_adapter(module: Any, source: str | Path, rank: int | None, base: str) -> Any:
    try:
        from peft import LoraConfig, PeftModel, get_peft_model
    except ImportError:
        raise UserError("LoRA needs peft, which is not installed; type: pip install 'agentgym-lab[lora]'") from None
    if is_adapter(source):
        adapted = PeftModel.from_pretrained(module, str(source), is_trainable=True)
        for config in adapted.peft_config.values():
            config.base_model_name_or_path = base  # where it was found, which may be elsewhere than it was
        return adapted
    return get_peft_model(
        module,
        LoraConfig(r=rank or 16, lora_alpha=2 * (rank or 16), target_modules="all-linear", task_type="CAUSAL_LM"),
    )
