"""Where a model's rotary positions change with the length of a sequence.

With "longrope" (Phi 3) and "dynamic" scaling, transformers takes other frequencies for a whole batch as soon as one of
its sequences is longer than the model was first trained on, and does not compute again what came before. What is
sampled and learned with such a model therefore stays below that border, where its positions are those of any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["border", "kind"]

_CHANGING = ("longrope", "dynamic")


def border(config: Any) -> int | None:
    """The longest sequence of a text model's ``config`` with frequencies of its own; None where none is too long."""
    return min((_border(config, one) for one in _changing(config)), default=None)


def _border(config: Any, scaling: Mapping[str, Any]) -> int:
    if scaling["rope_type"] == "dynamic":
        return int(config.max_position_embeddings)
    given = scaling.get("original_max_position_embeddings")
    return int(given or getattr(config, "original_max_position_embeddings", config.max_position_embeddings))


def kind(config: Any) -> str:
    """What the scaling of ``config`` that changes is called; empty where there is none."""
    return next((str(one["rope_type"]) for one in _changing(config)), "")


def _changing(config: Any) -> list[Mapping[str, Any]]:
    """The scalings that change: one of the model, or one for each kind of layer."""
    given = getattr(config, "rope_parameters", None) or {}
    each = [given, *(value for value in given.values() if isinstance(value, Mapping))]
    return [one for one in each if one.get("rope_type") in _CHANGING]
