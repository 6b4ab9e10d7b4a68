"""The policy of a run as one plain model: a directory that transformers, vLLM and ``--model`` load, without an adapter.

An adapter is merged in float32, and the model is then written in the type of its base. What is no adapter is written as
it is: all weights of a model, nano's too, and what a GGUF file holds.
"""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from agentgym import sealed
from agentgym.errors import DataError, UserError
from agentgym.launch.models import policy_source
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.sources import base_of, directory_of, is_adapter, is_here
from agentgym.weights import weights_of

__all__ = ["merge"]

_CLOSE = 1e-2
"""How far a log-probability may be from the adapter's, in float32: rounding makes some 1e-5."""
_TEXT = "Name three things that float, and say why they do."


def merge(source: Path, output: Path) -> str:
    """Write the policy of the run or directory ``source`` to ``output``, which is new or empty; says what it became.

    Raises UserError where there is no policy, ``output`` is taken or the disk refuses, DataError where the merged
    weights would say something else than the adapter.
    """
    output = Path(os.path.abspath(output))
    place = _policy_in(source)
    _refuse_taken(output)
    policy = load_policy(place, device="cpu")
    dtype = _stored_type(directory_of(base_of(place)))
    _refuse_full_disk(output, _size(policy, dtype))
    told = _merged(policy, place, dtype) if is_adapter(place) else "it had no adapter, and is what it was"
    policy.module.to(dtype)
    try:
        sealed.seal(output, policy.save)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}; choose another --output") from None
    name = str(dtype).removeprefix("torch.")
    return f"{output} is a plain model of {_size(policy, dtype) / 1e6:.1f} MB in {name}: {told}"


def _policy_in(source: Path) -> Path:
    place = Path(policy_source(source))
    if not is_here(place):
        raise UserError(
            f"there is no {source}; expected a run, the directory of a model or of an adapter, or a .gguf file"
        )
    is_run = (source / "policies").is_dir() or (source / "ledger.jsonl").exists()
    if is_run and place == source:
        raise UserError(f"{source} has no trained policy yet; let it finish: agentgym train --resume {source}")
    return place


def _refuse_taken(output: Path) -> None:
    if output.is_dir() and not any(output.iterdir()):
        return
    if os.path.lexists(output):
        what = "is not empty" if output.is_dir() else "is no directory"
        raise UserError(f"{output} {what}; expected a new or an empty directory: choose another --output")


def _stored_type(directory: str) -> torch.dtype:
    """Of the weights, as the model in ``directory`` says; float32 where it does not."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    found: Any = config.dtype or config.get_text_config().dtype or torch.float32
    return found if isinstance(found, torch.dtype) else getattr(torch, found)


def _size(policy: Policy, dtype: torch.dtype) -> int:
    """Bytes of the weights in ``dtype``; of an adapter that is not merged yet, its own too."""
    return dtype.itemsize * sum(tensor.numel() for _, tensor in weights_of(policy.module))


def _refuse_full_disk(output: Path, needed: int) -> None:
    existing = next(path for path in [output, *output.parents] if path.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"the model takes {needed / 1e6:.1f} MB under {output}, {free / 1e6:.1f} MB are free; choose an --output "
            "on a larger disk"
        )


def _merged(policy: Policy, place: Path, dtype: torch.dtype) -> str:
    """Have ``policy`` be the model itself, its adapter in the weights and these rounded to ``dtype``; says how close.

    Raises DataError where it then says something else, as it does of an adapter of a matrix that others share.
    """
    ids = policy.tokenizer.encode(policy.tokenizer.render([{"role": "user", "content": _TEXT}]))
    logprobs = functools.partial(_logprobs, ids=torch.tensor([ids]))
    before = logprobs(policy.module)
    policy.module = policy.module.merge_and_unload().eval()
    merged = float((logprobs(policy.module) - before).abs().max())
    if not merged < _CLOSE:
        raise DataError(
            f"the adapter in {place} cannot be merged: log-probabilities would be {merged:.2g} from its own, expected "
            f"less than {_CLOSE:g}; use it as it is: --model {place}"
        )
    with torch.no_grad():
        for parameter in policy.module.parameters():
            parameter.copy_(parameter.to(dtype))
    rounded = float((logprobs(policy.module) - before).abs().max())
    return f"log-probabilities of a prompt of {len(ids)} tokens are within {rounded:.1g} of the adapter's"


@torch.inference_mode()
def _logprobs(module: Any, ids: torch.Tensor) -> torch.Tensor:
    """Of every token of the vocabulary, behind every one of ``ids``."""
    logprobs: torch.Tensor = module(input_ids=ids).logits[0].float().log_softmax(-1)
    return logprobs
