"""A graph of thoughts: a policy decides how a reasoner, which errs, solves a problem in parts.

- ``env`` is the environment, ``graph`` the thoughts and what can be done with them;
- ``problems`` are the tasks: sorting, intersection of sets, counting of keywords;
- ``reasoners`` carry out what the policy decides: a simulated one with a stated error model, or any callable;
- ``expert`` is the static schedule of Graph of Thoughts.
"""

from agentgym.environments.thought_graph.env import ThoughtGraph

__all__ = ["ThoughtGraph"]
