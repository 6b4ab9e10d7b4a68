"""MiniGrid and BabyAI in text: the real package's worlds, seen through a partial view and steered by named actions.

- ``env`` is the environment, ``package`` the lazily imported package, kept quiet;
- ``view`` turns what the package shows into text;
- ``expert`` is BabyAI's bot.
"""

from agentgym.environments.minigrid.env import MiniGrid

__all__ = ["MiniGrid"]
