"""The trainers: one file (or folder) each, its name is its id. Import name: ``agentgym.trainers``."""

if __name__ == "trainers":
    raise ImportError("import agentgym.trainers, not trainers: under two names every class would exist twice")
