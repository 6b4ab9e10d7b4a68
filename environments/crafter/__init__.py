"""Crafter in text: gather, build and survive, with plans that are made when the policy wants to.

- ``env`` is the environment, ``levels`` what its levels ask for;
- ``world`` is the real package's world, made repeatable and quick to copy;
- ``view`` turns it into text;
- ``expert`` is a scripted policy that knows the map.
"""

from agentgym.environments.crafter.env import Crafter

__all__ = ["Crafter"]
