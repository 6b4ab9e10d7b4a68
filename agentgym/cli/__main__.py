"""``python -m agentgym.cli``."""

from agentgym.cli import main

if __name__ == "__main__":
    main()
