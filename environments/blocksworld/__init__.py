"""Blocks world: stack blocks as asked, with one hand.

- ``env`` is the environment, ``world`` the blocks and the four operators on them;
- ``problems`` draws the problems and keeps those of the splits apart;
- ``planner`` finds a shortest plan.
"""

from agentgym.environments.blocksworld.env import BlocksWorld

__all__ = ["BlocksWorld"]
