"""Harbor's task directories, unchanged: ``instruction.md``, ``task.toml``, ``environment/``, ``tests/``, ``solution/``.

- ``env`` is the environment, ``demo`` has tasks for whoever names no directory, ``cheats`` what may not pay;
- ``form`` reads a directory and refuses by name what cannot be had here, ``images`` makes its image without a network,
  ``contents`` tells what that holds where the agent may write;
- ``verifier`` grades what an agent leaves, in a sandbox of its own, and reads the reward.
"""

from agentgym.environments.harbor.env import Harbor

__all__ = ["Harbor"]
