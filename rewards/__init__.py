"""The rewards: one file (or folder) each, its name is its id. Import name: ``agentgym.rewards``.

A reward is a function of a trajectory that gives a number for each turn, or an ``EpisodeShaper`` where it has settings;
one that looks at the episodes of a group together is a ``Shaper`` (see ``agentgym/reward.py``).
"""

if __name__ == "rewards":
    raise ImportError("import agentgym.rewards, not rewards: under two names every class would exist twice")
