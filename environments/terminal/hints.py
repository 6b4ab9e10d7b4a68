"""What is behind a message of the shell."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint("", r"no such file or directory", "What there is, and how it is spelled, ls says."),
    Hint("", r"not found|cannot be started", "There is no such command. The reply is run as it stands."),
    Hint("", r"permission denied|read-only file system", "Only the directory of the task and /tmp can be written in."),
    Hint("", r"is a directory|directory not empty", "Directories are copied and removed with -r."),
    Hint("", r"killed after", "A command that does not end by itself is killed; one to go on runs with & at its end."),
    Hint("", r"bytes left out", "Long outputs are cut; head, tail and grep show a part."),
)
