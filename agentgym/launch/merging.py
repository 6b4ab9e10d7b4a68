"""The policy of a run as one plain model: a directory that transformers, vLLM and ``--model`` load, without an adapter.

An adapter is merged in float32, and the model is then written in the type of its base. What is no adapter is written as
it is: all weights of a model, nano's too, and what a GGUF file holds.

Several policies become one by arithmetic: what training changed in a model is a task vector (arXiv 2212.04089), which
can be added to another model of the same form. Reasoning vectors are what reinforcement made of an imitating model less
that model: with the weights 1 and -1 it goes into a third one.
"""

from __future__ import annotations

import functools
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from agentgym import sealed
from agentgym.errors import DataError, UserError
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.sources import base_of, directory_of, is_adapter, is_here, policy_source
from agentgym.weights import tensors_of, weights_of

__all__ = ["combine", "merge"]

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
    return f"{_written(policy, output, dtype)}: {told}"


def combine(base: Path, sources: Sequence[Path], output: Path, *, weights: Sequence[float] | None = None) -> str:
    """Write base + Σ weight · (source − base) to ``output``, which is new or empty; says what it became.

    All are runs or directories of one form, with one tokenizer; adapters are merged first. Numbers are added in
    float32, one model at a time beside the sum. Without ``weights`` it is the mean of the sources. Raises UserError
    where there is no policy, where weights or forms do not match, and as ``merge`` does.
    """
    output = Path(os.path.abspath(output))
    weights = _weights(weights, len(sources))
    places = [_policy_in(source) for source in (base, *sources)]
    _refuse_taken(output)
    policy = _plain(places[0])
    dtype = _stored_type(directory_of(base_of(places[0])))
    _refuse_full_disk(output, _size(policy, dtype))
    total = tensors_of(policy.module)
    with torch.no_grad():
        for tensor in filter(torch.is_floating_point, total.values()):
            tensor.mul_(1 - math.fsum(weights))
        for source, place, weight in zip(sources, places[1:], weights, strict=True):
            other = _plain(place)
            _refuse_other_form(base, policy, source, other)
            for name, tensor in weights_of(other.module):
                if tensor.is_floating_point():
                    total[name].add_(tensor, alpha=weight)
    parts = " ".join(
        f"{'+-'[weight < 0]} {abs(weight):g} ({source} - {base})"
        for source, weight in zip(sources, weights, strict=True)
    )
    return f"{_written(policy, output, dtype)}: {base} {parts}"


def _weights(given: Sequence[float] | None, num: int) -> Sequence[float]:
    if given is None:
        return [1 / num] * num
    if len(given) != num:
        raise UserError(f"there are {num} models beside the base and {len(given)} weights; expected one for each")
    if odd := [weight for weight in given if not math.isfinite(weight)]:
        raise UserError(f"a weight is {odd[0]}, expected a finite number")
    if not any(given):
        raise UserError("all weights are 0: it would be the base as it is; leave out what is not to be added")
    return given


def _plain(place: Path) -> Policy:
    """The policy in ``place`` in float32, its adapter in the weights."""
    policy = load_policy(place, device="cpu")
    if is_adapter(place):
        _merged(policy, place, torch.float32)
    return policy


def _refuse_other_form(base: Path, one: Policy, source: Path, other: Policy) -> None:
    """Raise UserError where weights of the two cannot be added, or would not mean the same."""
    types = [type(policy.module).__name__ for policy in (one, other)]
    if types[0] != types[1]:
        raise UserError(f"{source} is a {types[1]} and {base} a {types[0]}; expected models of one architecture")
    own, its = ({name: list(tensor.shape) for name, tensor in weights_of(each.module)} for each in (one, other))
    if odd := sorted(name for name in own.keys() | its.keys() if own.get(name) != its.get(name)):
        shapes = (
            f"{name} {each[odd[0]]}" if odd[0] in each else f"{name} none"
            for name, each in ((base, own), (source, its))
        )
        raise UserError(
            f"{source} is of another size or form than {base}: of {odd[0]} has {', '.join(shapes)}; expected the same "
            "weights, as a model and what was trained from it have"
        )
    if one.tokenizer.fingerprint != other.tokenizer.fingerprint:
        raise UserError(
            f"{source} has another tokenizer than {base}: the same number is another word in them; expected models "
            "that were trained from one"
        )


def _written(policy: Policy, output: Path, dtype: torch.dtype) -> str:
    """Write ``policy`` in the type ``dtype``; says what that is. Raises UserError where it cannot be written."""
    policy.module.to(dtype)
    try:
        sealed.seal(output, policy.save)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}; choose another --output") from None
    return f"{output} is a plain model of {_size(policy, dtype) / 1e6:.1f} MB in {str(dtype).removeprefix('torch.')}"


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
