"""Whether what rows begin with alike is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgym.errors import UserError
from agentgym.learn.batch import needed_tokens
from agentgym.learn.forward import decoder_of, traits_of
from agentgym.learn.prefixes import num_distinct
from agentgym.learn.rows import Row
from agentgym.learn.settings import Sharing

__all__ = ["hindrance", "pays", "shares"]

_WORTH = 0.9
"""Share of the rows' tokens that are to be computed at most. On a CPU the nano policy, of all the one in which a token
costs least, took 0.85 of the time for 0.83 of the tokens, and 0.48 for 0.41."""


def shares(module: Any, rows: Sequence[Row], choice: Sharing) -> bool:
    """Whether ``module`` is to compute once what ``rows`` begin with alike. Raises UserError where it must and cannot.

    All processes that learn together call it, since they may have to find out together what ``module`` can do.
    """
    if choice == "off":
        return False
    why = hindrance(module, rows)
    if why and choice == "on":
        raise UserError(
            f'share_prefixes "on" has no effect: {why}; type: --trainer.share_prefixes auto, which then does without'
        )
    return not why and (choice == "on" or pays(rows))


def hindrance(module: Any, rows: Sequence[Row] = ()) -> str:
    """Why ``module`` cannot compute the beginnings of ``rows`` once, or ""."""
    decoder = decoder_of(module)
    traits = None if decoder is None else traits_of(decoder)
    if traits is None or not traits.shares:
        return f"{type(decoder or module).__name__} sees what came before by other means than plain attention"
    if any(row.media for row in rows):
        return "the episodes show images"
    longest = max((row.num_needed for row in rows), default=0)
    if traits.window is not None and longest > traits.window:
        return f"an episode has {longest} tokens, and the model sees no more than {traits.window} back"
    return ""


def pays(rows: Sequence[Row]) -> bool:
    """Whether it saves more than it costs."""
    sequences = needed_tokens(rows)
    return num_distinct(sequences) <= _WORTH * sum(map(len, sequences))
