"""What models that see want of those who run them, in one place: engines that sample and learners share it.

An image goes through the model's vision part once, on its own, and what comes out is handed to the decoder's forward
pass with the tokens: so a prompt may bring several images, several prompts the same one, and an engine images that it
has seen already. Transformers has an interface for each step (``get_image_features``, ``mm_encoder_outputs``,
``get_rope_index``); where models differ is in ``_KINDS``. ``attach`` tries a model out and refuses one for which this
does not give what the model makes of the same images by itself.

Shape legend: T tokens of one text, F features of an image, D width; the 3 rows of a position are time, height, width.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import torch

from agentgym.errors import EnvError, UserError
from agentgym.media import as_media
from agentgym.processor import Images, Seen

__all__ = [
    "FORBIDDEN",
    "Features",
    "attach",
    "encode",
    "forbid",
    "forbidden",
    "given",
    "images_of",
    "positions",
    "shift",
]

FORBIDDEN = -1e4
"""Logit of a token that no policy may sample: its probability is 0 in every precision, and nothing becomes NaN."""

_TOKENS = ("image_token_id", "image_token_index", "video_token_id", "video_token_index", "audio_token_id")


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """How a family of models differs."""

    axis: int = 0
    """Of the vision part's inputs, along which images are put together."""
    takes_tensor: bool = False
    """Whether the decoder wants all features in one tensor, and not in one an image."""


_IDEFICS = _Kind(axis=1, takes_tensor=True)  # inputs are [1, tiles, 3, height, width]
_KINDS = {"idefics3": _IDEFICS, "smolvlm": _IDEFICS}
_PLAIN = _Kind()

Features: TypeAlias = Mapping[str, list[torch.Tensor]]
"""Of one image: what each output of the vision part, [F, D] a layer, has for it; the names are the output's."""


def forbidden(config: Any) -> list[int]:
    """Tokens that stand for what is seen or heard: a policy that sampled one would claim an image that is not there."""
    found = {getattr(config, name, None) for name in _TOKENS}
    return sorted(token for token in found if isinstance(token, int))


