"""The rewards: one file (or folder) each, its name is its id. Import name: ``agentgym.rewards``."""

if __name__ == "rewards":
    raise ImportError("import agentgym.rewards, not rewards: under two names every class would exist twice")
