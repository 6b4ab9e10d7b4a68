"""Images as a policy's processor sees them: so many tokens, and the numbers that its vision part wants.

Around any Hugging Face processor, which is handed in, so nothing here imports transformers. A chat template writes one
placeholder for an image; ``expanded`` puts the image's own tokens in its place, as the model wants them, and
``collapsed`` takes them out again, for engines that expand by themselves.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agentgym.errors import DataError, EngineError, EnvError, UserError
from agentgym.media import MediaStore, pixels_of
from agentgym.types import Media

__all__ = ["Images", "Seen"]

_CACHE_BYTES = 2**28
"""Processed images that are kept: 256 MiB."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One image, processed."""

    token_ids: tuple[int, ...]
    """What stands for it in the prompt."""
    inputs: Mapping[str, np.ndarray[Any, Any]]
    """What the model's vision part wants, by the names of its arguments; the first axis is the image's own."""

    @property
    def size(self) -> int:
        """Bytes of the inputs."""
        return sum(array.nbytes for array in self.inputs.values())


class Images:
    """What a tokenizer, an engine and a learner of one policy share: its processor, and where its images are kept.

    ``placeholder`` is what a template writes for an image, ``token_id`` its token, which also stands for each of the
    image's features. Raises UserError for a processor that lacks one.
    """

    def __init__(self, processor: Any, store: MediaStore | None = None) -> None:
        self.processor = processor
        self.store = MediaStore() if store is None else store
        placeholder, token_id = getattr(processor, "image_token", None), getattr(processor, "image_token_id", None)
        if not isinstance(placeholder, str) or not isinstance(token_id, int):
            raise UserError(f"{type(processor).__name__} has no image token, so nothing can stand for an image")
        self.placeholder, self.token_id = placeholder, token_id
        names = ("image_token", "video_token", "audio_token", "fake_image_token", "boi_token", "eoi_token")
        tokens = {getattr(processor, name, None) for name in names}
        self.markers = sorted(token for token in tokens if isinstance(token, str) and token)
        """Texts that mean an image; nobody may say them."""
        self._cache: collections.OrderedDict[str, Seen] = collections.OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> Images:
        return self  # a copy of a model sees with the same eyes

    def seen(self, media: Media) -> Seen:
        """``media``, processed. The last ones are kept. Raises EnvError for one that the processor does not take."""
        with self._lock:
            if media.digest in self._cache:
                self._cache.move_to_end(media.digest)
                return self._cache[media.digest]
        seen = self._process(media)
        with self._lock:
            self._cached_bytes += seen.size - (old.size if (old := self._cache.get(media.digest)) else 0)
            self._cache[media.digest] = seen
            while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
                self._cached_bytes -= self._cache.popitem(last=False)[1].size
        return seen

    def _process(self, media: Media) -> Seen:
        pixels = pixels_of(media)
        try:
            # Told and not guessed: three rows of pixels look like three channels.
            made = self.processor(
                images=[pixels],
                text=self.placeholder,
                add_special_tokens=False,
                return_tensors="np",
                input_data_format="channels_last",
            )
        except ValueError as error:
            (height, width, _), name = pixels.shape, type(self.processor).__name__
            raise EnvError(
                f"an image of {width} x {height} pixels cannot be shown to this policy: {name} says: {error}"
            ) from None
        inputs = {name: np.asarray(value) for name, value in made.items()}
        ids = tuple(map(int, inputs.pop("input_ids")[0]))
        for name in ("attention_mask", "mm_token_type_ids", "token_type_ids"):
            inputs.pop(name, None)
        return Seen(ids, inputs)

    def refuse_misfits(self, token_ids: Sequence[int], media: Sequence[Media]) -> list[Seen]:
        """``media``, processed. Raises EngineError when they are not what ``token_ids`` show, or these end in one."""
        seen = [self.seen(one) for one in media]
        found = list(token_ids).count(self.token_id)
        wanted = sum(one.token_ids.count(self.token_id) for one in seen)
        if found != wanted or token_ids[-1] == self.token_id:
            raise EngineError(
                f"{len(seen)} images have {wanted} tokens, the prompt has {found} and must not end with one of them"
            )
        return seen

    def expanded(self, token_ids: Sequence[int], media: Sequence[Media]) -> list[int]:
        """``token_ids`` with each placeholder replaced by its image's tokens. Raises DataError unless they match."""
        found = sum(token == self.token_id for token in token_ids)
        if found != len(media):
            raise DataError(f"{found} placeholders {self.placeholder!r} for {len(media)} images")
        coming = iter(media)
        ids: list[int] = []
        for token in token_ids:
            if token == self.token_id:
                ids.extend(self.seen(next(coming)).token_ids)
            else:
                ids.append(token)
        return ids

    def collapsed(self, token_ids: Sequence[int], media: Sequence[Media]) -> list[int]:
        """The inverse of ``expanded``."""
        ids, rest = list[int](), list(token_ids)
        for image in media:
            wanted = list(self.seen(image).token_ids)
            at = _find(rest, wanted)
            ids += [*rest[:at], self.token_id]
            rest = rest[at + len(wanted) :]
        return [*ids, *rest]


def _find(ids: Sequence[int], wanted: Sequence[int]) -> int:
    for at in range(len(ids) - len(wanted) + 1):
        if ids[at] == wanted[0] and list(ids[at : at + len(wanted)]) == wanted:
            return at
    raise DataError(f"the tokens hold no image of {len(wanted)} tokens")
