"""``python -m agentgym``, and ``torchrun -m agentgym``."""

from agentgym.cli import main

if __name__ == "__main__":
    main()
