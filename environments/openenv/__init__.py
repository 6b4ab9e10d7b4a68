"""OpenEnv in both directions: any OpenEnv server as an environment, and any environment as an OpenEnv server.

- ``env`` is the environment, a client; ``link`` is its connection;
- ``server`` serves environments; ``agentgym serve`` is its command.
"""

from agentgym.environments.openenv.env import OpenEnv

__all__ = ["OpenEnv"]
