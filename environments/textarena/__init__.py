"""The games of TextArena: one seat for the policy, the others for opponents, or every seat for a policy of its own.

- ``env`` is the environment, in which one seat is the policy's;
- ``table`` seats several policies at one game, each with its own trajectory;
- ``game`` is one game of the package; ``players`` are opponents and experts.
"""

from agentgym.environments.textarena.env import TextArena
from agentgym.environments.textarena.table import Table, self_play

__all__ = ["Table", "TextArena", "self_play"]
