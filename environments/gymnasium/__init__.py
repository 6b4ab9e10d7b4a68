"""Any Gymnasium environment in text: discrete or text actions, and what is seen told in words.

- ``env`` is the environment;
- ``words`` turns values of observation spaces into text, and knows the names of actions;
- ``planner`` is an expert for every environment that gives its transition table away.
"""

from agentgym.environments.gymnasium.env import Gymnasium

__all__ = ["Gymnasium"]
