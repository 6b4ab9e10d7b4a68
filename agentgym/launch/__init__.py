"""From settings to a finished run: the one place where environments, engines and trainers meet."""

from agentgym.launch.resuming import resume
from agentgym.launch.starting import train

__all__ = ["resume", "train"]
