"""Countdown: reach a target number from given numbers, each used once, with + - * /.

- ``env`` is the environment in its three forms, ``arithmetic`` reads operations and expressions without running them;
- ``puzzles`` draws the puzzles, solvable by construction, and keeps those of the splits apart;
- ``solver`` finds the fewest operations to the target;
- ``streams`` writes searches down as text, "Stream of Search", and judges such text.
"""

from agentgym.environments.countdown.env import Countdown

__all__ = ["Countdown"]
