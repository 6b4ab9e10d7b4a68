"""Tasksets of verifiers: a prompt, tools, and replies that the taskset's own rewards score.

- ``env`` is the environment, ``tools`` its tools, ``record`` the trace that is scored;
- ``demo`` is a small taskset that it has without a name.
"""

from agentgym.environments.verifiers.env import Verifiers

__all__ = ["Verifiers"]