def forbid(logits: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
    """``logits`` [..., V] with ``FORBIDDEN`` for ``tokens``."""
    if not tokens:
        return logits
    return logits.index_fill(-1, torch.tensor(tokens, device=logits.device), FORBIDDEN)


# -- a model and its images ------------------------------------------------------------------------------


def attach(module: Any, images: Images) -> None:
    """Have ``module``, a transformers model, see through ``images``; its copies do too.

    Raises UserError for a model that cannot be served images here.
    """
    module.images = images
    try:
        problem = _problem(module, images)
    except (AttributeError, EnvError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        del module.images
        raise UserError(f"images cannot be shown to a {type(module).__name__} here: {problem}")


def images_of(module: Any) -> Images | None:
    """What ``module``, or the model that it wraps, sees through; None for one that does not see."""
    for part in module.modules():
        if "images" in part.__dict__:
            found: Images = part.__dict__["images"]
            return found
    return None


def _model_of(module: Any) -> Any:
    """The transformers model in ``module`` that ``attach`` was given."""
    return next(part for part in module.modules() if "images" in part.__dict__)


@torch.no_grad()
def _problem(module: Any, images: Images) -> str | None:
    """What goes wrong with two images in one text; None where all is well."""
    if "mm_encoder_outputs" not in inspect.signature(module.forward).parameters:
        return "its forward pass takes no mm_encoder_outputs; with a newer transformers it may"
    rng = np.random.default_rng(0)
    seen = [images.seen(as_media(rng.integers(0, 255, (size, 48, 3), dtype=np.uint8))) for size in (32, 48)]
    words = [token for token in range(20) if token not in forbidden(module.config)]
    ids = [words[5], *seen[0].token_ids, *words[6:9], *seen[1].token_ids, *words[7:9]]
    ids_BT = torch.tensor([ids], device=module.device)
    features = encode(module, seen)
    for image, found in zip(seen, features, strict=True):
        wanted, got = image.token_ids.count(_image_token(module)), len(next(iter(found.values()))[0])
        if wanted != got:
            return f"its processor writes {wanted} tokens for an image, its vision part gives {got} features"
    placed = positions(module, ids, seen)
    options = {} if placed is None else {"position_ids": placed[:, None].to(module.device)}
    here = module(input_ids=ids_BT, use_cache=False, **options, **given(module, features)).logits
    inputs = {name: value for part in _together(module, seen) for name, value in part.items()}
    if len(_batches(module, seen)) > 1:
        return None  # the model itself has no way to take these two at once
    types_BT = (ids_BT == _image_token(module)).int()
    typed = {"mm_token_type_ids": types_BT} if placed is not None else {}
    there = module(input_ids=ids_BT, use_cache=False, **inputs, **typed).logits
    tolerance = 2e-2 if here.dtype in (torch.float16, torch.bfloat16) else 1e-4
    apart = float((here - there).abs().max() / there.abs().max())
    return f"its logits differ by {apart:.0e} from its own" if not apart <= tolerance else None


def _image_token(module: Any) -> int:
    images = images_of(module)
    assert images is not None
    return images.token_id


# -- what goes into a forward pass -----------------------------------------------------------------------


def encode(module: Any, seen: Sequence[Seen]) -> list[Features]:
    """What the model's vision part makes of images, each of them."""
    if not seen:
        return []
    features: list[Features] = [{}] * len(seen)
    model = _model_of(module)
    for batch, inputs in zip(_batches(module, seen), _together(module, seen), strict=True):
        output = model.get_image_features(**inputs, return_dict=True)
        counts = [seen[i].token_ids.count(_image_token(module)) for i in batch]
        for i, found in zip(batch, _split(output, counts), strict=True):
            features[i] = found
    return features


def given(module: Any, features: Sequence[Features]) -> dict[str, Any]:
    """The argument that hands ``features``, in the order of their tokens, to the model's forward pass."""
    if not features:
        return {}
    names = list(features[0])
    layers = {name: list(zip(*(one[name] for one in features), strict=True)) for name in names}
    pooled: Any = tuple(layers.pop("pooler_output")[0])
    if _kind(module).takes_tensor:
        pooled = torch.cat(pooled)
    return {"mm_encoder_outputs": {"image": SimpleNamespace(pooler_output=pooled, **layers)}}


def _kind(module: Any) -> _Kind:
    return _KINDS.get(_model_of(module).config.model_type, _PLAIN)


def _batches(module: Any, seen: Sequence[Seen]) -> list[list[int]]:
    """Images whose inputs can be put together."""
    axis = _kind(module).axis
    batches: dict[Any, list[int]] = {}
    for i, one in enumerate(seen):
        shapes = tuple((name, *np.delete(value.shape, axis)) for name, value in sorted(one.inputs.items()))
        batches.setdefault(shapes, []).append(i)
    return list(batches.values())


def _together(module: Any, seen: Sequence[Seen]) -> list[dict[str, torch.Tensor]]:
    """The inputs of each batch."""
    axis, device = _kind(module).axis, _model_of(module).device
    return [
        {
            name: torch.from_numpy(np.concatenate([seen[i].inputs[name] for i in batch], axis)).to(device)
            for name in seen[batch[0]].inputs
        }
        for batch in _batches(module, seen)
    ]


def _split(output: Any, counts: Sequence[int]) -> list[Features]:
    """The vision part's output, image by image."""
    layers = {
        "pooler_output": [output.pooler_output],
        "deepstack_features": getattr(output, "deepstack_features", None),
    }
    per_image: dict[str, list[Sequence[torch.Tensor]]] = {
        name: [_images_in(layer, counts) for layer in found] for name, found in layers.items() if found is not None
    }
    return [{name: [layer[i] for layer in found] for name, found in per_image.items()} for i in range(len(counts))]


def _images_in(layer: Any, counts: Sequence[int]) -> Sequence[torch.Tensor]:
    if isinstance(layer, torch.Tensor):
        flat = layer.flatten(0, -2)
        return torch.split(flat, list(counts)) if len(flat) == sum(counts) else torch.chunk(flat, len(counts))
    parts: Sequence[torch.Tensor] = layer
    return parts


# -- positions -------------------------------------------------------------------------------------------


def positions(module: Any, token_ids: Sequence[int], seen: Sequence[Seen], start: int = 0) -> torch.Tensor | None:
    """Positions [3, T], on the CPU, of tokens of which the first stands at ``start``; None where they merely count on.

    ``seen`` are the images in ``token_ids``, in order; they are there as a whole.
    """
    model = _model_of(module).base_model
    if not hasattr(model, "get_rope_index"):
        return None
    token, coming = _image_token(module), iter(seen)
    parts: list[torch.Tensor] = []
    place, at = start, 0
    while at < len(token_ids):
        end = at
        if token_ids[at] == token:
            own = _own_positions(model, next(coming), token)
            end += own.shape[1]
            parts.append(own + place)
            place = int(parts[-1].max()) + 1
        else:
            while end < len(token_ids) and token_ids[end] != token:
                end += 1
            parts.append(torch.arange(place, place + end - at).expand(3, -1))
            place += end - at
        at = end
    return torch.cat(parts, 1)


def shift(module: Any, seen: Sequence[Seen]) -> int:
    """What ``seen`` add to the positions after them beside their number of tokens: they may take up fewer."""
    if not seen or not hasattr(_model_of(module).base_model, "get_rope_index"):
        return 0
    model, token = _model_of(module).base_model, _image_token(module)
    return sum(int(own.max()) + 1 - own.shape[1] for own in (_own_positions(model, one, token) for one in seen))


def _own_positions(model: Any, seen: Seen, token: int) -> torch.Tensor:
    """Positions of an image's features, counted from its own beginning: as the model says."""
    grids = {name: torch.from_numpy(value) for name, value in seen.inputs.items() if name.endswith("_thw")}
    ids_BT = torch.full((1, seen.token_ids.count(token)), token)
    found: torch.Tensor = model.get_rope_index(input_ids=ids_BT, mm_token_type_ids=torch.ones_like(ids_BT), **grids)[0]
    return found[:, 0]
