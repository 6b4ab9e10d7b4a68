"""Tasks of BrowserGym by its own interface: MiniWoB, WebArena-Verified, WorkArena and what else registers there.

- ``env`` is the environment, ``suites`` knows which package registers a task and which tasks there are;
- ``desk`` is the one thread that BrowserGym and its Playwright run in, with the system's Chromium.
"""

from agentgym.environments.browsergym.env import BrowserGym

__all__ = ["BrowserGym"]
