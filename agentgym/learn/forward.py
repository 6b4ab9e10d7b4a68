"""The policy's forward pass over a microbatch: what objectives see of it.

Any Hugging Face causal LM can be learned with. Sequences are packed where its layers follow transformers' attention
interface: that is found out by a probe, two short sequences packed and padded, whose hidden states must agree and of
which the second must not notice a change in the first. Models that fail it (with a recurrent state, with attention
code of their own), and rows longer than a model's sliding window, are padded on the right instead, rows of like
length together: the same result, only slower. Where a microbatch has a trie, each of its tokens is computed once, at
the place that it has in its rows, and what is found there is every row's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from agentgym import rope, vision
from agentgym.errors import DataError, UserError
from agentgym.learn.attention import Pack, UnsupportedAttentionError, is_packed, packed_attention
from agentgym.learn.batch import Microbatch, microbatches, needed_tokens
from agentgym.learn.distributed import ALONE, World, share_of
from agentgym.learn.head import MAX_LOGITS, Outputs, linear_outputs, module_outputs, outputs_of
from agentgym.learn.prefixes import Trie, plant
from agentgym.learn.rows import Row
from agentgym.learn.sharding import computing
from agentgym.learn.sight import Sight, look

__all__ = ["Predictions", "attending", "decoder_of", "predict", "predictive_hidden", "score", "traits_of"]

_PADDING_WASTE = 1.25
"""Rows padded together may take so many times their real tokens."""


@dataclasses.dataclass(slots=True)
class Predictions:
    """What the policy says about the trained tokens of a microbatch; all three can be differentiated.

    With z = logits / temperature at the position before a token.
    """

    logprobs_N: torch.Tensor
    """z[token] - logsumexp(z)."""
    entropies_N: torch.Tensor
    """-∑ p log p with p = softmax(z), in nats."""
    logsumexps_N: torch.Tensor
    """logsumexp(z)."""


def predict(module: Any, batch: Microbatch, *, temperature: float = 1.0, max_logits: int = MAX_LOGITS) -> Predictions:
    """Predictions for the trained tokens, under ``logits / temperature``, holding ``max_logits`` logits at most.

    A model that changes its logits after the head in a way that is not known here has all of them made at once.
    """
    trie, targets_N = batch.trie, batch.targets_N
    if trie is None:
        return Predictions(*_outputs(module, batch, targets_N, temperature, max_logits))
    found = _outputs(module, batch, targets_N[trie.chosen_U], temperature, max_logits)
    return Predictions(*(output_U.index_select(0, trie.inverse_N) for output_U in found))


def _outputs(module: Any, batch: Microbatch, targets: torch.Tensor, temperature: float, max_logits: int) -> Outputs:
    """Of the tokens that ``_run`` has something to say about."""
    traits = traits_of(module)
    options: dict[str, Any] = {"temperature": temperature}
    forbidden = traits.forbidden
    if traits.finish is None:
        logits = vision.forbid(_run(module, batch, wants_logits=True), forbidden)
        return outputs_of(logits, targets, temperature)
    hidden = _run(module, batch, wants_logits=False)
    head, finish = module.get_output_embeddings(), traits.finish
    options |= {"max_logits": max_logits}
    if type(head) is nn.Linear and finish is _as_is:
        bias = _forbidding(head, forbidden) if forbidden else head.bias
        return linear_outputs(hidden, head.weight, bias, targets, **options)
    return module_outputs(
        lambda hidden: vision.forbid(finish(head(hidden)), forbidden),
        hidden,
        targets,
        vocabulary=traits.vocabulary,
        **options,
    )


def _forbidding(head: nn.Linear, tokens: Sequence[int]) -> torch.Tensor:
    """A bias [V] that has the head never choose ``tokens``."""
    bias = torch.zeros_like(head.weight[:, 0], dtype=torch.float32) if head.bias is None else head.bias.float()
    return vision.forbid(bias, tokens)


def predictive_hidden(module: Any, batch: Microbatch) -> torch.Tensor:
    """Last hidden states [N, D] at the positions that predict the trained tokens.

    ``module`` may lack an output head (a critic's trunk). With gradient checkpointing ``attending`` must be held until
    backward is done, because layers are run again there; otherwise RuntimeError.
    """
    hidden = _run(module, batch, wants_logits=False)
    return hidden if batch.trie is None else hidden.index_select(0, batch.trie.inverse_N)


@contextlib.contextmanager
def attending(module: Any, batch: Microbatch) -> Iterator[None]:
    """While entered, ``module`` attends as it must for ``batch``; afterwards as before."""
    decoder = decoder_of(module)
    with packed_attention(decoder) if decoder is not None and _packs(decoder, batch) else contextlib.nullcontext():
        yield


@torch.no_grad()
def score(
    module: Any,
    rows: Sequence[Row],
    *,
    temperature: float = 1.0,
    max_tokens: int = 8192,
    max_logits: int = MAX_LOGITS,
    world: World = ALONE,
    shares: bool = False,
) -> list[NDArray[np.float32]]:
    """Log-probabilities of each row's trained tokens, 0 elsewhere, aligned to the row.

    All of ``world`` call it with the same rows, compute a share of them each, and get all. ``shares`` is as in
    ``microbatches``; ``sharing`` says whether it may be so.
    """
    found = [np.zeros(len(row.token_ids), np.float32) for row in rows]
    with computing(module):
        for batch in share_of(world, rows, [0.0] * len(rows), max_tokens=max_tokens, shares=shares):
            predictions = predict(module, batch.to(_device(module)), temperature=temperature, max_logits=max_logits)
            for index, logprobs in batch.per_row(predictions.logprobs_N):
                found[index][rows[index].places] = logprobs
    return world.put_together(found, _device(module))


# -- running the module --------------------------------------------------------------------------------


def _run(module: Any, batch: Microbatch, *, wants_logits: bool) -> torch.Tensor:
    _refuse_beyond(decoder_of(module), max(batch.lengths))
    seen = look(module, batch)
    packs = _packs(module, batch)
    _refuse_unknown(batch, traits_of(module).vocabulary)
    if packs and torch.is_grad_enabled() and _checkpoints(module) and not is_packed(decoder_of(module)):
        raise RuntimeError(
            "gradient checkpointing runs layers again in backward: hold attending(module, batch) till then"
        )
    with attending(module, batch):
        if batch.trie is not None:
            return _run_shared(module, batch, batch.trie, wants_logits)
        run = _run_packed if packs else _run_padded
        return run(module, batch, seen, wants_logits)


def _refuse_beyond(decoder: Any, length: int) -> None:
    """Raise UserError for a sequence whose rotary positions are not those of shorter ones beside it."""
    config = None if decoder is None else decoder.config.get_text_config()
    limit = None if config is None else rope.border(config)
    if limit is not None and length > limit:
        raise UserError(
            f"a sequence of {length} tokens is to be learned from, but beyond {limit} tokens this model's rotary "
            f'positions ("{rope.kind(config)}") are others, also for the sequences beside it; type: '
            f"--engine.max_context {limit}"
        )


def _refuse_unknown(batch: Microbatch, vocabulary: int) -> None:
    """Raise DataError for a token that the model does not have, as a file or another program may say."""
    if batch.highest >= vocabulary:
        raise DataError(
            f"episodes {', '.join(filter(None, batch.episodes)) or 'without names'}: there is a token {batch.highest}, "
            f"the model has {vocabulary}; record episodes with this model: agentgym record"
        )


def _checkpoints(module: Any) -> bool:
    return any(part.training and getattr(part, "gradient_checkpointing", False) for part in module.modules())


def _run_packed(module: Any, batch: Microbatch, seen: Sight | None, wants_logits: bool) -> torch.Tensor:
    inputs = {"input_ids": batch.ids_T[None], "position_ids": batch.positions_T[None], "pack": Pack(batch.lengths)}
    if seen is not None:
        inputs |= seen.inputs(range(len(batch.lengths)), packed=True)
    return _call(module, inputs, batch.predicts_T.nonzero()[:, 0], wants_logits)


def _run_shared(module: Any, batch: Microbatch, trie: Trie, wants_logits: bool) -> torch.Tensor:
    """At the distinct ones of the positions that predict trained tokens."""
    ids_S, positions_S = batch.ids_T[trie.first_S], batch.positions_T[trie.first_S]
    inputs = {"input_ids": ids_S[None], "position_ids": positions_S[None], "pack": trie.branches}
    return _call(module, inputs, trie.places_T[batch.predicts_T][trie.chosen_U], wants_logits)


def _run_padded(module: Any, batch: Microbatch, seen: Sight | None, wants_logits: bool) -> torch.Tensor:
    """Sequences of like length together, padded on the right: under causal attention nothing before it sees that."""
    ids, predicts = (torch.split(flat, batch.lengths) for flat in (batch.ids_T, batch.predicts_T))
    found: list[torch.Tensor] = [batch.ids_T] * len(ids)
    for group in _like_lengths(batch.lengths):
        ids_BT = nn.utils.rnn.pad_sequence([ids[i] for i in group], batch_first=True)
        predicts_BT = nn.utils.rnn.pad_sequence([predicts[i] for i in group], batch_first=True)
        inputs = {"input_ids": ids_BT} | (seen.inputs(group, packed=False) if seen is not None else {})
        outputs = _call(module, inputs, predicts_BT.flatten().nonzero()[:, 0], wants_logits)
        counts = [int(predicts[i].sum()) for i in group]
        for i, part in zip(group, torch.split(outputs, counts), strict=True):
            found[i] = part
    return torch.cat(found)


def _like_lengths(lengths: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    width = real = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not groups or width * (len(groups[-1]) + 1) > _PADDING_WASTE * (real + lengths[i]):
            groups.append([])
            width, real = lengths[i], 0
        groups[-1].append(i)
        real += lengths[i]
    return groups


def _call(module: Any, inputs: dict[str, Any], chosen_N: torch.Tensor, wants_logits: bool) -> torch.Tensor:
    """Hidden states or logits at the chosen of the flattened positions.

    A hook on the head takes the hidden states and leaves the head only what is asked of it.
    """
    head = module.get_output_embeddings()
    if head is None:
        states: torch.Tensor = module(**inputs, use_cache=False).last_hidden_state
        return states.flatten(0, 1).index_select(0, chosen_N)
    taken: list[torch.Tensor] = []

    def take(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden_ND = arguments[0].flatten(0, 1).index_select(0, chosen_N)
        taken.append(hidden_ND)
        return (hidden_ND[None] if wants_logits else hidden_ND[None, :1].detach(),)

    hook = head.register_forward_pre_hook(take)
    try:
        output = module(**inputs, use_cache=False)
    finally:
        hook.remove()
    return output.logits[0] if wants_logits else taken[0]


def _device(module: Any) -> torch.device:
    device: torch.device = next(module.parameters()).device
    return device


# -- what kind of module it is --------------------------------------------------------------------------

_Finish: TypeAlias = Callable[[torch.Tensor], torch.Tensor]


@dataclasses.dataclass(frozen=True, slots=True)
class Traits:
    """What the probe found."""

    packs: bool
    shares: bool
    """Whether it computes tries too."""
    window: int | None
    """Longest sequence that sees no sliding window."""
    forbidden: list[int]
    """Tokens that the policy may not sample."""
    finish: _Finish | None
    """From what the head says to the model's logits; None: not known."""
    vocabulary: int


_TRAITS: weakref.WeakKeyDictionary[nn.Module, Traits] = weakref.WeakKeyDictionary()


def decoder_of(module: Any) -> Any:
    """The Hugging Face model in ``module``: itself, what an adapter wraps, a critic's trunk. None if there is none."""
    return next((part for part in module.modules() if isinstance(part, PreTrainedModel)), None)


def traits_of(module: Any) -> Traits:
    """Found out the first time that somebody asks."""
    decoder = decoder_of(module)
    if decoder is None:
        raise TypeError(f"expected a Hugging Face model or a module that holds one, found {type(module).__name__}")
    if decoder not in _TRAITS:
        _TRAITS[decoder] = _probe(decoder)
    return _TRAITS[decoder]


def _packs(module: Any, batch: Microbatch) -> bool:
    traits = traits_of(module)  # found out at a module's first batch, whatever that is: all processes compute the probe
    if batch.trie is not None:
        return True
    if len(set(batch.lengths)) == 1:
        return False  # nothing would be padded
    return traits.packs and (traits.window is None or max(batch.lengths) <= traits.window)


@torch.no_grad()
def _probe(module: Any) -> Traits:
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.autocast(_device(module).type, enabled=False):
            vocabulary = int(module.get_input_embeddings().weight.shape[0])
            finish = None if module.get_output_embeddings() is None else _verified_finish(module, vocabulary)
            forbidden = vision.forbidden(module.config)
            packs = _can_pack(module, vocabulary)
            return Traits(
                packs=packs,
                shares=packs and _can_share(module, vocabulary),
                window=_window(module.config),
                forbidden=forbidden,
                finish=finish,
                vocabulary=vocabulary,
            )
    finally:
        for part, mode in modes:
            part.training = mode


def _example(module: Any, vocabulary: int, salt: int) -> Microbatch:
    """Two sequences of 5 and 3 tokens, all predicting; ``salt`` changes the first."""
    rows = [_example_row(6, salt, vocabulary), _example_row(4, 1, vocabulary)]
    return next(microbatches(rows, [0.0, 0.0], max_tokens=100)).to(_device(module))


def _example_row(length: int, salt: int, vocabulary: int) -> Row:
    ids = [(salt + 7 * i + i * i) % vocabulary for i in range(length)]
    zeros = np.zeros(length)
    return Row(token_ids=ids, loss_mask=np.ones(length, np.bool_), behavior_logprobs=zeros, advantages=zeros)


def _can_pack(module: Any, vocabulary: int) -> bool:
    """Packed and padded agree, and the second sequence does not notice another first one."""
    one, other = _example(module, vocabulary, 2), _example(module, vocabulary, 3)
    expected_ND = _run_padded(module, one, None, wants_logits=False)
    try:
        with packed_attention(module):
            found_ND, after_other_ND = (_run_packed(module, batch, None, wants_logits=False) for batch in (one, other))
    except (UnsupportedAttentionError, TypeError):  # TypeError: ``pack`` did not get through to the layers
        return False
    return _close(found_ND, expected_ND) and _close(after_other_ND[-3:], found_ND[-3:])


def _can_share(module: Any, vocabulary: int) -> bool:
    """Two sequences that part after three tokens are in their trie what they are by themselves."""
    rows = [_example_row(length, 2, vocabulary) for length in (6, 5)]
    rows[1].token_ids[3:] = (rows[1].token_ids[3:] + 1) % vocabulary
    batch = next(microbatches(rows, [0.0, 0.0], max_tokens=100))
    trie = plant(needed_tokens(rows), batch.predicts_T.numpy(), batch.targets_N.numpy(), block=1)
    assert trie is not None
    batch, trie = batch.to(_device(module)), trie.to(_device(module))
    expected_ND = _run_padded(module, batch, None, wants_logits=False)
    with packed_attention(module):
        found_UD = _run_shared(module, batch, trie, wants_logits=False)
    return _close(found_UD[trie.inverse_N], expected_ND)


def _verified_finish(module: Any, vocabulary: int) -> _Finish | None:
    """What the configuration says is done to the head's output, if that gives the module's logits."""
    example = _example(module, vocabulary, 2)
    finish = _finish(module.config.get_text_config())
    hidden_ND = _run_padded(module, example, None, wants_logits=False)
    logits_NV = _run_padded(module, example, None, wants_logits=True)
    return finish if _close(finish(module.get_output_embeddings()(hidden_ND)), logits_NV) else None


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    tolerance = 2e-2 if one.dtype in (torch.float16, torch.bfloat16) else 1e-4
    return bool((one - other).abs().max() <= tolerance * other.abs().max())


def _window(config: Any) -> int | None:
    text = config.get_text_config()
    kinds = getattr(text, "layer_types", None)
    sliding, chunked = getattr(text, "sliding_window", None), getattr(text, "attention_chunk_size", None)
    if kinds is not None:  # Qwen, Gemma, …: each layer has its kind
        sliding = sliding if "sliding_attention" in kinds else None
        chunked = chunked if "chunked_attention" in kinds else None
    return min((int(width) for width in (sliding, chunked) if width), default=None)


def _as_is(logits: torch.Tensor) -> torch.Tensor:
    return logits


def _finish(config: Any) -> _Finish:
    if cap := getattr(config, "final_logit_softcapping", None):  # Gemma
        return lambda logits: torch.tanh(logits / cap) * cap
    if factor := getattr(config, "logit_scale", None):  # Cohere
        return lambda logits: logits * factor
    if divisor := getattr(config, "logits_scaling", None):  # Granite
        return lambda logits: logits / divisor
    return _as_is
