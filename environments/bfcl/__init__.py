"""BFCL multi-turn: do what a user asks over several turns by calling tools.

The four multi-turn categories of the Berkeley Function-Calling Leaderboard, version 4 (Patil et al. 2025), played as
episodes. Data, tool descriptions and tools come from the package ``bfcl-eval``; what happens between them is ours:

- ``env`` is the environment, ``episode`` one conversation with its user;
- ``calls`` reads the calls in a reply, without ever evaluating it;
- ``data`` reads the package's tasks and tools, ``toolbox`` says what a tool is called with;
- ``world`` holds the instances that tools act on, ``grading`` compares them with those of the ground truth.
"""

from agentgym.environments.bfcl.env import BFCL

__all__ = ["BFCL"]
