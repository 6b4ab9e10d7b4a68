"""Forward passes of the embedded engine, one token for every row in each.

New text is prefilled in groups of like length; the rows that bring one token only advance in one batch. Keys and values
stay in slots, so that a row brings its new tokens only. On a CPU a pass has rows whose keys are padded to one length
(``alone``), so that a row's numbers are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import torch

from agentgym import rope, vision
from agentgym.actors.embedded.alone import (
    ROWS,
    activations_of,
    in_pieces,
    is_alone,
    padded,
    padded_keys,
    shared_keys,
)
from agentgym.actors.embedded.attention import Parts, attending, configs_of, is_attended_apart
from agentgym.actors.embedded.rows import Drawn, Row, of_like_length
from agentgym.actors.embedded.sampling import drawn_by_slot, sampled
from agentgym.actors.embedded.slots import SlotCache
from agentgym.engine import NamedWeights, Outlook, Prompt, Sampling
from agentgym.errors import ConfigError, EngineError
from agentgym.types import Media
from agentgym.weights import clone, put

__all__ = ["Forward"]

_KEPT_FEATURES = 256
"""Images whose features are kept for whoever shows them next."""

_GREEDY = Sampling(temperature=0.0)


class Forward:
    """``source``, a transformers causal LM on any one device, or a copy of it, with ``num_slots`` slots.

    ``max_context`` is the length of a slot in tokens; None for what the model was made for. ``dtype`` is the number
    format of a copy, where it is not the model's. Raises ConfigError for a model it cannot serve.

    Shape legend: R rows of this pass, Q new tokens a row, L tokens visible, V vocabulary, T tokens of one text.
    """

    def __init__(
        self,
        source: Any,
        *,
        max_context: int | None,
        num_slots: int,
        own_copy: bool,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._rounds = dtype not in (None, source.dtype)
        self.own_copy = own_copy or self._rounds
        self.module = clone(source, dtype=dtype) if self.own_copy else source
        config = source.config.get_text_config()
        self.window, self._per_layer = _attention(source, config)
        model_context = int(getattr(config, "max_position_embeddings", 2**31))
        if max_context is not None and max_context > model_context:
            raise ConfigError(f"engine.max_context is {max_context}, the model was made for {model_context} at most")
        border = rope.border(config)
        if border is not None and (max_context or 0) > border:
            raise ConfigError(
                f"engine.max_context is {max_context}, but beyond {border} tokens this model's rotary positions "
                f'("{rope.kind(config)}") are others, also for the episodes beside a longer one; type: '
                f"--engine.max_context {border}, or leave it out"
            )
        model_context = min(model_context, border or model_context)
        self.max_context = max_context or model_context
        self.prefilled = 0
        """Tokens computed as prompt, padding included."""
        self.heads: dict[int, torch.Tensor] = {}
        """By slot: logits [V] that rows of the last pass drew from which are to be kept."""
        self._cache = SlotCache(2, self.max_context)
        self._images = vision.images_of(source)
        self._forbidden = vision.forbidden(source.config)
        self._features: dict[str, vision.Features] = {}
        """Of images that were shown lately, under the present weights."""
        self._on_cpu = source.device.type == "cpu"
        self._unit = ROWS if self._on_cpu else 1
        self._activations = activations_of(self.module) if self._on_cpu else []
        self._configs = configs_of(self.module) if self._on_cpu else []
        self._apart = self._on_cpu and is_attended_apart(self._configs)
        self._refuse_misfit()
        self._one_size = self._on_cpu and self.module.dtype == torch.float32 and not is_alone(self.module)
        """Whether passes are all of one size, since a row's numbers would depend on how many there are."""
        self._cache = SlotCache(num_slots, padded_keys(self.max_context) if self._on_cpu else self.max_context)

    @torch.inference_mode()
    def _refuse_misfit(self) -> None:
        """Raise ConfigError for a model that, computed here in steps and beside others, says something else than alone.

        Such are those whose positions are no argument of theirs (learned ones that go by the attention mask, ALiBi).
        """
        texts = [[1, 2, 3], [2, 1]]
        vocabulary = int(self.module.get_input_embeddings().weight.shape[0])
        if self._images is not None or min(self.max_context, vocabulary) <= len(texts[0]):
            return
        starts = torch.zeros(2, dtype=torch.long)
        try:
            whole = [torch.tensor([[*text, 3]], device=self.module.device) for text in texts]
            expected = [self.module(input_ids=ids_1T, use_cache=False).logits[0] for ids_1T in whole]
            slots, last_2 = slice(0, 2), torch.tensor([2, 1])
            first = self._logits(slots, torch.tensor([[1, 2, 3], [2, 1, 0]]), starts, last_2, 3, {})
            then = self._logits(slots, torch.tensor([[3], [3]]), torch.tensor([3, 2]), starts, 4, {})
        except Exception as error:
            self._refuse(f"{type(error).__name__}: {' '.join(str(error).split())}", error)
        for text, whole_TV, *found in zip(texts, expected, first, then, strict=True):
            for place, found_V in zip((len(text) - 1, len(text)), found, strict=True):
                if not _agree(found_V, whole_TV[place]):
                    self._refuse("token by token it says something else than in one piece", None)

    def _refuse(self, why: str, cause: Exception | None) -> NoReturn:
        raise ConfigError(
            f"the embedded engine cannot serve a {type(self.module).__name__} ({why}): it needs a model that takes the "
            "positions of its tokens as an argument, as those with rotary positions do; choose such a model, or type: "
            "--engine vllm"
        ) from cause

    @property
    def sees(self) -> bool:
        """Whether the model can be shown images."""
        return self._images is not None

    def check(self, prompt: Prompt) -> int:
        """What the position after ``prompt`` has over the number of its tokens.

        Raises EngineError when its images are not what its tokens show, or the model sees none.
        """
        if self._images is None:
            if prompt.media:
                name = type(self.module).__name__
                raise EngineError(f"{len(prompt.media)} images came for a {name}, which sees none")
            return 0
        return vision.shift(self.module, self._images.refuse_misfits(*prompt))

    def close(self) -> None:
        """Free the slots."""
        self._cache = SlotCache(0, 0)

    def take_up(self, weights: NamedWeights) -> None:
        """Have the copy take up ``weights``; without a copy they are there already."""
        if self.own_copy:
            put(self.module, weights, rounds=self._rounds)
        self._features.clear()

    @torch.inference_mode()
    def score(self, prompt: Prompt) -> list[float]:
        """Log-probability of each token given those before it, at temperature 1; 0.0 for the first."""
        ids_T1 = torch.tensor(prompt.token_ids[1:], device=self.module.device)[:, None]
        return [0.0, *self._logprobs(prompt).gather(-1, ids_T1)[:, 0].tolist()]

    @torch.inference_mode()
    def outlooks(self, prompt: Prompt, num: int, most: int) -> list[Outlook]:
        """What else might have stood at the last ``num`` places, at temperature 1."""
        logprobs_NV = self._logprobs(prompt)[len(prompt.token_ids) - 1 - num :]
        top = logprobs_NV.topk(min(most, logprobs_NV.shape[-1]))
        entropy_N = -(logprobs_NV.exp() * logprobs_NV.clamp(min=torch.finfo(logprobs_NV.dtype).min)).sum(-1)
        rows = zip(top.indices.tolist(), top.values.tolist(), entropy_N.tolist(), strict=True)
        return [Outlook(tuple(zip(ids, logprobs, strict=True)), entropy) for ids, logprobs, entropy in rows]

    def _logprobs(self, prompt: Prompt) -> torch.Tensor:
        """Log-probabilities of what may follow each token but the last, at temperature 1."""
        ids_BT = torch.tensor([list(prompt.token_ids)], device=self.module.device)
        options = self._sight([Row(0, 0, prompt.token_ids, _GREEDY, 0.0, prompt.media)])
        logits_TV = self.module(input_ids=ids_BT, use_cache=False, **options).logits[0, :-1].float()
        return vision.forbid(logits_TV, self._forbidden).log_softmax(-1)

    @torch.inference_mode()
    def copy_slot(self, source: int, target: int, num_tokens: int, *, start: int = 0) -> None:
        """Have one slot hold the tokens of another from ``start`` up to ``num_tokens``, as if computed there."""
        self._cache.copy(source, target, num_tokens, start=start)

    @torch.inference_mode()
    def advance(self, rows: Sequence[Row], held: dict[int, int]) -> list[Drawn]:
        """One token for each row and each of its twins, in their order: a row's own first.

        ``held`` has the number of tokens in each slot that is taken, a row's own and others; prefilling adds to it.
        Raises EngineError when a log-probability is not finite.
        """
        self.heads.clear()
        decoding = [row for row in rows if len(row.token_ids) == 1]
        drawn: dict[int, list[Drawn]] = {}
        for group, keys in self._by_keys(row for row in rows if len(row.token_ids) > 1):
            for some in [[row] for row in group] if self._one_size else of_like_length(group, self._unit):
                drawn |= self._prefill(some, keys)
                held |= {row.slot: row.start + len(row.token_ids) for row in some}
        num = ROWS if self._one_size else max(1, len(decoding))
        together = [decoding] if self._apart else [group for group, _ in self._by_keys(decoding)]
        for some in (group[i : i + num] for group in together for i in range(0, len(group), num)):
            drawn |= self._decode(some, held)
            held |= {row.slot: row.start + 1 for row in some}
        return [token for row in rows for token in drawn[row.slot]]

    @torch.inference_mode()
    def drawn(self, head_V: torch.Tensor, draws: Sequence[tuple[Sampling, float]]) -> list[Drawn]:
        """A token for each of ``draws`` from logits that were kept. Raises as ``advance`` does."""
        samplings, uniforms = zip(*draws, strict=True)
        return sampled(head_V[None].expand(len(draws), -1), samplings, uniforms)

    def _by_keys(self, rows: Iterable[Row]) -> Iterator[tuple[list[Row], int]]:
        """Rows that may be computed together, and with how many keys each."""
        groups: dict[int, list[Row]] = {}
        for row in rows:
            groups.setdefault(shared_keys(_end(row)) if self._on_cpu else 0, []).append(row)
        for group in groups.values():
            keys = max(map(_end, group))
            yield group, padded_keys(keys) if self._on_cpu else keys

    def _prefill(self, group: Sequence[Row], keys: int) -> dict[int, list[Drawn]]:
        width = padded(max(len(row.token_ids) for row in group), self._unit)
        ids_RQ = torch.tensor([[*row.token_ids, *[0] * (width - len(row.token_ids))] for row in group])
        slots, start_R = torch.tensor([row.slot for row in group]), torch.tensor([row.start for row in group])
        last_R = torch.tensor([len(row.token_ids) - 1 for row in group])
        self.prefilled += ids_RQ.numel()
        options = self._sight(group)
        if (placed := options.get("position_ids")) is not None:  # of the longest row, which is padded itself
            options["position_ids"] = torch.nn.functional.pad(placed, (0, width - placed.shape[-1]))
        logits_RV = self._logits(slots, ids_RQ, start_R, last_R, keys, options)
        self.heads |= {row.slot: logits_RV[i].clone() for i, row in enumerate(group) if row.is_kept}
        return drawn_by_slot(group, logits_RV)

    def _sight(self, group: Sequence[Row]) -> dict[str, Any]:
        """Arguments of the forward pass that show the images of ``group``, whose rows may differ in length."""
        if self._images is None:
            return {}
        options = self._shown([media for row in group for media in row.media])
        placed = [self._positions(row) for row in group]
        own = [one.T for one in placed if one is not None]
        if own:
            padded_RQ3 = torch.nn.utils.rnn.pad_sequence(own, batch_first=True)
            options["position_ids"] = padded_RQ3.permute(2, 0, 1).to(self.module.device)
        return options

    def _shown(self, shown: Sequence[Media]) -> dict[str, Any]:
        """The argument with the features of ``shown``; those that are kept are not computed again."""
        assert self._images is not None
        new = {media.digest: self._images.seen(media) for media in shown if media.digest not in self._features}
        batches = [[one] for one in new.values()] if self._on_cpu else [list(new.values())]
        with in_pieces(self._activations):
            features = [one for batch in batches for one in vision.encode(self.module, batch)]
        self._features.update(zip(new, features, strict=True))
        options = vision.given(self.module, [self._features[media.digest] for media in shown])
        while len(self._features) > _KEPT_FEATURES:
            del self._features[next(iter(self._features))]
        return options

    def _positions(self, row: Row) -> torch.Tensor | None:
        """[3, Q] of a row's new tokens; ``shift`` counts what its new images will have brought."""
        assert self._images is not None
        seen = [self._images.seen(media) for media in row.media]
        begin = row.start + row.shift - vision.shift(self.module, seen)
        return vision.positions(self.module, row.token_ids, seen, begin)

    def _decode(self, rows: Sequence[Row], held: Mapping[int, int]) -> dict[int, list[Drawn]]:
        """The rows' slots; those between them are computed too where that is cheaper than to gather."""
        by_slot = {row.slot: row for row in rows}
        num, wanted = padded(max(by_slot) + 1, self._unit), padded(len(by_slot), self._unit)
        if num > min(wanted if self._one_size else 2 * wanted, self._cache.num_slots):  # too sparse for a range
            order = [*by_slot, *[max(by_slot)] * (wanted - len(by_slot))]
            slots: slice | torch.Tensor = torch.tensor(order)
        else:
            slots, order = slice(0, num), list(range(num))
        ids_RQ = torch.tensor([[by_slot[slot].token_ids[0] if slot in by_slot else 0] for slot in order])
        start_R = torch.tensor([min(held.get(slot, 0), self.max_context - 1) for slot in order])
        options = {}
        if any(row.shift for row in by_slot.values()):
            shift_R = torch.tensor([by_slot[slot].shift if slot in by_slot else 0 for slot in order])
            options["position_ids"] = (start_R + shift_R)[:, None].to(self.module.device)
        parts = self._parts(rows, order)
        keys = max(keys for _, keys in parts)
        logits_RV = self._logits(slots, ids_RQ, start_R, torch.zeros_like(start_R), keys, options, parts)
        if list(by_slot) != order:
            place = {slot: i for i, slot in enumerate(order)}
            logits_RV = logits_RV[[place[slot] for slot in by_slot]]
        return drawn_by_slot(list(by_slot.values()), logits_RV)

    def _parts(self, rows: Sequence[Row], order: Sequence[int]) -> list[tuple[slice, int]]:
        """Runs of ``order`` with the same number of keys, and the number; slots that are nobody's go along."""
        keys_of = {row.slot: keys for group, keys in self._by_keys(rows) for row in group}
        parts: list[tuple[slice, int]] = []
        for place, slot in enumerate(order):
            begin, keys = (parts[-1][0].start, parts[-1][1]) if parts else (0, 0)
            own = keys_of.get(slot, keys)
            if own == keys or not keys:
                parts[-1:] = [(slice(begin, place + 1), own)]
            else:
                parts.append((slice(place, place + 1), own))
        return parts

    def _logits(
        self,
        slots: slice | torch.Tensor,
        ids_RQ: torch.Tensor,
        start_R: torch.Tensor,
        last_R: torch.Tensor,
        keys: int,
        options: Mapping[str, Any],
        parts: Parts = (),
    ) -> torch.Tensor:
        """Logits [R, V] after each row's last new token; rows shorter than Q are padded at the end.

        Each row is computed with ``keys`` keys, or with those of its part of ``parts``. A token's place in its slot is
        its position too, unless ``options`` say another.

        What padding writes lies beyond a row's end: no query sees it, and the row's next tokens overwrite it.
        """
        device = self.module.device
        width = ids_RQ.shape[1]
        positions_RQ = (start_R[:, None] + torch.arange(width)).clamp(max=self.max_context - 1).to(device)
        rows = slots if isinstance(slots, slice) else slots.to(device)
        self._cache.begin(rows, positions_RQ, keys)
        divided = self._on_cpu and width == 1 and not self.own_copy and torch.get_num_threads() > 1
        apart = attending(self._configs, parts, in_one_thread=divided)
        with _Last(self.module, last_R.to(device), self._unit), in_pieces(self._activations), apart:
            output = self.module(
                input_ids=ids_RQ.to(device),
                attention_mask=self._mask(positions_RQ, keys),
                past_key_values=self._cache,
                use_cache=True,
                **{"position_ids": positions_RQ, **options},
            )
        return vision.forbid(output.logits[: len(last_R), 0].float(), self._forbidden)

    def _mask(self, positions_RQ: torch.Tensor, visible: int) -> torch.Tensor | dict[str, torch.Tensor]:
        """Additive mask [R, 1, Q, visible]: a token sees what stands at or before its position."""
        distance_RQL = positions_RQ[:, :, None] - torch.arange(visible, device=positions_RQ.device)
        zero = torch.zeros((), dtype=self.module.dtype, device=positions_RQ.device)
        full = zero.where(distance_RQL >= 0, float("-inf"))[:, None]
        if self.window is None:
            return full
        near = zero.where((distance_RQL >= 0) & (distance_RQL < self.window), float("-inf"))[:, None]
        return {"full_attention": full, "sliding_attention": near} if self._per_layer else near


