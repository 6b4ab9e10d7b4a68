"""``agentgym play``: any environment by hand, with undo and branches, or a policy watched turn by turn.

``playing`` is its beginning, ``session`` the same in Python, ``game`` the episode that can be taken back,
``retracing`` one that begins on record. The commands
are in ``shell``, ``speaking`` and ``telling``, and ``base`` is what they share; ``searching`` is a search from a
moment, ``transcript`` what is kept in a file, ``failures`` an evaluation that stops at them. ``screen``, ``tables``
and ``pictures`` are what is shown, ``terminal`` is where lines come from, ``interrupt`` what Ctrl-C does. ``policy`` is
what a policy must be able to do to be watched, ``policies`` where one comes from.
"""

from agentgym.repl.playing import play, play_async
from agentgym.repl.policy import EnginePolicy, Policy, Reply
from agentgym.repl.session import Session

__all__ = ["EnginePolicy", "Policy", "Reply", "Session", "play", "play_async"]
