"""ALFWorld: household tasks in text, in games of the official release or in generated ones.

- ``env`` is the environment, ``levels`` the six task types and the difficulty ladder;
- ``packages`` imports what the optional extra brings, and holds the one lock around it;
- ``game`` reads a game file, ``official`` lists those of the official release;
- ``rooms``, ``drafts`` and ``generated`` make games from the room lists that the package brings;
- ``world`` plays a game: states, commands, what they lead to;
- ``solver`` finds a plan from any state.
"""

from agentgym.environments.alfworld.env import AlfWorld

__all__ = ["AlfWorld"]
