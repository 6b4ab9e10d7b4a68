"""From settings to a finished run: the one place where environments, engines and trainers meet."""

from agentgym.launch.training import resume, train

__all__ = ["resume", "train"]
