"""A text that is shown at the beginning of an episode: rules, a policy document, advice. Evaluations go without it.

Policy internalization is to know it by heart in the end. Its PolicyRollout ("Multimodal Policy Internalization for
Conversational Agents") adds responses that were given with the policy in sight to those that were not: that is this
augmentation with a clean share, and strengths that are mixed,

    --augment briefing --augment.briefing.text rules.md --trainer.clean_share 0.5 --trainer.mix_strengths true

After the abstract alone. An episode with the text is learned from as it was played, with the text before it.
"""

from __future__ import annotations

from typing import Any

from agentgym.augmentation import Augmentation
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["Briefing"]


@register
class Briefing(Augmentation):
    """A text before the first observation."""

    def __init__(self, env: Any, *, text: str = "") -> None:
        """Write what is shown; at strengths below 1 in that share of the episodes.

        Args:
            text: what is shown, in words, or a file that holds them.
        """
        super().__init__(env)
        self.text = text.strip()

    def misfit(self, seen: Observation) -> str:
        return "" if self.text else "there is no text to show; type such as --augment.briefing.text rules.md"

    def observation(self, seen: Observation) -> str:
        if self._actions or self.rng().random() >= self.strength:
            return seen
        text = f"{self.text}\n\n{seen}"
        return Observation(text, admissible=seen.admissible, tools=seen.tools, images=seen.images)
