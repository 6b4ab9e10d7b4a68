"""The tables of ``booking`` as a real web site in a real browser.

- ``env`` is the environment, ``site`` answers the browser's requests by the simulator's session;
- ``pages`` are the pages as HTML, ``style.css`` their looks, ``fields.js`` tells the site of typing, ``pictures`` draws
  the restaurants.
"""

from agentgym.environments.booking_browser.env import BookingBrowser

__all__ = ["BookingBrowser"]
