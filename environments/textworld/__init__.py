"""TextWorld: text adventures that are generated, one for every task, and graded by level.

- ``env`` is the environment: rewards, tasks, options;
- ``levels`` reads the names of the levels of the four kinds of games;
- ``games`` makes games by seed and keeps them on disk;
- ``story`` plays one: commands, tidy text, moments to come back to;
- ``engine`` brings in the package ``textworld`` (Côté et al., 2018, https://arxiv.org/abs/1806.11532) when it is
  needed, and makes it safe in threads.
"""

from agentgym.environments.textworld.env import TextWorld

__all__ = ["TextWorld"]
