"""``agentgym play``: any environment by hand, with undo and branches, or a policy watched turn by turn.

``play`` is its beginning, ``game`` the episode that can be taken back, ``retracing`` one that begins on record,
``shell`` the commands, ``screen`` what is shown, ``terminal`` where lines come from, ``interrupt`` what Ctrl-C does,
``policy`` what a policy must be able to do to be watched.
"""

from agentgym.repl.playing import play, play_async
from agentgym.repl.policy import EnginePolicy, Policy, Reply

__all__ = ["EnginePolicy", "Policy", "Reply", "play", "play_async"]
