"""What goes wrong with a browser and is not the policy's doing: the episode is void and is played again."""

from __future__ import annotations

from agentgym.errors import EnvError

__all__ = ["BrowserLost", "PageLost"]


class BrowserLost(EnvError):
    """Chromium or its driver has ended, or does not start."""


class PageLost(EnvError):
    """A page has crashed, hangs, navigates or asks without end: there is nothing to see, and nothing to act on."""
