"""The environments: one file (or folder) each, its name is its id. Import name: ``agentgym.environments``."""

if __name__ == "environments":
    raise ImportError("import agentgym.environments, not environments: under two names every class would exist twice")
