"""Tasksets of verifiers: a prompt, and a reply that the taskset's own rewards score.

- ``env`` is the environment; ``demo`` is a small taskset that it has without a name.
"""

from agentgym.environments.verifiers.env import Verifiers

__all__ = ["Verifiers"]
