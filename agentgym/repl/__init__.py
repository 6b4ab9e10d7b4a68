"""``agentgym play``: any environment by hand, with undo and branches, or a policy watched turn by turn.

``game`` is the episode that can be taken back, ``shell`` the commands, ``screen`` what is shown, ``terminal`` where
lines come from, ``policy`` what a policy must be able to do to be watched.
"""

from agentgym.repl.policy import EnginePolicy, Policy, Reply
from agentgym.repl.shell import play

__all__ = ["EnginePolicy", "Policy", "Reply", "play"]