def _agree(found_V: torch.Tensor, wanted_V: torch.Tensor) -> bool:
    """Within what rounding may do; broken weights, whose logits are not finite, are for others to find."""
    if not bool(wanted_V.isfinite().all()):
        return True
    tolerance = 0.5 if wanted_V.dtype in (torch.float16, torch.bfloat16) else 0.02
    spread = float((wanted_V.float() - wanted_V.float().mean()).abs().max())
    return bool((found_V - wanted_V.float()).abs().max() <= tolerance * spread + 1e-3)


class _Last:
    """While entered, the output head computes one position a row only: the row's last real token.

    The last row comes again until their number is a multiple of ``unit``.
    """

    def __init__(self, module: Any, last_R: torch.Tensor, unit: int) -> None:
        self.head, self.last_R = module.get_output_embeddings(), last_R
        self.rows = torch.arange(padded(len(last_R), unit), device=last_R.device).clamp(max=len(last_R) - 1)

    def __enter__(self) -> None:
        def keep_last(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            return (inputs[0][self.rows, self.last_R[self.rows]][:, None],)

        self.hook = self.head.register_forward_pre_hook(keep_last)

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


def _end(row: Row) -> int:
    """How many tokens its slot holds after the pass."""
    return row.start + len(row.token_ids)


def _attention(module: Any, config: Any) -> tuple[int | None, bool]:
    """(sliding window or None, whether masks go by the layer's type). Raises ConfigError for what cannot be served."""
    listed = getattr(config, "layer_types", None)
    kinds = set(listed or ["full_attention"])
    unknown = kinds - {"full_attention", "sliding_attention"}
    if unknown or getattr(module, "_is_stateful", False):
        other = f"a {type(module).__name__}, which keeps other state"
        found = f"layers of {', '.join(sorted(unknown))}" if unknown else other
        raise ConfigError(f"the embedded engine serves models with plain attention, found {found}; use --engine vllm")
    if (kernel := getattr(config, "_attn_implementation", None)) not in (None, "sdpa", "eager"):
        raise ConfigError(f'the embedded engine needs the attention kernel "sdpa" or "eager", found "{kernel}"')
    if listed:
        return (int(config.sliding_window), True) if "sliding_attention" in kinds else (None, True)
    window = getattr(config, "sliding_window", None)  # Mistral, Phi 3, …: every layer has it
    return (None if window is None else int(window)), False
