"""The shop of ``webshop`` as a real web site in a real browser.

- ``env`` is the environment, ``site`` answers the browser's requests by the simulator's session;
- ``pages`` are the pages as HTML, ``style.css`` their looks, ``pictures`` draws the goods out of ``shapes``.
"""

from agentgym.environments.webshop_browser.env import WebShopBrowser

__all__ = ["WebShopBrowser"]
