"""The reference policy: the policy as it was when training began, whatever it had learned before.

With a low-rank adapter that is a copy of the adapter as it was then, which takes the place of the one in training while
rows are scored; otherwise it is a copy of the policy, spread over the processes where the policy is.
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
        from torch.nn import ParameterList

        from agentgym.learn import sharding

        self._trained = learner.module
        self._is_adapter = hasattr(learner.module, "disable_adapter")
        self.module: Any
        """The copy: of the policy, or of the weights that its adapter trains, in their order."""
        if self._is_adapter:
            self.module = ParameterList(weight.detach().clone() for weight in self._adapter)
        else:
            self.module = learner.clone()
        self.module.requires_grad_(False).eval()
        if learner.shards and not self._is_adapter:
            sharding.shard(self.module)

    def modules(self) -> dict[str, Any]:
        """What a checkpoint must hold of it."""
        return {"reference": self.module}

    def score(self, learner: Learner, rows: Sequence[Row]) -> None:
        """Write ``reference_logprobs`` into ``rows``."""
        if not self._is_adapter:
            learner.score_rows(rows, "reference_logprobs", module=self.module)
            return
        with self._exchanged():
            learner.score_rows(rows, "reference_logprobs")

    @property
    def _adapter(self) -> list[Any]:
        return [weight for weight in self._trained.parameters() if weight.requires_grad]

    @contextlib.contextmanager
    def _exchanged(self) -> Iterator[None]:
        """The adapter of the reference in place of the one in training."""
        from agentgym.weights import part

        parts = [part(weight.detach()) for weight in self._adapter]
        own = [values.clone() for values in parts]
        try:
            for values, kept in zip(parts, self.module, strict=True):
                values.copy_(part(kept.detach()))
            yield
        finally:
            for values, kept in zip(parts, own, strict=True):
                values.copy_(kept)
