"""The reference policy: the policy as it was when training began.

With a low-rank adapter it is the base model, that is, the same module with the adapter switched off, and costs no
memory; otherwise it is a copy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agentgym.learn.rows import Row

if TYPE_CHECKING:
    from agentgym.learn.learner import Learner

__all__ = ["Frozen"]


class Frozen:
    """Scores rows with weights that no longer change."""

    def __init__(self, learner: Learner) -> None:
        self._trained = learner.module
        self.module: Any = None
        """The copy, or None where switching the adapter off does."""
        if not hasattr(learner.module, "disable_adapter"):
            self.module = learner.clone().requires_grad_(False).eval()

    def modules(self) -> dict[str, Any]:
        """What a checkpoint must hold of it."""
        return {} if self.module is None else {"reference": self.module}

    def score(self, learner: Learner, rows: Sequence[Row]) -> None:
        """Write ``reference_logprobs`` into ``rows``."""
        with self._weights() as module:
            learner.score_rows(rows, "reference_logprobs", module=module)

    @contextlib.contextmanager
    def _weights(self) -> Iterator[Any]:
        if self.module is not None:
            yield self.module
            return
        with self._trained.disable_adapter():
            yield self._trained
