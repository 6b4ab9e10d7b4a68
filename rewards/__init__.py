"""The rewards: one file (or folder) each, its name is its id. Import name: ``agentgym.rewards``.

A reward is a function of a trajectory that gives a number for each turn, or a class whose instances are; what its
constructor takes are settings.
"""

if __name__ == "rewards":
    raise ImportError("import agentgym.rewards, not rewards: under two names every class would exist twice")
