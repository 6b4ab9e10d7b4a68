"""A real browser for environments: the system's Chromium, one a process, a window of it for each environment.

How an environment uses it (plain calls; several windows act in parallel, each from its own thread)::

    from agentgym.browser import Click, Window

    window = Window(origins=["http://127.0.0.1:8000"])   # nothing is started yet; raises MissingExtraError
    window.open("http://127.0.0.1:8000/")                # each episode: fresh storage, one page
    seen = window.look()                                 # waits until the page is still; Seen: url, title, nodes, news
    problem = window.act(Click("3"))                     # None, or what was wrong: tell the policy
    image = window.screenshot()                          # a Pillow image of what is in view
    value = window.evaluate("() => document.title")      # for the environment itself: state, rewards
    window.close()                                       # a while after the last one of the process the browser ends

Whatever else goes wrong (Chromium dies, a page crashes or hangs) raises ``BrowserLost`` or ``PageLost``, which are
EnvErrors: the rollout plays the episode again, and the next ``open`` finds or starts a browser that lives.

- ``window`` is what environments use; ``pages`` is the context behind it, ``shared`` the browser and its thread,
  ``running`` and ``keeper`` its processes, ``chromium`` which one it is, ``lock`` what pages may ask for;
- ``seen`` is what a page shows, ``tree`` the same as text, ``page.js`` what runs inside of pages;
- ``actions`` are what can be done, ``acting`` does it.
"""

from agentgym.browser.actions import (
    Action,
    Back,
    Click,
    Drag,
    Fill,
    Forward,
    Goto,
    Hover,
    Point,
    Press,
    Say,
    Scroll,
    Select,
    Type,
    Wait,
)
from agentgym.browser.failures import BrowserLost, PageLost
from agentgym.browser.seen import Node, Seen
from agentgym.browser.tree import View, as_text, difference
from agentgym.browser.window import Window, open_windows

__all__ = [
    "Action",
    "Back",
    "BrowserLost",
    "Click",
    "Drag",
    "Fill",
    "Forward",
    "Goto",
    "Hover",
    "Node",
    "PageLost",
    "Point",
    "Press",
    "Say",
    "Scroll",
    "Seen",
    "Select",
    "Type",
    "View",
    "Wait",
    "Window",
    "as_text",
    "difference",
    "open_windows",
]
