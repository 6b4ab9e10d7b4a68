"""MiniWoB++ (arXiv 1802.08802) in a real browser: small web pages, each with a task in words.

- ``env`` is the environment, ``page`` the package's pages and how one is begun, ``groups`` which tasks are how hard;
- ``experts`` are scripts that solve tasks by what a policy sees, in files of a kind.
"""

from agentgym.environments.miniwob.env import MiniWoB

__all__ = ["MiniWoB"]
