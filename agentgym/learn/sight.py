"""What a microbatch's sequences are shown: their images' features and the places of their tokens.

An image that several sequences show, for instance the first one of a group's episodes, goes through the vision part
once. Before anything is computed the image tokens of every sequence are counted against its images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import nn

from agentgym import vision
from agentgym.errors import DataError
from agentgym.learn.batch import Microbatch
from agentgym.processor import Images

__all__ = ["Sight", "look"]


@dataclasses.dataclass(slots=True)
class Sight:
    """What ``module`` is given beside the tokens of a microbatch."""

    module: Any
    features: list[list[vision.Features]]
    """Of each sequence's images."""
    positions: list[torch.Tensor] | None
    """[3, T] of each sequence's tokens; None where they merely count on."""

    def inputs(self, sequences: Sequence[int], *, packed: bool) -> dict[str, Any]:
        """Arguments of the forward pass of some sequences: in one long row, or padded on the right."""
        features = [one for i in sequences for one in self.features[i]]
        inputs = vision.given(self.module, features)
        if self.positions is not None:
            own = [self.positions[i] for i in sequences]
            if packed:
                inputs["position_ids"] = torch.cat(own, 1)[:, None]
            else:
                padded_BT3 = nn.utils.rnn.pad_sequence([positions.T for positions in own], batch_first=True)
                inputs["position_ids"] = padded_BT3.permute(2, 0, 1)
        return inputs


def look(module: Any, batch: Microbatch) -> Sight | None:
    """What the sequences of ``batch`` are shown; None for no images.

    Raises DataError when image tokens and images do not match, or the images are not to be had.
    """
    if not batch.media:
        return None
    images = vision.images_of(module)
    if images is None:
        raise DataError(
            f"the episodes show images, and a {type(module).__name__} sees none; they need a policy that does"
        )
    ids = [part.tolist() for part in torch.split(batch.ids_T, batch.lengths)]
    shown = [_shown(images, own, batch, i) for i, own in enumerate(ids)]
    unique = {digest: images.seen(images.store.get(digest)) for digests in shown for digest in digests}
    features = dict(zip(unique, vision.encode(module, list(unique.values())), strict=True))
    placed = [
        vision.positions(module, own, [unique[digest] for digest in digests])
        for own, digests in zip(ids, shown, strict=True)
    ]
    device = batch.ids_T.device
    positions = [one.to(device) for one in placed if one is not None]
    return Sight(module, [[features[digest] for digest in digests] for digests in shown], positions or None)


def _shown(images: Images, token_ids: Sequence[int], batch: Microbatch, i: int) -> list[str]:
    """Digests of the images that ``token_ids``, sequence ``i``, show, each by exactly the tokens that it should have.

    What an episode showed after its last trained token is not among them.
    """
    token, at = images.token_id, 0
    shown: list[str] = []
    for digest in batch.media[i]:
        wanted = images.seen(images.store.get(digest)).token_ids
        if token not in token_ids[at:]:
            break
        first = token_ids.index(token, at)
        begin = first - wanted.index(token)
        at = begin + len(wanted)
        if tuple(token_ids[begin:at]) != wanted:
            raise _mismatch(images, token_ids, batch, i, first, wanted.count(token))
        shown.append(digest)
    if token in token_ids[at:]:
        raise _mismatch(images, token_ids, batch, i, token_ids.index(token, at), 0)
    return shown


def _mismatch(
    images: Images, token_ids: Sequence[int], batch: Microbatch, i: int, first: int, num_features: int
) -> DataError:
    found = next((n for n, token in enumerate(token_ids[first:]) if token != images.token_id), len(token_ids) - first)
    said = torch.split(batch.predicts_T, batch.lengths)[i][:first].tolist()
    turn = sum(is_said for is_said, _ in groupby(said))
    return DataError(
        f'episode "{batch.episodes[i]}", turn {turn}: {found} image tokens in a row, the image has {num_features} '
        "features; the episode was played with another processor, or not with this policy"
    )
